"""Detectors and labels: planted heads get the labels that are known, and mistakes in a detector's file their line."""

import math
from pathlib import Path

import duckdb
import numpy as np
import pytest
from labelled_heads import BEFORE, CHANCE, HEADS, LABELS, LAYERS, MEASURES, answer, plant, published
from planting import ask
from scipy import stats

from report import detectors, figures, publish
from report.errors import UsageRefusal


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(tmp_path_factory.mktemp("labelled"))


def test_every_planted_head_gets_its_label_and_every_other_none(labelled: Path) -> None:
    found = {(layer, head): label for layer, head, label in ask(labelled, "select layer, head, label from head_label")}
    assert found == {(layer, head): LABELS.get((layer, head), "unclassified") for layer in range(LAYERS) for head in range(HEADS)}


def test_every_head_of_a_scored_run_has_exactly_one_label(labelled: Path) -> None:
    assert ask(labelled, "select count(*), count(distinct (run_id, layer, head)) from head_label") == [(LAYERS * HEADS, LAYERS * HEADS)]
    rows = ask(labelled, "select count(*), count(distinct (run_id, detector, layer, head)) from detector_score")
    assert rows == [(LAYERS * HEADS * len(MEASURES),) * 2]


def test_a_head_that_passes_twice_is_labelled_once_and_keeps_both_in_sight(labelled: Path) -> None:
    (row,) = ask(labelled, "select label, labels_passed, excess, low, high from head_label where (layer, head) = (0, 2)")
    assert row[:2] == ("induction on repeated tokens", "induction on repeated tokens; induction")
    assert row[2] == pytest.approx(0.9 - CHANCE)
    # Eight shards, .01 above and below by turns: se = .01 / √7, and t with seven degrees of freedom.
    assert (row[2] - row[3], row[4] - row[2]) == pytest.approx((0.01 / np.sqrt(7) * stats.t.ppf(0.975, 7),) * 2)


def test_of_two_equal_excesses_the_first_detector_gives_the_label(labelled: Path) -> None:
    rows = ask(labelled, "select detector, excess from detector_score where (layer, head) = (2, 1) and passes order by detector")
    assert rows == [("induction_repeated", pytest.approx(0.68)), ("previous_token", rows[0][1])]
    assert ask(labelled, "select detector from head_label where (layer, head) = (2, 1)") == [("induction_repeated",)]


def test_the_sink_takes_no_label_away_and_gives_none(labelled: Path) -> None:
    rows = ask(labelled, "select layer, head, label, round(sink_mass, 2) from head_label where is_sink order by all")
    assert rows == [(1, 1, "induction on repeated tokens", 0.9), (1, 2, "unclassified", 0.9)]
    assert ask(labelled, "select count(*) from head_label where label = 'sink' or labels_passed like '%sink%'") == [(0,)]
    assert ask(labelled, "select count(*) from head_label where is_sink is null") == [(0,)]


def test_a_head_above_the_margin_on_average_but_not_beyond_doubt_stays_unclassified(labelled: Path) -> None:
    margin = next(detector.margin for detector in detectors.load() if detector.measure == BEFORE)
    query = "select excess, low, q, passes from detector_score where (layer, head) = (2, 2) and detector = 'previous_token'"
    ((gained, low, q, passes),) = ask(labelled, query)
    assert low < margin < gained
    assert q > detectors.LEVEL and not passes


def test_labels_and_sink_are_corrected_as_two_families(labelled: Path) -> None:
    for apart in (False, True):
        rows = ask(labelled, f"select p, q, passes from detector_score join detector using (detector) where apart = {apart}")
        p, q, passes = (np.array(column) for column in zip(*rows, strict=True))
        assert p.size == LAYERS * HEADS * (1 if apart else len(MEASURES) - 1)
        assert q == pytest.approx(stats.false_discovery_control(p, method="by"))
        assert passes.tolist() == (q <= 0.05).tolist()


