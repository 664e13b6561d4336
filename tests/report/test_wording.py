"""The generated text follows the data: turn the data around and the words turn with them."""

import re
from pathlib import Path

import duckdb
import numpy as np
import pytest
from planting import PLANTED, add_published_counts, write_counters

from report import figures, publish
from report.build import reading
from report.facts import Ledger
from report.heads_wording import HeadsAuthor
from report.pages import plain
from report.published_wording import PublishedAuthor
from report.wording import Reading

WORDS = figures.load()[0].words
RISING = np.array([[min(100, 12 * layer + 8 * head) for head in range(4)] for layer in range(8)])
BANNED = ("cause", "learn", "responsible for", "capture", "decide", "focus", "useless", "inactive", "dispensable")


def read(folder: Path, active: np.ndarray, figure: str = "activation") -> Reading | None:
    counters, published = folder / f"c{len(list(folder.iterdir()))}.duckdb", folder / "h.duckdb"
    published.unlink(missing_ok=True)
    publish.publish(write_counters(counters, active), published, figures.load())
    with reading(published) as connection:
        return HeadsAuthor(Ledger(connection), "toy", figure, WORDS).read("residual_activation")


def text_of(found: Reading | None) -> str:
    assert found is not None
    return plain("\n".join([found.lead, found.summary, *found.observations, *found.details, *found.interpretation]))


def published_text(folder: Path, rows: list[tuple] | None = None) -> Reading:
    counters = write_counters(folder / "c.duckdb", PLANTED)
    publish.publish(add_published_counts(counters, rows), folder / "h.duckdb", figures.load())
    with reading(folder / "h.duckdb") as connection:
        found = PublishedAuthor(Ledger(connection), "reference", "reference", {"high": "green", "low": "red"}).read(None)
    assert found is not None
    return found


def test_reversing_the_layers_turns_a_rise_into_a_fall(tmp_path: Path) -> None:
    up, down = read(tmp_path, RISING), read(tmp_path, RISING[::-1])
    assert "and deeper layers hold higher bands" in text_of(up)
    assert "and deeper layers hold lower bands" in text_of(down)
    assert "rise with depth" in text_of(up)
    assert "fall with depth" in text_of(down)


def test_permuting_the_heads_of_a_layer_changes_only_their_names(tmp_path: Path) -> None:
    def without_names(found: Reading | None) -> str:
        return re.sub(r"L\d+H\d+", "LxHy", text_of(found))

    assert without_names(read(tmp_path, RISING)) == without_names(read(tmp_path, RISING[:, ::-1]))


def test_flat_layers_show_no_clear_trend(tmp_path: Path) -> None:
    assert "with no clear trend over depth" in text_of(read(tmp_path, np.tile([10, 50, 90, 95], (8, 1))))


def test_few_heads_are_too_few_to_speak_of_depth(tmp_path: Path) -> None:
    assert "on too few heads to speak of depth" in text_of(read(tmp_path, np.array([[10, 90], [50, 95]])))


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        (np.full((6, 4), 95), ["Most heads fall in the busiest band", "leads in every range", "No head falls in the quietest band"]),
        (np.full((6, 4), 5), ["Most heads fall in the quietest band", "No head falls in the busiest band"]),
        (np.array([[50]]), ["Most heads fall in a middle band."]),
        (np.array([[50], [50]]), ["Most heads fall in a middle band, on too few heads to speak of depth."]),
        (np.tile([50, 95], (8, 4)), ["leads or ties in every range: in four of four another holds as many heads"]),
        (np.array([[95, 96, 3] * 4]), ["Most heads fall in the busiest band"]),
    ],
)
def test_all_in_one_band_one_head_and_one_layer_are_told_plainly(tmp_path: Path, active: np.ndarray, expected: list[str]) -> None:
    text = text_of(read(tmp_path, active))
    assert [phrase for phrase in expected if phrase not in text] == []


def test_a_figure_without_heads_has_no_reading(tmp_path: Path) -> None:
    counters = write_counters(tmp_path / "c.duckdb", PLANTED)
    with duckdb.connect(str(counters)) as connection:
        connection.execute(
            "update shard_histogram set n = 1 where false; delete from shard_histogram where kind = 'relative_norm' and layer >= 0"
        )
        connection.execute("insert into shard_histogram select 'toy', 0, 'relative_norm', 99, 0, 1, 1")
    publish.publish(counters, tmp_path / "h.duckdb", figures.load())
    with reading(tmp_path / "h.duckdb") as connection:
        assert HeadsAuthor(Ledger(connection), "toy", "activation", WORDS).read(None) is None


@pytest.mark.parametrize("active", [RISING, PLANTED, np.full((6, 4), 95), np.array([[50]]), np.tile([10, 50, 90, 95], (8, 1))])
def test_no_page_speaks_of_causes_and_every_digit_is_a_fact(tmp_path: Path, active: np.ndarray) -> None:
    found = read(tmp_path, active)
    assert found is not None
    text = "\n".join([found.lead, found.summary, *found.observations, *found.details, *found.interpretation])
    assert [word for word in BANNED if word in text_of(found).lower()] == []
    assert re.findall(r"\d", re.sub(r"<a [^>]*><data [^>]*>.*?</data></a>|<span data-claim=[^>]*>", "", text)) == []
    assert len(found.observations) <= 5
    frames = [re.sub(r"<data .*?</data>", "#", observation) for observation in found.observations]
    assert len(set(frames)) == len(frames)


def test_the_reference_figure_is_read_as_it_must_be(tmp_path: Path) -> None:
    text = text_of(published_text(tmp_path))
    for phrase in (
        "Green gains at every step of depth, on few heads.",
        "The figure shows 65 of the model's 1,200 heads; 44 are green (67.7 %).",
        "From two of seven to 15 of 19.",
        "would be unusual by chance (exact trend test, p = .017)",
        "8–64 % in the first range, 57–91 % in the last",
        "[0, 12) is the only range that the green band does not lead: there yellow holds three heads, the green band two.",
        "Orange shrinks at every step, from 28.6 to 10.5 % – on 12 heads, but that is no evidence of a trend.",
        "Red stands for one head, in [12, 24); nothing should rest on it.",
        "Heads shown: 7, 12, 27 and 19. Each range has 300 heads, of which 2.3, 4.0, 9.0 and 6.3 % appear",
        "sum to 100.1, 99.9, 100.0 and 99.9: rounding",
    ):
        assert phrase in text, phrase


def test_published_counts_turned_around_lose_where_they_gained(tmp_path: Path) -> None:
    ranges = [("[0, 12)", (15, 4)), ("[12, 24)", (20, 7)), ("[24, 36)", (7, 5)), ("[36, 48)", (2, 5))]
    rows = [("reference", place, label, 12 * place, 12 * place + 12, band, colour, heads)
            for place, (label, counts) in enumerate(ranges)
            for band, (colour, heads) in enumerate(zip(("green", "red"), counts, strict=True))]  # fmt: skip
    assert "Green loses at every step of depth" in text_of(published_text(tmp_path, rows))
