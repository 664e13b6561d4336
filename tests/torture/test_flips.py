"""Flipped bits and cuts in databases and their log: refused in one line, or without any effect; never a wrong number."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from damaging import SEED, Contents, Record, check, contents, cuts, flipped, flips
from flip_toys import damaged_copies, finished_toy, flipped_toy  # noqa: F401

from extract.database_file import LogRefusal
from extract.errors import DatabaseRefusal, Refusal
from extract.store import Store
from extract.wal import torn_bytes
from report import verify
from report.errors import Refusal as ReportRefusal

TITLE = "Flipped bits and cut files: databases"
ROOT = Path(__file__).parents[2]
EQUAL = "no effect: every table is as without it"
REFUSED = "refused in one line, exit code 7"


def judge(told: Refusal | ReportRefusal | None, found: Contents | None, untouched: Contents) -> str:
    """How a trial on a database ended."""
    if told is not None:
        return REFUSED if told.exit_code == 7 and len(str(told).splitlines()) == 1 else f"LET IN: as exit code {told.exit_code}"
    return EQUAL if found == untouched else "LET IN: other rows"


@pytest.mark.parametrize(("damage", "name"), [(flips, "a bit flipped"), (cuts, "cut off")])
def test_a_damaged_counters_file_is_refused_by_a_build_or_read_as_if_it_were_whole(
    finished: Path, tmp_path: Path, trials: int, record: Record, damage: Callable[..., object], name: str
) -> None:
    untouched, path = contents(finished / "counters.duckdb"), tmp_path / "counters.duckdb"
    for content in damage((finished / "counters.duckdb").read_bytes(), trials, SEED):
        path.write_bytes(content)
        told = found = None
        try:
            verify.verify(path)
            found = contents(path)
        except ReportRefusal as refusal:
            told = refusal
        check(record, f"Counters file, {name}: `report build`", judge(told, found, untouched))
        assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["counters.duckdb", "counters.duckdb.work"])
def test_a_run_does_not_go_on_with_a_damaged_file(finished: Path, tmp_path: Path, trials: int, record: Record, name: str) -> None:
    untouched = contents(finished / "counters.duckdb")
    for number, content in enumerate(flips((finished / name).read_bytes(), trials, SEED + 1)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_bytes(content)
        told = found = None
        try:
            with Store(folder / "counters.duckdb") as store:
                store.publish()
            found = contents(folder / "counters.duckdb")
        except Refusal as refusal:
            told = refusal
            assert (folder / name).read_bytes() == content
        check(
            record,
            f"{'Working' if name.endswith('work') else 'Counters'} file, a bit flipped: a run goes on",
            judge(told, found, untouched),
        )
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def killed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working file and its log, left by a writer that was killed after three commits, before a checkpoint."""
    folder = tmp_path_factory.mktemp("killed")
    code = f"""
import os, sys
from pathlib import Path
import duckdb
from extract.store import Store
from extract.wal import torn_bytes
there = duckdb.connect({str(finished / "counters.duckdb")!r}, read_only=True)
names = [name for (name,) in there.execute("select table_name from duckdb_tables() order by all").fetchall()]
rows = lambda table, where: there.sql(f"from {{table}} {{where}}").to_arrow_table()
by_shard = ("shard", "shard_stat", "shard_histogram", "example")
once = {{name: rows(name, "") for name in names if name not in (*by_shard, "schema_version")}}
once = {{name: table for name, table in once.items() if table.num_rows}}
store = Store(Path({str(folder / "counters.duckdb")!r}))
for shard in range(3):
    store.add((once if shard == 0 else {{}}) | {{name: rows(name, f"where shard = {{shard}}") for name in by_shard}})
os.kill(os.getpid(), 9)"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == -9
    assert {path.name for path in folder.iterdir()} == {"counters.duckdb.work", "counters.duckdb.work.wal"}
    return folder


def opened(out: Path, salvage: bool = False) -> Contents:
    with Store(out, salvage) as store:
        names = [
            str(row["table_name"]) for row in store.rows("select table_name from duckdb_tables() where database_name = 'work' order by all")
        ]
        return {name: [tuple(row.values()) for row in store.rows(f"from {name} order by all")] for name in names}


@pytest.mark.parametrize(("damage", "name"), [(flips, "a bit flipped"), (cuts, "cut off")])
def test_a_damaged_log_is_refused_or_told_of_and_never_thrown_away(
    finished: Path,
    killed: Path,
    tmp_path: Path,
    trials: int,
    record: Record,
    damage: Callable[..., object],
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    untouched = contents(finished / "counters.duckdb")
    log = (killed / "counters.duckdb.work.wal").read_bytes()
    contained = list(damage(log, trials, SEED + 2))
    if damage is flips:
        # The log's opening and its first entry, of which few are met by chance: where they are wrong, DuckDB takes it for an empty one.
        contained += [flipped(log, bit) for bit in range(0, 64 * 8, 5 if trials > 6 else 37)]
    for number, content in enumerate([log, *contained]):
        folder = tmp_path / f"{number}"
        shutil.copytree(killed, folder)
        out = folder / "counters.duckdb"
        (folder / "counters.duckdb.work.wal").write_bytes(content)
        outcome = _open_with_log(out, content, untouched, capsys, name)
        if content == log:
            assert outcome == EQUAL
        else:
            check(record, f"Log of a killed writer, {name}", outcome)
        shutil.rmtree(folder)


def _open_with_log(out: Path, content: bytes, untouched: Contents, capsys: pytest.CaptureFixture[str], name: str) -> str:
    work, log = out.with_name("counters.duckdb.work"), out.with_name("counters.duckdb.work.wal")
    before = work.read_bytes()
    try:
        found = opened(out)
    except LogRefusal as refusal:
        assert "--salvage" in str(refusal) and len(str(refusal).splitlines()) == 1
        assert (log.read_bytes(), work.read_bytes()) == (content, before)
        assert opened(out, salvage=True)["shard"] == []
        (kept,) = out.parent.glob("*.wal.bad-*")
        assert kept.read_bytes() == content
        return "refused; set aside with --salvage, byte for byte"
    except DatabaseRefusal as refusal:
        return f"LET IN: {refusal}"
    if found == untouched:
        return EQUAL
    if torn_bytes(content) == 0 and name == "cut off":
        return "cut between two commits: as if the later ones had never been, and measured again"
    kept = list(out.parent.glob("*.wal.torn-*"))
    if not kept or kept[0].read_bytes() != content:
        return "LOST: in silence"
    assert f"it is kept as {kept[0].name}, and what is missing is measured again" in capsys.readouterr().err
    assert all(set(found[table]) <= set(rows) for table, rows in untouched.items())
    return "told in one line, the log kept; its shards are measured again"
