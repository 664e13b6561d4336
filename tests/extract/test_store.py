"""The store: one writer, snapshots for readers, and no way to lose rows."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from disk_steps import watch

from extract.errors import DatabaseRefusal, EnvironmentRefusal
from extract.measures import Measure
from extract.rows import shard_rows
from extract.store import Store
from extract.sums import HISTOGRAM_EDGES, ShardSums

ROOT = Path(__file__).parents[2]


def run_row(name: str) -> dict[str, pa.Table]:
    return {"run": pa.Table.from_pylist([{"run_id": name, "kind": "measured", "title": name}])}


def shard_row(name: str, shard: int) -> dict[str, pa.Table]:
    return {"shard": pa.Table.from_pylist([{"run_id": name, "shard": shard, "windows": 1, "scored_tokens": 3, "status": "committed"}])}


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(query).fetchall()


def test_every_table_and_column_keeps_its_comment_and_constraints_in_the_snapshot(out: Path) -> None:
    with Store(out) as store:
        store.publish()
    assert ask(out, "select table_name from duckdb_tables() where comment is null") == []
    assert ask(out, "select table_name, column_name from duckdb_columns() where not internal and comment is null") == []
    with duckdb.connect(str(out)) as con, pytest.raises(duckdb.ConstraintException):
        con.execute("insert into shard_stat values ('r', 0, 0, 0, 'm', 1, 'nan', 0)")


def test_the_snapshot_has_the_storage_format_that_older_clients_open(out: Path) -> None:
    with Store(out) as store:
        store.publish()
    assert ask(out, "select tags['storage_version'] from duckdb_databases() where not internal") == [("v1.0.0+",)]


def test_duckdb_writes_without_a_thread_of_its_own(out: Path) -> None:
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("threads are listed by Linux alone")
    before = {task.name for task in tasks.iterdir()}
    with Store(out) as store:
        store.add(run_row("a") | shard_row("a", 0))
        store.publish()
        assert {task.name for task in tasks.iterdir()} <= before


def test_a_transaction_leaves_all_of_its_rows_or_none(out: Path) -> None:
    with Store(out) as store:
        with pytest.raises(duckdb.ConstraintException):
            store.add(run_row("a") | {"shard": pa.Table.from_pylist([{"run_id": "a", "shard": 0}])})
        assert store.run("a") is None
        store.add(run_row("a") | shard_row("a", 0))
        assert store.shards("a") == {0}


def test_a_value_that_is_not_finite_never_enters(out: Path) -> None:
    sums = ShardSums(1, 1)
    sums.stats["m"] = (np.ones((1, 1), dtype=np.int64), np.full((1, 1), np.inf), np.ones((1, 1)))
    with Store(out) as store:
        with pytest.raises(duckdb.ConstraintException):
            store.add(shard_rows("a", 0, 1, 3, sums))
        assert store.shards("a") == set()


def test_sums_and_histograms_come_back_as_they_went_in_without_empty_bins(out: Path) -> None:
    sums = ShardSums(2, 3)
    numbers = np.arange(6).reshape(2, 3)
    sums.add("m", numbers + 1, numbers / 7, numbers**2 / 49)
    bins = np.zeros((2, 3, len(HISTOGRAM_EDGES) - 1), dtype=np.int64)
    bins[1, 2, 5] = 4
    sums.add_histogram("relative_norm", bins)
    with Store(out) as store:
        store.add(run_row("a") | shard_rows("a", 3, 1, 3, sums))
        store.publish()
    stats = ask(out, "select layer, head, n, total, total_of_squares from shard_stat where shard = 3 order by all")
    assert stats == [(i // 3, i % 3, i + 1, i / 7, i**2 / 49) for i in range(6)]
    assert ask(out, "from shard_histogram") == [("a", 3, "relative_norm", 1, 2, 5, 4)]


def test_a_snapshot_is_on_the_disk_before_it_takes_the_place_of_the_counters_file_and_the_folder_after(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = watch(monkeypatch)
    with Store(out) as store:
        store.publish()
    assert steps == ["synced counters.duckdb.snapshot", "counters.duckdb.snapshot becomes counters.duckdb", f"synced {out.parent.name}"]


def test_a_snapshot_is_readable_while_the_next_rows_are_written(out: Path) -> None:
    with Store(out) as store:
        store.add(run_row("a") | shard_row("a", 0))
        store.publish()
        with duckdb.connect(str(out), read_only=True) as reader:
            store.add(shard_row("a", 1))
            store.publish()
            assert reader.execute("select count(*) from shard").fetchall() == [(1,)]
        assert ask(out, "select count(*) from shard") == [(2,)]
    assert sorted(path.name for path in out.parent.iterdir()) == ["counters.duckdb", "counters.duckdb.work"]


def test_nothing_is_published_twice_or_more_often_than_asked(out: Path) -> None:
    with Store(out) as store:
        store.publish()
        before = out.stat().st_ino
        store.publish()
        store.add(run_row("a"))
        store.publish(every=3600.0)
        assert out.stat().st_ino == before
        store.publish()
        assert out.stat().st_ino != before


def test_the_working_file_is_made_again_from_the_counters_file(out: Path) -> None:
    with Store(out) as store:
        store.add(run_row("a") | shard_row("a", 0))
        store.publish()
    store.work.unlink()
    with Store(out) as store:
        assert store.shards("a") == {0}
        assert not store.unpublished()


def test_an_empty_working_file_that_a_killed_process_left_is_made_again(out: Path) -> None:
    with Store(out) as store:
        store.add(run_row("a") | shard_row("a", 0))
        store.publish()
    store.work.write_bytes(b"")
    with Store(out) as store:
        assert store.shards("a") == {0}


def test_an_empty_working_file_that_another_process_has_locked_is_left_to_it(out: Path) -> None:
    work = out.with_name("counters.duckdb.work")
    work.parent.mkdir()
    code = f"import fcntl; file = open({str(work)!r}, 'w'); fcntl.lockf(file, fcntl.LOCK_EX); print('locked', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(DatabaseRefusal, match=r"not a DuckDB file \(it is empty\)"):
            Store(out)
        assert work.exists()
        other.communicate("\n")


def test_a_counters_file_with_rows_of_somebody_else_is_never_replaced(out: Path) -> None:
    with Store(out) as store:
        store.add(run_row("mine"))
    with Store(out.with_name("other.duckdb")) as other:
        other.add(run_row("theirs"))
        other.publish()
    out.with_name("other.duckdb").replace(out)
    with Store(out) as store, pytest.raises(DatabaseRefusal, match=r"holds rows of 'theirs' that counters\.duckdb\.work does not"):
        store.publish()
    assert ask(out, "select run_id from run") == [("theirs",)]


def test_a_second_writer_fails_at_once_and_is_told_who_is_there(out: Path) -> None:
    with Store(out):
        code = f"from pathlib import Path; from extract.store import Store; Store(Path({str(out)!r}))"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert f"EnvironmentRefusal: error: process {os.getpid()} has the file open (counters.duckdb.work)" in done.stderr


def test_a_counters_file_that_another_process_writes_is_not_replaced_under_it(out: Path) -> None:
    with Store(out) as store:
        store.publish()
        store.add(run_row("a"))
        code = f"import duckdb; con = duckdb.connect({str(out)!r}); print('open', flush=True); input()"
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "open\n"
            with pytest.raises(EnvironmentRefusal, match=f"process {other.pid} has the file open"):
                store.publish()
            other.communicate("\n")
        store.publish()
    assert ask(out, "select run_id from run") == [("a",)]


def test_a_measure_means_one_thing_in_a_file(out: Path) -> None:
    measure = Measure("m", "M", "share", 0.0, 1.0, "What it is.", "Somewhere")
    with Store(out) as store:
        store.add(store.measure_rows([measure]))
        assert store.measure_rows([Measure("m", "Other words", "share", 0.0, 1.0, "Said otherwise.", "Somewhere")]) == {}
        with pytest.raises(DatabaseRefusal, match="measure 'm' is in the file with another position_low"):
            store.measure_rows([Measure("m", "M", "share", 0.0, 1.0, "What it is.", "Somewhere", position_low=2)])


def large(shard: int) -> dict[str, pa.Table]:
    """A shard of GPT-2 xl's size: more rows than DuckDB puts into its log."""
    sums = ShardSums(48, 25)
    for number in range(11):
        sums.add(f"m{number}", np.full((48, 25), 7), np.full((48, 25), float(shard)), np.ones((48, 25)))
    return shard_rows("a", shard, 1, 7, sums)


@pytest.mark.parametrize("cut", [0, 1])
def test_large_shards_of_a_process_that_was_killed_are_there_whole_but_for_one_that_the_log_lost(out: Path, cut: int) -> None:
    code = (
        f"import os, sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_store as t; s = t.Store(t.Path({str(out)!r}))\n"
        "for shard in range(3): s.add(t.large(shard))\nos._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 9
    log = out.with_name(out.name + ".work.wal")
    # The rows themselves lie in the working file.
    assert 0 < log.stat().st_size < 100_000
    if cut:
        os.truncate(log, log.stat().st_size - 1)
    with Store(out) as store:
        assert store.shards("a") == set(range(3 - cut))
        counts = (
            "select shard, count(*) as rows, min(total) = shard and max(total) = shard as own from shard_stat group by shard order by shard"
        )
        assert store.rows(counts) == [{"shard": shard, "rows": 13_200, "own": True} for shard in range(3 - cut)]
        store.add(large(2 if cut else 3))
        store.publish()
    assert ask(out, "select count(*), sum(total) from shard_stat") == [(13_200 * (4 - cut), 13_200.0 * sum(range(4 - cut)))]
