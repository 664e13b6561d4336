"""Readers beside a run that publishes at every shard, a notebook left open, and a second writer of every kind."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_runs import shards, tables, warm_checkpoint, write_run  # noqa: F401
from warm import ROOT, SEED, Running, start

from extract.store import Store

TITLE = "Readers and writers at the same time"
Record = Callable[[str, str], None]

# Opens the file again and again until it is told to stop; says how often, or what was wrong.
READER = """
import sys, time
from pathlib import Path
import duckdb
counters, stop, opened, most = Path(sys.argv[1]), Path(sys.argv[2]), 0, 0
while not stop.exists():
    if not counters.exists():
        time.sleep(0.005)
        continue
    with duckdb.connect(str(counters), read_only=True) as connection:
        whole = connection.execute("select count(*), count(distinct rows) from (select shard, (select count(*) from shard_stat "
            "where shard_stat.shard = shard.shard) as rows from shard where shard > 0)").fetchall()[0]
        seen, runs, rows = connection.execute("select (select count(*) from shard), (select count(*) from run), "
            "(select count(distinct shard) from shard_stat)").fetchall()[0]
    opened += 1
    if seen < most or rows != seen or runs != 1 or whole[1] > 1:
        sys.exit(f"torn: {seen} after {most}, {rows}, {runs}, {whole}")
    most = seen
print(opened, most)
"""
# Holds the file open, in the middle of a transaction, and tells what it sees at the end.
NOTEBOOK = """
import sys
import duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("begin")
print(connection.execute("select count(*) from shard").fetchall()[0][0], flush=True)
input()
print(connection.execute("select count(*) from shard_stat join shard using (run_id, shard)").fetchall()[0][0] > 0)
"""
# A command line in a process of its own, and whether torch was loaded.
WITHOUT_TORCH = """
import sys
from extract.__main__ import main
code = main(sys.argv[1:])
sys.exit(99 if "torch" in sys.modules else code)
"""


@pytest.fixture
def run_file(tmp_path: Path, checkpoint: Path, write_text: Callable[..., Path], whole: bool) -> Path:
    return write_run(tmp_path, checkpoint, write_text(900, 900), windows=40 if whole else 8)


def begin(run_file: Path, out: Path, every: float = 0.0) -> Running:
    """A run that publishes at every shard."""
    return start(run_file.with_name("said"), "extract", "run", run_file, "--out", out, PUBLISH_EVERY=str(every))


def wait_for(happened: Callable[[], bool], running: Running) -> None:
    """Until something has happened, while the run goes on."""
    while not happened():
        assert running.process.is_alive(), running.text
        time.sleep(0.005)


def test_readers_see_whole_shards_and_only_ever_more_of_them(run_file: Path, tmp_path: Path, whole: bool, record: Record) -> None:
    out, stop = tmp_path / "results" / "counters.duckdb", tmp_path / "stop"
    command = [sys.executable, "-c", READER, str(out), str(stop)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    running = begin(run_file, out)
    code = running.ended(400)
    stop.touch()
    said = [reader.communicate() for reader in readers]
    assert code == 0, running.text
    assert [reader.returncode for reader in readers] == [0, 0, 0], said
    opens = sum(int(line.split()[0]) for line, _ in said)
    assert opens >= (100 if whole else 10)
    assert shards(out) == (40 if whole else 8)
    for _ in range(opens):
        record("The published file opened while a run publishes at every shard", "every shard whole, never fewer than before")


def test_a_notebook_left_open_in_a_transaction_blocks_nothing(run_file: Path, tmp_path: Path, record: Record) -> None:
    out = tmp_path / "results" / "counters.duckdb"
    running = begin(run_file, out)
    wait_for(out.exists, running)
    command = [sys.executable, "-c", NOTEBOOK, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as notebook:
        assert notebook.stdout is not None
        seen = int(notebook.stdout.readline())
        assert running.ended(400) == 0, running.text
        assert "not published" not in running.text
        assert seen <= shards(out)
        assert notebook.communicate("\n")[0] == "True\n"
    record("A notebook with an open transaction on the published file, through a whole run", "blocks nothing, sees what it saw")


def test_every_other_writer_is_refused_before_it_loads_anything_and_loses_nothing(
    run_file: Path, tmp_path: Path, whole: bool, record: Record
) -> None:
    out, table = tmp_path / "results" / "counters.duckdb", tmp_path / "table.csv"
    table.write_text("layer,head,value\n0,0,0.5\n0,1,0.25\n", encoding="utf-8")
    imported = ["import-heads", str(table), "--into", str(out), "--run", "theirs", "--measure", "m", "--unit", "share", "--source", "s"]
    counts = ["import-counts", str(ROOT / "runs" / "gpt2-xl-published-counts.csv"), "--into", str(out), "--title", "t", "--source", "s"]
    others = {
        "run": ["run", str(run_file), "--out", str(out)],
        "calibrate": ["calibrate", str(run_file), "--quick", "--out", str(out)],
        "import-heads": imported,
        "import-counts": counts,
        "prove": ["prove", "--into", str(out)],
    }
    running = begin(run_file, out)
    wait_for(out.with_name("counters.duckdb.work").exists, running)
    wait_for(lambda: "measuring the held-out" in running.text, running)
    chosen = others if whole else {name: others[name] for name in ("run", "calibrate", "import-heads")}
    beside = [
        subprocess.Popen([sys.executable, "-c", WITHOUT_TORCH, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for arguments in chosen.values()
    ]
    said = [process.communicate()[1] for process in beside]
    assert running.ended(400) == 0, running.text
    for name, process, errors in zip(chosen, beside, said, strict=True):
        assert process.returncode == 5, errors
        assert errors.startswith(f"error: process {running.process.pid} has the file open (counters.duckdb.work); fix: "), errors
        assert errors.count("\n") == 1
        record(f"`{name}` into a file that a run is writing", "refused in one line, exit 5, torch not loaded")
    before = tables(out)
    again = start(tmp_path / "said", "extract", *imported)
    assert again.ended() == 0, again.text
    after = tables(out)
    lost = [name for name, rows in before.items() if not set(rows) <= set(after[name])]
    assert not lost
    assert {row[0] for row in after["run"]} == {"Toy", "theirs"}
    record("The refused import, given again after the run", "both are there")


def test_writers_that_begin_at_the_same_moment_end_one_after_the_other_or_are_refused(tmp_path: Path, whole: bool, record: Record) -> None:
    draw = random.Random(SEED)
    for trial in range(12 if whole else 2):
        out = tmp_path / f"results{trial}" / "counters.duckdb"
        asked = []
        for number in range(4):
            table = tmp_path / f"table{number}.csv"
            table.write_text(f"layer,head,value\n0,0,0.{number + 1}\n", encoding="utf-8")
            words = ("--into", out, "--run", f"r{number}", "--measure", f"m{number}", "--unit", "share", "--source", "s")
            time.sleep(draw.uniform(0, 0.02))
            asked.append(start(tmp_path / f"said{number}", "extract", "import-heads", table, *words))
        codes = [running.ended() for running in asked]
        assert 0 in codes, [running.text for running in asked]
        for number, (code, running) in enumerate(zip(codes, asked, strict=True)):
            assert code in (0, 5), running.text
            assert len(running.errors) == (code == 5), running.text
            with Store(out) as store:
                assert (store.run(f"r{number}") is not None) == (code == 0)
        assert {row[0] for row in tables(out)["run"]} == {f"r{number}" for number, code in enumerate(codes) if code == 0}
        record(
            "Four imports into a new file at the same moment", "those that ended with 0 are all there, the others were refused in one line"
        )