def test_a_run_of_one_shard_or_without_chance_levels_has_no_labels(tmp_path: Path) -> None:
    counters = plant(tmp_path / "c.duckdb")
    plant(counters, shards=1, run_id="short")
    plant(counters, run_id="bare", chances=False)
    publish.publish(counters, tmp_path / "h.duckdb", figures.load())
    for table in ("detector_score", "head_label"):
        assert ask(tmp_path / "h.duckdb", f"select distinct run_id from {table}") == [("toy",)]


def test_a_chance_level_of_other_tokens_is_not_compared_with(tmp_path: Path) -> None:
    counters = plant(tmp_path / "c.duckdb")
    with duckdb.connect(str(counters)) as connection:
        connection.execute("update shard_stat set n = n - 1 where measure = 'self_mass_chance' and shard = 3")
    publish.publish(counters, tmp_path / "h.duckdb", figures.load())
    found = {name for (name,) in ask(tmp_path / "h.duckdb", "select distinct detector from detector_score")}
    assert found == {detector.id for detector in detectors.load()} - {"self"}


def test_planted_heads_stand_beside_the_margins_in_points_over_chance(labelled: Path) -> None:
    # The planted scores of the tests: 75 % for its own kind; 1.25, 2.5 and 3.75 % for any other, uniform attention among them; 0 repeated.
    rows = {row["detector"]: row for row in answer(labelled, "detectors")}
    assert [rows["self"][name] for name in ("own_points", "other_points")] == pytest.approx([75 - 1.25, 0])
    assert [rows["induction_repeated"][name] for name in ("own_points", "other_points")] == pytest.approx([75, 0])
    assert [row["chance_pct"] for row in rows.values()] == pytest.approx([100 * CHANCE] * len(MEASURES))


@pytest.mark.slow
def test_margins_of_labels_follow_their_rule(tmp_path: Path) -> None:
    from extract import proving
    from extract.errors import EnvironmentRefusal

    counters = plant(tmp_path / "counters.duckdb")
    try:
        proving.prove(counters)
    except EnvironmentRefusal as refusal:
        pytest.skip(f"the proving ground needs the embedded model and text: {refusal}")
    publish.publish(counters, tmp_path / "h.duckdb", figures.load())
    for row in answer(tmp_path / "h.duckdb", "detectors"):
        half, best_other = row["own_points"] / 2, row["other_points"]
        if not row["apart"]:
            assert row["margin_pct"] == pytest.approx(math.ceil(max(half, best_other))), row["detector"]
        assert f"{best_other if row['apart'] else max(half, best_other):.1f} points" in row["why"], row["detector"]


SELF_FILE = (Path(detectors.__file__).parent / "self.toml").read_text()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("margin = 0.75", "margin = 1.5", "between 0 and 1"),
        ("margin = 0.75", "margin = nan", "between 0 and 1"),
        ("margin = 0.75", "margin = 1", "number such as 0.5"),
        ("margin = 0.75", "", "missing margin"),
        ("apart = false", 'apart = "no"', "true or false"),
        ("apart = false", "apart = false\nbands = 3", "unknown key bands"),
        ('label = "self"', 'label = "unclassified"', "without a label"),
        ("ordinal = 6", "ordinal = = 6", "not a TOML file"),
    ],
)
def test_a_mistake_in_a_detector_file_names_the_place_and_the_remedy(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert before in SELF_FILE
    (tmp_path / "mine.toml").write_text(SELF_FILE.replace(before, after))
    with pytest.raises(UsageRefusal, match=message) as refusal:
        detectors.load(tmp_path)
    assert "mine.toml" in str(refusal.value) and "\n" not in str(refusal.value)


def test_two_detectors_share_neither_place_nor_label(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(SELF_FILE)
    with pytest.raises(UsageRefusal, match="share ordinal 6"):
        detectors.load(tmp_path)
    (tmp_path / "two.toml").write_text(SELF_FILE.replace("ordinal = 6", "ordinal = 7"))
    with pytest.raises(UsageRefusal, match="share the label self"):
        detectors.load(tmp_path)
