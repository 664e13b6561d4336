"""Runs: measured for real on a toy model, stopped, killed, continued, and refused."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
import torch

from extract import checkpoint, passes
from extract.attention import measure_windows
from extract.config import RunConfig
from extract.interrupt import Interrupted, Stop
from extract.next_command import typed
from extract.run import measure
from extract.store import Store

ROOT = Path(__file__).parents[2]
TABLES = ("head", "histogram_bin", "measure", "shard", "shard_histogram", "shard_stat", "worked_token", "example_kind", "example")
TABLES += ("example_token", "window_document")


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(query).fetchall()


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    return {table: ask(path, f"from {table} order by all") for table in TABLES} | {
        "run": ask(path, "select * exclude (measured_on) from run")
    }


def test_a_complete_run_is_left_alone_without_loading_torch(
    config: RunConfig, out: Path, write_run_file: Callable[[RunConfig], Path]
) -> None:
    measure(config, out)
    before = out.stat()
    code = f"""
import sys
from extract.__main__ import main
assert main(["run", {str(write_run_file(config))!r}, "--out", {str(out)!r}, "--resume"]) == 0
sys.exit(any(name in sys.modules for name in ("torch", "transformers", "report", "altair")))"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "complete already" in done.stderr
    assert out.stat().st_mtime_ns == before.st_mtime_ns


def test_a_run_that_was_killed_goes_on_to_the_same_tables(
    config: RunConfig, out: Path, tmp_path: Path, write_run_file: Callable[[RunConfig], Path]
) -> None:
    measure(config, out)
    killed = tmp_path / "killed" / "counters.duckdb"
    # The process kills itself with the signal that nothing can catch, in the middle of its third shard's commit.
    code = f"""
import os, signal
from pathlib import Path
from extract.config import read
from extract.run import measure
from extract.store import Store
class Killed(Store):
    def add(self, rows):
        if self.shards("Toy") == {{0, 1}}:
            self.con.execute("begin")
            os.kill(os.getpid(), signal.SIGKILL)
        super().add(rows)
import extract.run
extract.run.Store = Killed
measure(read(Path({str(write_run_file(config))!r})), Path({str(killed)!r}))"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert not killed.exists()
    with Store(killed) as store:
        assert store.shards("Toy") == {0, 1}
    measure(config, killed, must_resume=True)
    assert contents(killed) == contents(out)


def test_ctrl_c_drops_the_shard_at_hand_publishes_the_others_and_says_how_to_go_on(
    config: RunConfig, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = passes.measure_shard, []

    def interrupted(*arguments: object) -> tuple[object, ...]:
        calls.append(arguments)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGTERM)
        return real(*arguments)

    monkeypatch.setattr(passes, "measure_shard", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as stopped:
        measure(config, out, command="python -m extract run toy.toml --resume")
    assert stopped.value.exit_code == 130
    assert (
        str(stopped.value)
        == f"error: interrupted; 2 of 4 shards are kept ({out}); fix: resume with: python -m extract run toy.toml --resume"
    )
    assert signal.getsignal(signal.SIGTERM) is before
    assert ask(out, "select shard from shard order by all") == [(0,), (1,)]
    monkeypatch.undo()
    monkeypatch.setenv("HEADCOUNT_CACHE", str(tmp_path / "cache"))
    measure(config, out)
    whole = tmp_path / "whole.duckdb"
    measure(config, whole)
    assert contents(out) == contents(whole)


def test_a_signal_during_a_commit_waits_for_its_end() -> None:
    reached = []
    with Stop() as stop, pytest.raises(KeyboardInterrupt), stop.held():
        signal.raise_signal(signal.SIGINT)
        reached.append("the end of the commit")
    assert reached == ["the end of the commit"]


def test_a_second_signal_does_not_tear_what_the_first_one_puts_in_order() -> None:
    reached = []
    with Stop(), pytest.raises(KeyboardInterrupt):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            signal.raise_signal(signal.SIGINT)
            reached.append("the end of the publishing")
            raise
    assert reached == ["the end of the publishing"]


def test_a_signal_that_a_library_swallowed_is_obeyed_by_the_next_commit() -> None:
    with Stop() as stop, pytest.raises(KeyboardInterrupt):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with stop.held():
            pass


def test_a_real_process_stops_on_sigterm_with_exit_130(config: RunConfig, out: Path, write_run_file: Callable[[RunConfig], Path]) -> None:
    many = RunConfig("Toy", config.model, config.corpus, window=4, windows=200, shards=200)
    log = out.with_name("counters.duckdb.work.wal")
    command = [sys.executable, "-m", "extract", "run", str(write_run_file(many)), "--out", str(out)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("measuring"):
                # Some shards are committed once DuckDB's log has grown.
                while process.poll() is None and not (log.exists() and log.stat().st_size > 20_000):
                    time.sleep(0.01)
                # Once per line: whoever sends it twice, or three times, is told the same.
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 130, lines
    assert lines[-1].startswith("error: interrupted; ")
    assert lines[-1].endswith(f"resume with: {typed('extract', 'run', str(write_run_file(many)), '--out', str(out))}\n")
    ((kept,),) = ask(out, "select count(*) from shard")
    assert 0 < int(str(kept)) < 200
    assert f"{kept} of 200 shards are kept" in lines[-1]


def test_the_batch_is_halved_until_it_fits_and_recorded(
    config: RunConfig, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import extract.attention

    def scarce(model: torch.nn.Module, tokens: torch.Tensor, *rest: object, **options: object) -> None:
        if tokens.numel() > 64:
            raise torch.OutOfMemoryError
        measure_windows(model, tokens, *rest, **options)

    monkeypatch.setattr(extract.attention, "measure_windows", scarce)
    halved = RunConfig(**{**vars(config), "batch": 8, "shards": 2})
    measure(halved, out)
    assert ask(out, "select batch_windows from run") == [(2,)]
    assert ask(out, "select windows, scored_tokens from shard") == [(5, 155), (5, 155)]
    assert "out of GPU memory: going on with 2 windows per pass" in capsys.readouterr().err
    monkeypatch.undo()
    # A pass that was given up has left no examples behind.
    whole = out.with_name("whole.duckdb")
    measure(RunConfig(**{**vars(halved), "batch": 2}), whole)
    assert ask(out, "from example order by all") == ask(whole, "from example order by all")


def test_runs_one_after_the_other_load_a_model_that_they_share_once_and_measure_the_same(
    config: RunConfig, out: Path, tmp_path: Path, make_checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(config, name="Other", model=str(make_checkpoint("llama", "other-model")))
    runs = [config, replace(config, name="Shorter", window=16), other, replace(config, name="Again")]
    for run in runs:
        measure(run, tmp_path / "apart.duckdb")
    loaded, real = [], checkpoint.load
    monkeypatch.setattr(checkpoint, "load", lambda opened, *rest: loaded.append(opened.located.name) or real(opened, *rest))
    measure(runs, out)
    assert loaded == ["toy-model", "other-model", "toy-model"]
    assert contents(out) == contents(tmp_path / "apart.duckdb")
