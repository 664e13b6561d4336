"""What was deleted or left out is in the bytes of no file that is handed on: DuckDB keeps deleted rows in the file that they stood in.

No command of ours deletes rows or replaces them, quarantined shards that are measured again and logs that are set aside among them; so the
rows are deleted by hand here, as somebody may who has second thoughts, or left out by what publishes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
from canaries import Words
from planting import figures_of, write_counters
from warm import SEED

from extract import imports
from report import figures
from report.publish import publish

TITLE = "Whether rows that were deleted are published all the same"
Record = Callable[[str, str], None]
ROWS = 4000


@pytest.fixture
def words() -> Words:
    """A word to be deleted."""
    return Words(SEED)


@pytest.fixture
def counters(tmp_path: Path) -> Path:
    """A run of two layers with a few tokens of text."""
    path = write_counters(tmp_path / "counters.duckdb", np.array([[10, 90], [30, 90]]), shards=2)
    with duckdb.connect(str(path)) as connection:
        connection.execute("insert into example_token select 'toy', 0, n, 'a token' from range(100) r(n)")
    return path


def delete(path: Path, planted: str, *deleting: str) -> None:
    """Plant a word and take it out again, each by SQL of its own; the bytes still hold it, or the trial would show nothing."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(planted)
        connection.execute("checkpoint")
    with duckdb.connect(str(path)) as connection:
        for statement in deleting:
            connection.execute(statement)


def published(counters: Path, folder: Path, chosen: Path | None = None) -> Path:
    """The published file of the counters, with the figure of activation alone unless others are chosen."""
    target = folder / "published.duckdb"
    publish(counters, target, figures.load(chosen or figures_of(folder)))
    return target


def test_text_that_was_deleted_from_the_counters_is_not_published(counters: Path, tmp_path: Path, words: Words, record: Record) -> None:
    word = words("text: deleted")
    planted = f"insert into example_token select 'toy', 1, n, '{word} ' || n from range({ROWS}) r(n)"
    delete(counters, planted, 'delete from example_token where "window" = 1')
    assert words.finds(counters.read_bytes())
    found = words.below(published(counters, tmp_path))
    record("text deleted from a counters file, and the file published", "LET IN" if found else "not in it")
    assert found == []


def test_a_run_that_was_deleted_from_the_working_file_is_in_no_new_counters_file(tmp_path: Path, words: Words, record: Record) -> None:
    word = words("text: deleted")
    out, table = tmp_path / "counters.duckdb", tmp_path / "heads.csv"
    work = out.with_name(out.name + ".work")
    for number in range(3):
        table.write_text(f"layer,head,value\n0,0,.{number + 1}\n0,1,.9\n", encoding="utf-8")
        title = word if number == 1 else f"Run {number}"
        imports.import_heads(table, out, run=title, measure="theirs", unit="share", source="a paper")
        if number == 1:
            assert words.finds(out.read_bytes())
            delete(work, "select 1", *(f"delete from {name} where run_id = '{word}'" for name in RUNS))
            assert words.finds(work.read_bytes())
            # Otherwise it is refused: the counters file holds a run that the working file lacks.
            out.unlink()
    found = words.below(out)
    record("a run deleted from a working file, and its counters file made anew", "LET IN" if found else "not in it")
    assert found == []


RUNS = ("run", "head", "shard", "shard_stat", "imported_band")


def test_a_figure_of_an_earlier_report_is_not_in_the_next_one(counters: Path, tmp_path: Path, words: Words, record: Record) -> None:
    """Where a published file serves as counters, as the counters of somebody else's site."""
    word = words("text: title of a figure")
    chosen = figures_of(tmp_path)
    own = tmp_path / "own"
    shutil.copytree(chosen, own)
    figure = own / "activation.toml"
    figure.write_text(figure.read_text(encoding="utf-8").replace('title = "', f'title = "{word} ', 1), encoding="utf-8")
    (tmp_path / "first").mkdir()
    first = published(counters, tmp_path / "first", own)
    assert words.below(first)
    target = tmp_path / "second.duckdb"
    publish(first, target, figures.load(chosen))
    found = words.below(target)
    record("a figure of an earlier report, and another report made of its file", "LET IN" if found else "not in it")
    assert found == []


def test_values_that_are_left_out_are_not_in_the_bytes_of_what_is_published(
    counters: Path, tmp_path: Path, words: Words, record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    word = words("text: name of a measure")
    unchecked = "create table free as from shard_stat; drop table shard_stat; alter table free rename to shard_stat"
    with duckdb.connect(str(counters)) as connection:
        # As something else may have written it: today's schema lets no such value in.
        connection.execute(unchecked)
        connection.execute(f"insert into shard_stat select 'toy', 0, 0, 0, '{word}', 1, 'nan'::double, n from range({ROWS}) r(n)")
    assert words.finds(counters.read_bytes())
    target = published(counters, tmp_path)
    assert "values are not finite" in capsys.readouterr().err
    found = words.below(target)
    record("values that are no numbers, which publishing leaves out", "LET IN" if found else "not in it")
    assert found == []


def test_memory_that_held_other_text_is_not_written_to_what_is_published(
    counters: Path, tmp_path: Path, words: Words, whole: bool, record: Record
) -> None:
    """A file is written in blocks, which are seldom full: what stood in memory before must not fill them up."""
    word = words("text: in memory")
    target = tmp_path / "published.duckdb"
    chosen = figures.load(figures_of(tmp_path))
    for _ in range(8 if whole else 1):
        with duckdb.connect() as connection:
            connection.execute(f"create table held as select '{word} ' || n as told from range(2000000) r(n)")
            connection.execute("create table again as from held order by told")
        publish(counters, target, chosen)
        found = words.below(target)
        record("memory full of other text, and a file published", "LET IN" if found else "not in it")
        assert found == []
