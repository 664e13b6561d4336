"""Files of an older schema: version 3 gives its place to a file of today's, and is kept; what is older still is refused."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from disk_steps import watch

from extract.config import RunConfig
from extract.errors import DatabaseRefusal, EnvironmentRefusal
from extract.migrate import our_tables
from extract.run import measure
from extract.store import Store

ROOT = Path(__file__).parents[2]
OLD_SCHEMA = ROOT / "tests" / "data" / "schema-3.sql"


def older_copy(path: Path, target: Path, storage: str) -> Path:
    """A file of version 3 with the rows of a file of today's."""
    with duckdb.connect() as con:
        con.execute(f"attach '{path}' as today (read_only)")
        con.execute(f"attach '{target}' as old (storage_version '{storage}')")
        con.execute("use old")
        con.execute(OLD_SCHEMA.read_text(encoding="utf-8"))
        for table in our_tables() - {"quarantine", "schema_version"}:
            con.execute(f"insert into old.{table} by name from today.{table}")
        con.execute("insert into schema_version values (3)")
        con.execute("use memory")
        con.execute("detach old")
    return target


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(path), read_only=True) as con:
        names = [name for (name,) in con.execute("select table_name from duckdb_tables() order by all").fetchall()]
        return {name: con.execute(f"from {name} order by all").fetchall() for name in names if name != "schema_version"}


@pytest.fixture
def today(config: RunConfig, tmp_path: Path) -> Path:
    """A finished toy run in a file of today's schema."""
    path = tmp_path / "today" / "counters.duckdb"
    measure(config, path)
    return path


