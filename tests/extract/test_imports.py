"""Imports: published tables become runs, once, and a table that cannot be used is refused with its line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from extract.errors import DatabaseRefusal, Refusal, UsageRefusal
from extract.imports import import_counts, import_heads

HEADER = "figure,range_ordinal,range_label,first_layer,end_layer,band_ordinal,band_colour,heads"
HEADS = "layer,head,value\n0,0,0.1\n0,1,0.2\n1,0,0.9\n1,1,1\n"


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def counts(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


COUNTS = counts('fig,0,"[0, 2)",0,2,0,green,2', 'fig,0,"[0, 2)",0,2,1,red,0', 'fig,1,"[2, 4)",2,4,0,green,1', 'fig,1,"[2, 4)",2,4,1,red,3')


def heads_into(path: Path, out: Path, **changes: str) -> bool:
    options = {"run": "Published", "measure": "copying", "unit": "share", "source": "Somebody, 2024"} | changes
    return import_heads(path, out, **options)


def counts_into(path: Path, out: Path, title: str = "A title", source: str = "Somebody", model_heads: int | None = None) -> bool:
    return import_counts(path, out, title=title, source=source, model_heads=model_heads)


def ask(out: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(out), read_only=True) as con:
        return con.execute(query).fetchall()


def test_a_table_of_heads_becomes_one_value_per_head(table: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "counters.duckdb"
    assert heads_into(table(HEADS), out) is True
    values = ask(out, "select layer, head, n, total, total_of_squares from shard_stat order by all")
    assert values == [(0, 0, 1, 0.1, 0.1 * 0.1), (0, 1, 1, 0.2, 0.2 * 0.2), (1, 0, 1, 0.9, 0.9 * 0.9), (1, 1, 1, 1.0, 1.0)]
    assert ask(out, "select layers, heads_per_layer, kind, shards, source from run") == [(2, 2, "imported", 1, "Somebody, 2024")]
    assert ask(out, "select id, unit, low, high from measure") == [("copying", "share", 0.0, 1.0)]
    assert ask(out, "select count(*) from head") == [(4,)]
    assert ask(out, "select status, scored_tokens from shard") == [("committed", 0)]


def test_shares_are_banded_over_zero_to_one_and_other_units_over_their_values(table: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "counters.duckdb"
    heads_into(table(HEADS), out)
    heads_into(table("layer,head,value\n0,0,-3\n0,1,7\n"), out, run="Tokens", measure="distance", unit="tokens")
    heads_into(table("layer,head,value\n0,0,5\n"), out, run="Flat", measure="flat", unit="tokens")
    edges = {
        run: ask(out, f"select low, high from imported_band where run_id = '{run}' order by all") for run in ("Published", "Tokens", "Flat")
    }
    assert edges["Published"] == [(0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0)]
    assert edges["Tokens"] == [(-3.0, -1.0), (-1.0, 1.0), (1.0, 3.0), (3.0, 5.0), (5.0, 7.0)]
    assert edges["Flat"] == [(5.0, 5.0)]


def test_bands_that_were_asked_for_are_kept(table: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "counters.duckdb"
    heads_into(table(HEADS), out, bands="0,.5,1")
    assert ask(out, "select band_ordinal, low, high from imported_band order by all") == [(0, 0.0, 0.5), (1, 0.5, 1.0)]


def test_the_identical_table_changes_nothing_and_another_one_is_refused(table: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "counters.duckdb"
    heads_into(table(HEADS), out)
    before = out.read_bytes()
    assert heads_into(table(HEADS.replace("\n0,0,0.1\n0,1,0.2", "\n0,1,0.2\n0,0,0.1")), out) is False
    assert out.read_bytes() == before
    for text, changes in ((HEADS.replace("0.9", "0.8"), {}), (HEADS, {"bands": "0,1"}), (HEADS, {"source": "Another"})):
        with pytest.raises(DatabaseRefusal, match="'Published' is in the file already and differs in"):
            heads_into(table(text), out, **changes)
    assert out.read_bytes() == before


def test_a_measure_keeps_its_unit_and_range_in_one_file(table: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "counters.duckdb"
    heads_into(table(HEADS), out)
    with pytest.raises(DatabaseRefusal, match="measure 'copying' is in the file with unit 'share', not 'tokens'"):
        heads_into(table(HEADS), out, run="Second", unit="tokens")
    assert heads_into(table(HEADS), out, run="Second") is True
    assert ask(out, "select count(*) from measure") == [(1,)]


@pytest.mark.parametrize(
    ("measure", "told"),
    [
        ("previous_token_mass", "'previous_token_mass' is computed by Headcount itself (--measure); fix: name it otherwise, for example "),
        ("Entropy", "'Entropy' is computed by Headcount itself (--measure); fix: name it otherwise, for example Entropy_published"),
        ("run_id", "'run_id' is the name of a column (--measure)"),
        ("layer", "'layer' is the name of a column (--measure)"),
        ("HEAD", "'HEAD' is the name of a column (--measure)"),
        ("kv_head", "'kv_head' is the name of a column (--measure)"),
        ("Copying", "measure 'Copying' differs from 'copying' in the file only in its case (--measure); fix: write copying, or name it"),
    ],
)
def test_a_measures_name_that_means_something_else_is_refused(
    table: Callable[[str], Path], tmp_path: Path, measure: str, told: str
) -> None:
    out = tmp_path / "counters.duckdb"
    heads_into(table(HEADS), out)
    with pytest.raises(UsageRefusal) as refusal:
        heads_into(table(HEADS), out, run="Second", measure=measure)
    assert str(refusal.value).startswith(f"error: {told}")
    assert heads_into(table(HEADS), out, run="Second", measure=f"{measure}_published") is True
    assert ask(out, "select count(*) from measure") == [(2,)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("layer,head\n0,0\n", "columns layer, head (table.csv, line 1); fix: the header must be layer,head,value"),
        ("", "columns none"),
        ("layer,head,value\n", "no lines below the header"),
        ("layer,head,value\n0,x,1\n", "head is 'x' (table.csv, line 2)"),
        ("layer,head,value\n0,0,1\n-1,0,1\n", "layer is '-1' (table.csv, line 3)"),
        ("layer,head,value\n0,0,nan\n", "value is 'nan' (table.csv, line 2)"),
        ("layer,head,value\n0,0,1e999\n", "value is '1e999'"),
        ("layer,head,value\n0,0,1e200\n", "value is '1e200'"),
        ("layer,head,value\n0,0,\n", "value is ''"),
        ("layer,head,value\n0,0\n", "not 3 cells (table.csv, line 2)"),
        ("layer,head,value\n0,0,1,2\n", "not 3 cells"),
        ("layer,head,value\n0,0,.1\n0,0,.2\n", "L0H0 stands twice (table.csv, line 3)"),
        ("layer,head,value\n0,0,.1\n1,1,.2\n", "2 of 2 x 2 heads are missing, the first is L0H1"),
        ("layer,head,value\n0,0,1.5\n", "the value 1.5 lies outside the bands 0 to 1 (--unit)"),
        ('layer,head,value\n0,0,"1\n', "not CSV"),
    ],
)
def test_a_table_of_heads_that_cannot_be_used_is_refused(table: Callable[[str], Path], tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageRefusal) as refusal:
        heads_into(table(text), tmp_path / "counters.duckdb")
    assert str(refusal.value).startswith(f"error: {told}")
    assert not (tmp_path / "counters.duckdb").exists()


def test_a_percentage_lies_between_0_and_100(table: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(UsageRefusal, match=r"values from 0.5 to 101, the measure 'copying' has 0 to 100"):
        heads_into(table("layer,head,value\n0,0,.5\n0,1,101\n"), tmp_path / "counters.duckdb", unit="%")


@pytest.mark.parametrize(
    ("bands", "told"),
    [
        ("0,.4,.2,1", "0.2 follows 0.4"),
        ("0,.5,.5,1", "0.5 follows 0.5"),
        ("0", "edges '0'"),
        ("a,b", "edges 'a,b' are not numbers"),
        ("0,inf", "edges '0,inf'"),
        ("0,.5", "the value 1 lies outside the bands 0 to 0.5"),
    ],
)
def test_bands_that_leave_a_value_out_or_do_not_ascend_are_refused(
    table: Callable[[str], Path], tmp_path: Path, bands: str, told: str
) -> None:
    with pytest.raises(UsageRefusal) as refusal:
        heads_into(table(HEADS), tmp_path / "counters.duckdb", bands=bands)
    assert str(refusal.value).startswith(f"error: {told} (--bands)")


def test_published_counts_are_kept_as_they_are(table: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "counters.duckdb"
    assert counts_into(table(COUNTS), out, model_heads=12) is True
    assert counts_into(table(COUNTS), out, model_heads=12) is False
    columns = "figure, title, source, model_heads, range_label, band_colour, heads"
    rows = ask(out, f"select {columns} from published_count order by range_ordinal, band_ordinal")
    assert rows[0] == ("fig", "A title", "Somebody", 12, "[0, 2)", "green", 2)
    assert [row[-1] for row in rows] == [2, 0, 1, 3]
    assert ask(out, "select run_id, kind, title, layers, shards from run") == [("fig", "imported", "A title", None, 0)]
    with pytest.raises(DatabaseRefusal, match="differs in title"):
        counts_into(table(COUNTS), out, title="Another", model_heads=12)
    with pytest.raises(DatabaseRefusal, match="differs in another table or other options"):
        counts_into(table(COUNTS.replace("green,2", "green,5")), out, model_heads=12)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (COUNTS.replace("heads", "count"), "columns figure"),
        (COUNTS.replace("red,3", "red,x"), "heads is 'x' (table.csv, line 5)"),
        (COUNTS.replace("fig,1", "gif,1"), "a second figure, 'gif' (table.csv, line 4)"),
        (COUNTS.replace("fig,", "a/b,"), "name 'a/b' cannot be used"),
        (COUNTS + 'fig,1,"[2, 4)",2,4,1,red,3\n', "range 1, band 1 stands twice (table.csv, line 6)"),
        (COUNTS + 'fig,2,"[4, 6)",4,6,0,green,3\n', "range 2 has no band 1"),
        (COUNTS.replace("1,red,3", "1,blue,3"), "band 1 has more than one band_colour"),
        (COUNTS.replace('"[2, 4)",2,4,1', '"[2, 5)",2,5,1'), "range 1 has more than one range_label or first_layer or end_layer"),
        (COUNTS.replace("2,4,", "1,4,"), "the layer ranges [0, 2) and [1, 4) overlap"),
        (COUNTS.replace("2,4,", "3,4,"), "the layer ranges [0, 2) and [3, 4) leave a gap"),
        (COUNTS.replace("2,4,", "2,2,"), "the layer range [2, 2) is empty"),
    ],
)
def test_counts_that_form_no_grid_are_refused(table: Callable[[str], Path], tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageRefusal) as refusal:
        counts_into(table(text), tmp_path / "counters.duckdb")
    assert str(refusal.value).startswith(f"error: {told}")


def test_a_model_has_at_least_the_heads_that_are_shown(table: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(UsageRefusal, match="the table counts 6 heads, the model has 5"):
        counts_into(table(COUNTS), tmp_path / "counters.duckdb", model_heads=5)


def test_a_table_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"layer,head,value\n0,0,\xe9\n")
    for path, told in (
        (tmp_path / "absent.csv", "No such file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "latin.csv", "not UTF-8 at byte 21"),
    ):
        with pytest.raises(Refusal, match=told):
            heads_into(path, tmp_path / "counters.duckdb")


def test_importing_loads_neither_torch_nor_transformers(table: Callable[[str], Path], tmp_path: Path) -> None:
    code = f"""
import sys
from extract.__main__ import main
options = ["--run", "R", "--measure", "m", "--unit", "share", "--source", "s"]
assert main(["import-heads", {str(table(HEADS))!r}, "--into", {str(tmp_path / "c.duckdb")!r}, *options]) == 0
sys.exit(any(name in sys.modules for name in ("torch", "transformers", "report")))"""
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0
