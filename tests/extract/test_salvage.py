"""A working file's log that cannot be replayed: refused and left alone, or set aside when that is asked for."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from extract.__main__ import main
from extract.config import RunConfig
from extract.database_file import LogRefusal
from extract.run import measure
from extract.store import Store
from extract.wal import torn_bytes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def killed(config: RunConfig, out: Path, write_run_file: Callable[[RunConfig], Path]) -> Path:
    """The run file of a run of which shard 0 is in the working file, 1 and 2 in its log: its process was killed there."""
    run_file = write_run_file(config)
    code = f"""
import os
from pathlib import Path
from extract.config import read
from extract.run import measure
from extract.store import Store
class Killed(Store):
    def add(self, rows):
        super().add(rows)
        if self.shards("Toy") == {{0}}:
            self.con.execute("checkpoint work")
        if self.shards("Toy") == {{0, 1, 2}}:
            os.kill(os.getpid(), 9)
import extract.run
extract.run.Store = Killed
measure(read(Path({str(run_file)!r})), Path({str(out)!r}))"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == -9
    assert {path.name for path in out.parent.iterdir()} == {"counters.duckdb.work", "counters.duckdb.work.wal"}
    return run_file


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(path), read_only=True) as con:
        names = [name for (name,) in con.execute("select table_name from duckdb_tables() order by all").fetchall()]
        return {name: con.execute(f"from {name} order by all").fetchall() for name in names}


def test_a_damaged_log_is_refused_and_left_alone_and_set_aside_with_salvage(
    config: RunConfig, killed: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work, log = out.with_name("counters.duckdb.work"), out.with_name("counters.duckdb.work.wal")
    spoiled = bytearray(log.read_bytes())
    spoiled[len(spoiled) // 2] ^= 4
    log.write_bytes(spoiled)
    before = work.read_bytes()
    command = ["run", str(killed), "--out", str(out)]
    assert main(command) == 7
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert "damaged: its log cannot be replayed: " in line
    assert "--salvage, which sets the log aside and measures its shards again" in line
    assert (work.read_bytes(), log.read_bytes()) == (before, spoiled)
    assert main([*command, "--salvage"]) == 0
    told = capsys.readouterr().err
    (kept,) = out.parent.glob("counters.duckdb.work.wal.bad-*")
    assert kept.read_bytes() == spoiled
    assert f"warning: the log could not be replayed and is kept as {kept.name}\n" in told
    assert "Toy: 3 of 4 shards are not in the file: 1, 2, 3\n" in told
    whole = tmp_path / "whole" / "counters.duckdb"
    measure(config, whole)
    assert contents(out) == contents(whole)


def test_the_log_of_another_file_is_refused_and_left_alone(killed: Path, out: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "counters.duckdb"
    Store(other).close()
    foreign = shutil.copy(out.with_name("counters.duckdb.work.wal"), other.with_name("counters.duckdb.work.wal"))
    before = Path(foreign).read_bytes()
    with pytest.raises(LogRefusal, match="WAL does not match database file"):
        Store(other)
    assert Path(foreign).read_bytes() == before


def test_a_log_that_was_lost_after_its_shards_were_published_is_not_measured_again(killed: Path, out: Path, tmp_path: Path) -> None:
    # A counters file with the shards of the log, as a snapshot has them.
    copied = tmp_path / "copied" / "counters.duckdb"
    shutil.copytree(out.parent, copied.parent)
    with Store(copied) as store:
        store.publish()
    shutil.copy(copied, out)
    log = out.with_name("counters.duckdb.work.wal")
    spoiled = bytearray(log.read_bytes())
    spoiled[-50] ^= 1
    log.write_bytes(spoiled)
    assert main(["run", str(killed), "--out", str(out), "--salvage"]) == 7
    assert len(contents(out)["shard"]) == 3


def test_a_salvage_of_a_sound_file_changes_nothing(killed: Path, out: Path) -> None:
    with Store(out, salvage=True) as store:
        assert store.salvaged is None
        assert store.shards("Toy") == {0, 1, 2}
    assert not list(out.parent.glob("*.bad-*")) and not list(out.parent.glob("*.torn-*"))


def test_a_log_whose_last_commit_is_cut_off_is_kept_and_said(killed: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = out.with_name("counters.duckdb.work.wal")
    cut = log.read_bytes()[:-1]
    log.write_bytes(cut)
    with Store(out) as store:
        assert store.shards("Toy") == {0, 1}
    (kept,) = out.parent.glob("counters.duckdb.work.wal.torn-*")
    assert kept.read_bytes() == cut
    told = f"bytes of {log.name} are cut off; it is kept as {kept.name}, and what is missing is measured again\n"
    assert told in capsys.readouterr().err


def test_what_is_cut_off_a_log_is_counted_in_bytes(killed: Path, out: Path) -> None:
    log = out.with_name("counters.duckdb.work.wal").read_bytes()
    assert torn_bytes(log) == 0
    assert torn_bytes(b"") == 0
    # Without its last byte, the log lacks the end of its last commit, and so all of that.
    assert 1000 < torn_bytes(log[:-1]) < len(log) / 2 + 1000
    assert torn_bytes(log[: len(log) - 1 - torn_bytes(log[:-1])]) == 0
    assert torn_bytes(log[:20]) == 20