@pytest.mark.parametrize("with_work", [True, False])
def test_a_file_of_version_3_gives_its_place_to_one_of_today_and_is_kept(
    config: RunConfig, today: Path, out: Path, with_work: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    out.parent.mkdir()
    old = older_copy(today, out, "v1.0.0").read_bytes()
    work = out.with_name("counters.duckdb.work")
    old_work = older_copy(today, work, "latest").read_bytes() if with_work else b""
    measure(config, out, must_resume=True)
    told = capsys.readouterr().err
    assert "counters.duckdb was of an older schema: it is of version 4 now, and the old file is kept as counters.duckdb.v3\n" in told
    assert "complete already" in told
    assert contents(out) == contents(today) == contents(work)
    assert contents(out)["quarantine"] == []
    assert (out.parent / "counters.duckdb.v3").read_bytes() == old
    kept = {"counters.duckdb", "counters.duckdb.v3", "counters.duckdb.work"} | ({"counters.duckdb.work.v3"} if with_work else set())
    assert {path.name for path in out.parent.iterdir()} == kept
    if with_work:
        assert (out.parent / "counters.duckdb.work.v3").read_bytes() == old_work
    # It is migrated once.
    measure(config, out, must_resume=True)
    assert "older schema" not in capsys.readouterr().err


def test_what_the_log_of_an_older_working_file_holds_is_migrated_with_it(today: Path, out: Path) -> None:
    out.parent.mkdir()
    work = older_copy(today, out.with_name("counters.duckdb.work"), "latest")
    # Killed between a commit and the checkpoint.
    code = f"""
import duckdb, os
con = duckdb.connect({str(work)!r})
con.execute("insert into planted_score values ('1', 'gpt2', 'prose', 0, 0, 'sink', 'sink_mass', 1, 1.0)")
os.kill(os.getpid(), 9)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert out.with_name("counters.duckdb.work.wal").exists()
    with Store(out) as store:
        assert len(store.rows("from planted_score")) == 1
        assert len(store.shards("Toy")) == 4
    assert contents(out.with_name("counters.duckdb.work.v3"))["planted_score"] == contents(work)["planted_score"]
    assert not out.with_name("counters.duckdb.work.v3.wal").exists()


def test_a_migration_that_was_killed_is_made_again_and_keeps_the_old_file_once(today: Path, out: Path) -> None:
    out.parent.mkdir()
    old = older_copy(today, out, "v1.0.0").read_bytes()
    # It was killed when the new file was half written, and again when the old one had its second name.
    out.with_name("counters.duckdb.migrating").write_bytes(today.read_bytes()[:5000])
    out.with_name("counters.duckdb.v3").hardlink_to(out)
    Store(out).close()
    assert contents(out) == contents(today)
    assert out.with_name("counters.duckdb.v3").read_bytes() == old
    assert {path.name for path in out.parent.iterdir()} == {"counters.duckdb", "counters.duckdb.v3", "counters.duckdb.work"}


def test_the_new_file_is_on_the_disk_before_it_takes_the_place_of_the_old_one_and_the_folder_after(
    today: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out.parent.mkdir()
    older_copy(today, out, "v1.0.0")
    steps = watch(monkeypatch)
    Store(out).close()
    assert steps == ["synced counters.duckdb.migrating", "counters.duckdb.migrating becomes counters.duckdb", f"synced {out.parent.name}"]


def test_an_earlier_kept_file_is_never_overwritten(today: Path, out: Path) -> None:
    out.parent.mkdir()
    out.with_name("counters.duckdb.v3").write_bytes(b"another")
    old = older_copy(today, out, "v1.0.0").read_bytes()
    Store(out).close()
    assert out.with_name("counters.duckdb.v3").read_bytes() == b"another"
    assert out.with_name("counters.duckdb.v3-2").read_bytes() == old


@pytest.mark.parametrize("version", [1, 2])
def test_versions_before_3_are_refused_and_left_alone(today: Path, out: Path, version: int) -> None:
    out.parent.mkdir()
    older_copy(today, out, "v1.0.0")
    with duckdb.connect(str(out)) as con:
        con.execute("update schema_version set version = ?", [version])
    before = out.read_bytes()
    with pytest.raises(DatabaseRefusal, match=f"schema version {version}, older than 4 .*fix: choose another file and measure again"):
        Store(out)
    assert out.read_bytes() == before


def test_a_damaged_older_file_is_refused_and_stays_in_its_place(today: Path, out: Path) -> None:
    out.parent.mkdir()
    spoiled = bytearray(older_copy(today, out, "v1.0.0").read_bytes())
    spoiled[-100_000] ^= 1
    out.write_bytes(spoiled)
    with pytest.raises(DatabaseRefusal, match="damaged at block"):
        Store(out)
    assert out.read_bytes() == spoiled
    assert {path.name for path in out.parent.iterdir()} == {"counters.duckdb", "counters.duckdb.work"}


def test_a_counters_file_is_left_alone_while_another_process_holds_the_working_file(today: Path, out: Path) -> None:
    out.parent.mkdir()
    old = older_copy(today, out, "v1.0.0").read_bytes()
    code = f"import duckdb; con = duckdb.connect({str(out) + '.work'!r}); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(EnvironmentRefusal, match=f"process {holder.pid} has the file open"):
            Store(out)
        holder.communicate("\n")
    assert out.read_bytes() == old
    assert not out.with_name("counters.duckdb.v3").exists()


def test_where_there_are_no_links_the_old_file_is_copied_and_stays_locked_meanwhile(
    today: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out.parent.mkdir()
    work = out.with_name("counters.duckdb.work")
    old = older_copy(today, work, "latest").read_bytes()
    tried = []

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    def write_first(path: Path) -> None:
        code = f"import duckdb; duckdb.connect({str(work)!r})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        tried.append((path.name, "Could not set lock" in done.stderr))

    monkeypatch.setattr("os.link", no_links)
    monkeypatch.setattr("extract.migrate.sync", write_first)
    Store(out).close()
    assert ("counters.duckdb.work.v3", True) in tried
    assert out.with_name("counters.duckdb.work.v3").read_bytes() == old


def test_an_old_file_that_cannot_be_kept_stays_where_it_is(today: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out.parent.mkdir()
    old = older_copy(today, out, "v1.0.0").read_bytes()

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("os.link", no_links)
    # What copies it fails, as on a full disk.
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(EnvironmentRefusal, match="the old file cannot be kept: no reason given"):
        Store(out)
    assert out.read_bytes() == old
    assert {path.name for path in out.parent.iterdir()} == {"counters.duckdb", "counters.duckdb.work"}
