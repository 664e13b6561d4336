"""Files that the store does not open: each is refused with what it is, and left alone."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from extract.database_file import check_space
from extract.errors import DatabaseRefusal, EnvironmentRefusal, disk_full
from extract.store import Store


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "looks like a Git LFS pointer"),
        (b"<!doctype html><p>not found", "looks like a web page"),
        (b"", "it is empty"),
        (b"name,value\n1,2\n" * 10, "it holds something else"),
    ],
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(out: Path, content: bytes, told: str) -> None:
    out.parent.mkdir()
    out.write_bytes(content)
    with pytest.raises(DatabaseRefusal, match=f"not a DuckDB file \\({told}|not a DuckDB file \\(it {told}"):
        Store(out)
    assert out.read_bytes() == content
    assert list(out.parent.iterdir()) == [out]


def test_a_damaged_or_foreign_or_newer_database_is_refused_and_left_alone(out: Path) -> None:
    with Store(out) as store:
        store.publish()
    store.work.unlink()
    whole = out.read_bytes()
    damage = {"cut": whole[: len(whole) // 2], "overwritten": whole[:20000] + b"x" * 100 + whole[20100:]}
    for kind, content in damage.items():
        path = out.with_name(f"{kind}.duckdb")
        path.write_bytes(content)
        with pytest.raises(DatabaseRefusal, match=f"damaged.*{kind}.duckdb"):
            Store(path)
        assert path.read_bytes() == content
    statements = {
        "create table mine (x int)": "a DuckDB database, but not Headcount's counters",
        "create table extra (x int)": "a published Headcount database, not a counters file",
        "insert into schema_version values (5)": "schema version 5, newer than 4",
    }
    for number, (statement, told) in enumerate(statements.items()):
        path = out.with_name(f"foreign{number}.duckdb")
        if "mine" not in statement:
            path.write_bytes(whole)
        with duckdb.connect(str(path)) as con:
            con.execute(statement)
        before = path.read_bytes()
        with pytest.raises(DatabaseRefusal, match=told):
            Store(path)
        assert path.read_bytes() == before


def test_a_file_of_an_older_schema_says_so_though_its_tables_are_others(out: Path) -> None:
    out.parent.mkdir()
    with duckdb.connect(str(out)) as con:
        con.execute("create table schema_version (version integer not null)")
        con.execute("insert into schema_version values (1)")
    before = out.read_bytes()
    with pytest.raises(DatabaseRefusal) as refusal:
        Store(out)
    told = "schema version 1, older than 4 (counters.duckdb); fix: choose another file and measure again"
    assert str(refusal.value) == f"error: {told}"
    assert out.read_bytes() == before


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(EnvironmentRefusal, match=r"cannot write here: (File exists|Not a directory)"):
        Store(tmp_path / "file" / "counters.duckdb")
    for folder, told in ((str(tmp_path), re.escape(str(tmp_path))), (".", r"\."), ("", r"\."), ("/", "/")):
        with pytest.raises(
            EnvironmentRefusal, match=rf"the output is a folder \({told}\); fix: name a file in it, such as .*counters\.duckdb"
        ):
            Store(Path(folder))
    with pytest.raises(EnvironmentRefusal, match=r"the output is no regular file \(/dev/null\); fix: name a file"):
        Store(Path("/dev/null"))
    with pytest.raises(EnvironmentRefusal, match="cannot write here"):
        Store(Path("/proc/counters.duckdb"))
    with pytest.raises(EnvironmentRefusal, match="are free, the run may need"):
        check_space(tmp_path / "x", 2**62)


def test_a_full_disk_is_told_in_one_line_whatever_library_meets_it(tmp_path: Path) -> None:
    for said in (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "model.safetensors"), RuntimeError("I/O error: No space left on device")):
        refusal = disk_full(said)
        assert refusal is not None
        assert refusal.exit_code == 5
        assert str(refusal).startswith("error: the disk is full (")
    assert disk_full(OSError(errno.EACCES, os.strerror(errno.EACCES))) is None


def test_a_snapshot_that_came_to_nothing_leaves_no_log_that_the_next_one_would_read(tmp_path: Path) -> None:
    out = tmp_path / "counters.duckdb"
    with Store(out) as store:
        for name in ("counters.duckdb.snapshot", "counters.duckdb.snapshot.wal"):
            out.with_name(name).write_bytes(b"left by a process that was killed")
        store.publish()
    assert sorted(path.name for path in tmp_path.glob("counters*")) == ["counters.duckdb", "counters.duckdb.work"]


def killed_while_it_writes_to(path: Path) -> None:
    """Another program has the file open, writes a row to it, and is killed: its log stays behind."""
    code = f"""
import duckdb, os
con = duckdb.connect({str(path)!r})
con.execute("insert into planted_score values ('1', 'gpt2', 'prose', 0, 0, 'sink', 'sink_mass', 1, 1.0)")
os.kill(os.getpid(), 9)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert path.with_name(path.name + ".wal").exists()


def test_a_log_beside_the_counters_file_is_refused_before_it_is_played_into_the_next_one(out: Path) -> None:
    with Store(out) as store:
        store.publish()
    killed_while_it_writes_to(out)
    before = out.read_bytes()
    told = r"another program wrote to it and was stopped: counters\.duckdb\.wal is there \(counters\.duckdb\); fix: open and close it"
    for _ in range(2):
        with pytest.raises(DatabaseRefusal, match=told):
            Store(out)
    assert out.read_bytes() == before
    # As it says: the row is in the file then, and publishing over it is refused.
    duckdb.connect(str(out)).close()
    with Store(out) as store, pytest.raises(DatabaseRefusal, match="holds rows of 'planted heads' that"):
        store.publish()


def test_nobody_can_write_to_the_counters_file_between_the_look_at_it_and_its_replacement(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(out) as store:
        store.publish()
        row = {"family": "gpt2", "text_kind": "prose", "layer": 0, "head": 0, "planted_as": "sink", "measure": "sink_mass"}
        store.add({"planted_score": pa.Table.from_pylist([{"version": "1", **row, "n": 1, "total": 1.0}])})
        tried = []

        def write_first(path: Path) -> None:
            code = f"import duckdb; duckdb.connect({str(out)!r})"
            tried.append((path.name, subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr))

        monkeypatch.setattr("extract.store.sync", write_first)
        store.publish()
    name, said = tried[0]
    assert name == "counters.duckdb.snapshot"
    assert "Could not set lock" in said
