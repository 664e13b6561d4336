"""Damage that no checksum shows: rows that cannot be are found before anything is made of a file."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from planting import ROOT

from report import figures, publish, verify
from report.errors import DatabaseRefusal

SPOILED = {
    "a run stands twice": "insert into run from run where run_id = 'toy'",
    "a measure stands twice": "insert into measure from measure where id = 'entropy'",
    "a shard stands twice": "insert into shard from shard where shard = 3",
    "a shard has not the windows and tokens that its place in the run gives it": "update shard set scored_tokens = 101 where shard = 2",
    "a shard has no sums": "delete from shard_stat where run_id = 'toy' and shard = 2",
    "sums or examples are of a shard that is not there": "delete from shard where run_id = 'toy' and shard = 2",
    "a shard lacks a measure of text that the run's other shards have": (
        "update measure set condition = 'natural text'; delete from shard_stat where run_id = 'toy' and shard = 5 and measure = 'entropy'"
    ),
    "a run's heads are not complete, each once": "delete from head where run_id = 'toy' and layer = 7 and head = 2",
    "a measure's sums in a shard are not of all heads, each once and over as many values": (
        "delete from shard_stat where run_id = 'toy' and shard = 1 and layer = 7 and head = 2"
    ),
    "a sum is not what the measure's range allows": (
        "update shard_stat set total = 101, total_of_squares = 200 where measure = 'entropy' and shard = 4 and layer = 1"
    ),
    "a head's histogram does not add up to its scored tokens": "update shard_histogram set n = n + 1 where run_id = 'toy' and shard = 4",
    "a histogram of a shard is not of all heads, or has a bin twice": (
        "delete from shard_histogram where run_id = 'toy' and shard = 4 and layer = 3 and head = 1"
    ),
    "a histogram has a bin whose edges are not known, or edges that do not meet": "delete from histogram_bin where bin = 20",
    "a quarantined shard is none of its run's": "insert into quarantine values ('toy', 9, 1, 9, '9', 'entropy', 'entropy is not finite')",
    "a shard is quarantined twice": ("insert into quarantine select 'toy', 7, 1, 7, '7', 'entropy', 'not finite' from range(2)"),
    "a shard lacks a histogram that the run's other shards have": "delete from shard_histogram where kind = 'residual_share' and shard = 3",
    "a calibrated window's histogram of divergences does not add up to its predictions": (
        'delete from intervention_kl where "window" = 1 and bin = (select min(bin) from intervention_kl where "window" = 1)'
    ),
    "a published figure has a cell twice": "insert into published_count from published_count limit 1",
    "a calibrated window has not each of its interventions once": (
        'delete from intervention_window where "window" = 1 and intervention = (select min(intervention) from intervention)'
    ),
}


def test_each_kind_of_impossible_row_is_tried() -> None:
    assert SPOILED.keys() == verify.impossible().keys()


@pytest.mark.parametrize("what", SPOILED)
def test_an_impossible_row_is_found_and_named(counters: Path, change: Callable[[Path, str], None], what: str) -> None:
    verify.verify(counters)
    change(counters, SPOILED[what])
    # Several may see it, and the first one tells: this one must be among them.
    with duckdb.connect(str(counters), read_only=True) as connection:
        assert connection.execute(verify.impossible()[what]).fetchall()
    with pytest.raises(DatabaseRefusal, match=r"damaged: .* \(counters.duckdb\); fix: restore"):
        verify.verify(counters)


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        (
            "update shard_stat set n = 2 * n where measure = 'entropy' and shard = 3 and layer = 1 and head = 1",
            "each once and over as many",
        ),
        (
            "update intervention_window set intervention = 'other' where intervention = (select min(intervention) from intervention)",
            "each of",
        ),
    ],
)
def test_a_finer_damage_of_the_same_kinds_is_found(counters: Path, change: Callable[[Path, str], None], sql: str, what: str) -> None:
    change(counters, sql)
    with pytest.raises(DatabaseRefusal, match=f"damaged: .*{what}"):
        verify.verify(counters)


def test_a_row_of_a_run_that_is_not_there_is_found(counters: Path, change: Callable[[Path, str], None]) -> None:
    change(counters, "update worked_token set run_id = 'another'")
    with pytest.raises(DatabaseRefusal, match="table worked_token has rows of a run that is not there: another"):
        verify.verify(counters)


def test_a_number_that_is_not_finite_is_found_though_its_table_has_no_check(counters: Path, change: Callable[[Path, str], None]) -> None:
    change(counters, "create or replace table worked_token as from worked_token; update worked_token set output_norm = 'nan'")
    with pytest.raises(DatabaseRefusal, match="a number in table worked_token is not finite: toy"):
        verify.verify(counters)


def test_a_file_without_one_of_the_tables_is_refused(counters: Path, change: Callable[[Path, str], None]) -> None:
    change(counters, "drop table head")
    with pytest.raises(DatabaseRefusal, match=r"damaged: table head is missing \(counters.duckdb\); fix: restore"):
        verify.verify(counters)


def test_what_somebody_else_put_into_the_file_is_neither_in_the_way_nor_published(
    counters: Path, change: Callable[[Path, str], None], tmp_path: Path
) -> None:
    change(counters, 'create table "my notes" (note varchar); insert into "my notes" values (\'secret\')')
    change(counters, "create schema mine; create table mine.run (a integer); create view mine.runs as from mine.run")
    change(counters, "alter table measure add column remark varchar")
    verify.verify(counters)
    target = tmp_path / "headcount.duckdb"
    publish.publish(counters, target, figures.load())
    with duckdb.connect(str(target), read_only=True) as connection:
        assert connection.execute("from duckdb_tables() where schema_name <> 'main' or table_name = 'my notes'").fetchall() == []
        undescribed = "select table_name, column_name from duckdb_columns() where not internal and comment is null"
        assert connection.execute(undescribed).fetchall() == [("measure", "remark")]
    assert b"secret" not in target.read_bytes()


def test_the_tables_of_the_counters_are_those_of_the_schema() -> None:
    schema = (ROOT / "extract" / "schema.sql").read_text(encoding="utf-8")
    assert sorted(publish.COUNTERS) == sorted(re.findall(r"create table (\w+)", schema))


def test_a_build_from_a_damaged_file_ends_with_7_and_one_line_and_leaves_the_last_site(counters: Path, tmp_path: Path) -> None:
    whole = counters.read_bytes()
    spoiled = bytearray(whole)
    # In the last block, which no header leads to at once.
    spoiled[-100_000] ^= 16
    counters.write_bytes(spoiled)
    site = tmp_path / "site"
    site.mkdir()
    (site / "facts.json").write_text("{}")
    command = [sys.executable, "-m", "report", "build", str(counters), "--out", str(site), "--publish", str(tmp_path / "h.duckdb")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 7
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert "damaged at block " in line and "(counters.duckdb); fix: restore the file from a backup, or measure again" in line
    assert not (tmp_path / "h.duckdb").exists()
    assert [path.name for path in site.iterdir()] == ["facts.json"]
