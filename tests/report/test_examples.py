"""The view of examples, over a real run of a toy model on a text with titles, several bytes to a character, and hostile strings."""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from planting import figures_of
from transformers import AutoTokenizer

from extract.config import RunConfig
from extract.loading import save_windows
from extract.run import measure
from report import figures, publish
from report.build import build

HOSTILE = "<script>alert(1)</script> 日本 😀 =1+1 [x](javascript:y) {{ 7 * 7 }} <|endoftext|> the city "
AROUND, AROUND_SOURCE = 16, 4


@pytest.fixture
def counters(make_checkpoint: Callable[..., Path], tmp_path: Path) -> tuple[RunConfig, Path]:
    lines = [{"text": HOSTILE + f"and number {n}.", "title": f"'; drop table run; -- {n}" if n % 2 else None} for n in range(16)]
    (tmp_path / "text.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    sizes = {"window": 48, "windows": 12, "shards": 4, "repeated_windows": 2, "calibration_windows": 2}
    config = RunConfig("Toy", str(make_checkpoint()), str(tmp_path / "text.jsonl"), **sizes)
    measure(config, tmp_path / "counters.duckdb")
    return config, tmp_path / "counters.duckdb"


@pytest.fixture
def published(counters: tuple[RunConfig, Path], tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    publish.publish(counters[1], tmp_path / "headcount.duckdb", figures.load())
    with duckdb.connect(str(tmp_path / "headcount.duckdb"), read_only=True) as connection:
        yield connection


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, object]]:
    answer = connection.execute(query)
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def test_the_view_shows_the_first_twenty_of_every_head_and_kind_and_nothing_superseded(published: duckdb.DuckDBPyConnection) -> None:
    found: dict[tuple[object, ...], list[tuple[object, ...]]] = defaultdict(list)
    stored = rows(published, "from example")
    for row in stored:
        order = (-row["relative_norm"] if row["kind"] == "largest" else row["draw"], row["window"], row["position"])
        found[row["layer"], row["head"], row["kind"]].append(order)
    expected = {(*cell, rank, *order[1:]) for cell, orders in found.items() for rank, order in enumerate(sorted(orders)[:20], start=1)}
    shown = rows(published, 'select layer, head, kind, rank, "window", position from examples')
    assert {tuple(row.values()) for row in shown} == expected
    assert len(shown) == len(expected) < len(stored)
    assert {row["kind"] for row in shown} >= {"largest", "band_1", "band_2", "band_3"}


def test_the_texts_are_those_of_the_window(published: duckdb.DuckDBPyConnection, counters: tuple[RunConfig, Path], tmp_path: Path) -> None:
    save_windows(counters[0], tmp_path / "windows.npy")
    tokens, tokenizer = np.load(tmp_path / "windows.npy"), AutoTokenizer.from_pretrained(counters[0].model)

    def begun(window: np.ndarray, end: int) -> str:
        """The window's text up to a position: characters that are whole there, and at the window's end whatever is left."""
        text = str(tokenizer.decode(window[1:end]))
        return text if end == len(window) else text.rstrip("\ufffd")

    seen = set()
    for row in rows(published, "from examples"):
        window = tokens[row["window"]]
        for position, reach, before, token, after in (
            (row["position"], AROUND, row["text_before"], row["token"], row["text_after"]),
            (row["source_position"], AROUND_SOURCE, row["source_before"], row["source_token"], row["source_after"]),
        ):
            if position == 0:
                assert (before, token) == ("", "<|endoftext|>")
                continue
            ends = (max(1, position - reach), position, position + 1, min(len(window), position + reach + 1))
            texts = [begun(window, end) for end in ends]
            assert [before, token, after] == [longer[len(text) :] for text, longer in itertools.pairwise(texts)]
            seen.add(token)
    assert {"", "日", "😀"} <= seen


def test_an_example_names_the_document_it_stands_in_whatever_its_title(published: duckdb.DuckDBPyConnection) -> None:
    shown = rows(published, 'select distinct "window", position, document_position, document_title from examples')
    documents = rows(published, 'from window_document order by "window", position')
    for row in shown:
        before = [document for document in documents if document["window"] == row["window"] and document["position"] <= row["position"]]
        assert (row["document_position"], row["document_title"]) == (before[-1]["position"], before[-1]["title"])
    titles = {row["document_title"] for row in shown}
    assert None in titles
    assert "'; drop table run; -- 1" in titles
    assert published.execute("select count(*) from runs").fetchall() == [(1,)]


def test_shards_and_batches_leave_no_trace_in_the_examples(counters: tuple[RunConfig, Path], tmp_path: Path) -> None:
    other = replace(counters[0], name="Other", shards=3, batch=1)
    measure(other, counters[1])
    publish.publish(counters[1], tmp_path / "both.duckdb", figures.load())
    with duckdb.connect(str(tmp_path / "both.duckdb"), read_only=True) as connection:
        columns = "* exclude (run_id, relative_norm, source_attention)"
        difference = f"(select {columns} from examples where run_id = 'Toy' except select {columns} from examples where run_id = 'Other')"
        assert connection.execute(f"select count(*) from {difference}").fetchall() == [(0,)]
        assert connection.execute("select count(distinct kind) from example_kind").fetchall() == [(6,)]


def test_every_column_of_the_view_says_what_it_is_and_the_site_builds(counters: tuple[RunConfig, Path], tmp_path: Path) -> None:
    build(counters[1], tmp_path / "site", tmp_path / "h.duckdb", figures_of(tmp_path))
    with duckdb.connect(str(tmp_path / "h.duckdb"), read_only=True) as connection:
        query = "select column_name, comment from duckdb_columns() where table_name = 'examples'"
        comments = dict(connection.execute(query).fetchall())
        assert all(comments.values())
        assert comments["kind"].startswith("Kind of example")
        assert comments["position"] == "Position in the window, counted from 0."
    assert (tmp_path / "site" / "index.html").is_file()
