"""Counters and published files of schema version 3: read as today's, and left as they are."""

from pathlib import Path

import duckdb
import pytest
from planting import ROOT

from report import figures, older, publish, verify
from report.comparisons.diff import diff
from report.errors import DatabaseRefusal


@pytest.fixture
def old(planted_counters: Path, tmp_path: Path) -> Path:
    """The planted counters as Headcount wrote them at version 3."""
    path = tmp_path / "old.duckdb"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{planted_counters}' as today (read_only)")
        connection.execute(f"attach '{path}' as old")
        connection.execute("use old")
        connection.execute((ROOT / "tests" / "data" / "schema-3.sql").read_text(encoding="utf-8"))
        names = connection.execute("select table_name from duckdb_tables() where database_name = 'old'").fetchall()
        for (name,) in names:
            connection.execute(f"insert into old.{name} by name from today.{name}")
        connection.execute("update old.schema_version set version = 3")
        connection.execute("use memory")
        connection.execute("detach old")
    return path


def described(connection: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    own = "where not internal and database_name <> 'temp'"
    return connection.execute(
        f"select table_name, column_name, data_type, is_nullable, comment from duckdb_columns() {own} union all "
        f"select table_name, null, null, null, comment from duckdb_tables() {own} order by all"
    ).fetchall()


def test_what_is_added_to_an_older_file_is_what_the_schema_has(old: Path, counters: Path) -> None:
    with duckdb.connect(str(old)) as migrated, duckdb.connect(str(counters)) as today:
        assert described(migrated) != described(today)
        older.complete(migrated)
        assert described(migrated) == described(today)
        assert older.version_of(migrated) == publish.SCHEMA_VERSION
        older.complete(migrated)


def test_an_older_counters_file_is_published_as_todays_and_left_as_it_is(old: Path, published: Path, tmp_path: Path) -> None:
    before = old.read_bytes()
    verify.verify(old)
    publish.publish(old, tmp_path / "headcount.duckdb", figures.load())
    assert old.read_bytes() == before
    tables = "select table_name, estimated_size from duckdb_tables() where not internal order by all"
    with duckdb.connect(str(tmp_path / "headcount.duckdb"), read_only=True) as migrated, duckdb.connect(str(published)) as today:
        assert migrated.execute(tables).fetchall() == today.execute(tables).fetchall()
        for name in ("band_counts", "head_measure", "runs", "schema_version"):
            assert migrated.execute(f"from {name} order by all").fetchall() == today.execute(f"from {name} order by all").fetchall()


def test_an_older_published_file_serves_to_build_from_and_its_site_is_not_checked(old: Path, tmp_path: Path) -> None:
    target = tmp_path / "headcount.duckdb"
    publish.publish(old, target, figures.load())
    with duckdb.connect(str(target)) as connection:
        # As version 3 published it: no table of quarantined shards, and a view that does not ask for it.
        connection.execute("drop view runs; create view runs as select *, 'complete' as status from run")
        connection.execute("drop table quarantine; update schema_version set version = 3")
    again = tmp_path / "again.duckdb"
    publish.publish(target, again, figures.load())
    with duckdb.connect(str(again), read_only=True) as connection:
        assert connection.execute("select count(*) from quarantine").fetchall() == [(0,)]
        assert connection.execute("select distinct status from runs").fetchall() == [("complete",)]
    with pytest.raises(DatabaseRefusal, match=r"schema version 3, older than 4 \(headcount.duckdb\); fix: build its site again: python"):
        publish.refuse_older(target)
    publish.refuse_older(again)


def test_two_runs_of_an_older_file_are_compared(old: Path) -> None:
    with duckdb.connect(str(old)) as connection:
        for table in ("run", "head", "shard", "shard_stat", "shard_histogram"):
            connection.execute(f"insert into {table} select 'again' as run_id, * exclude (run_id) from {table} where run_id = 'toy'")
    assert "toy" in diff(old, "toy", "again")


@pytest.mark.parametrize("version", [1, 2])
def test_versions_before_3_are_refused(old: Path, version: int) -> None:
    with duckdb.connect(str(old)) as connection:
        connection.execute("update schema_version set version = $1", [version])
    with pytest.raises(DatabaseRefusal, match=f"schema version {version}, older than 4"):
        publish.open_counters(old)
