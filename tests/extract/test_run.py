"""Runs: measured for real on a toy model, stopped, killed, continued, and refused."""

import getpass
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
import torch

from extract import run as run_module
from extract.attention import measure_windows
from extract.checkpoint import load, open_checkpoint
from extract.checkpoint_files import locate
from extract.config import RunConfig
from extract.errors import CorpusRefusal, DatabaseRefusal, EnvironmentRefusal, ModelRefusal, UsageRefusal
from extract.interrupt import Interrupted, Stop
from extract.run import measure, save_windows
from extract.store import Store
from extract.sums import ShardSums

ROOT = Path(__file__).parents[2]
TABLES = ("head", "histogram_bin", "measure", "shard", "shard_histogram", "shard_stat", "worked_token")


@pytest.fixture
def config(make_checkpoint: Callable[..., Path], write_text: Callable[..., Path]) -> RunConfig:
    """Ten windows of 32 tokens in four shards, on a random GPT-2 of 2 x 2 heads."""
    return RunConfig("Toy", str(make_checkpoint()), str(write_text(120, 300, 20, 9)), window=32, windows=10, shards=4)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results" / "counters.duckdb"


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(query).fetchall()


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    return {table: ask(path, f"from {table} order by all") for table in TABLES} | {
        "run": ask(path, "select * exclude (measured_on) from run")
    }


def run_file(config: RunConfig, folder: Path) -> Path:
    path = folder / "toy.toml"
    settings = {"name": config.name, "model": config.model, "corpus": config.corpus}
    sizes = {"window": config.window, "windows": config.windows, "shards": config.shards}
    path.write_text("\n".join([f'{k} = "{v}"' for k, v in settings.items()] + [f"{k} = {v}" for k, v in sizes.items()]), encoding="utf-8")
    return path


def test_a_run_holds_what_was_measured_shard_by_shard(
    config: RunConfig, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(config, out)
    assert ask(out, "from shard order by shard") == [("Toy", shard, n, n * 31, "committed") for shard, n in enumerate((2, 3, 2, 3))]
    facts = "model, layers, heads_per_layer, window_tokens, windows, shards, dtype, device, corpus, batch_windows, quantisation, revision"
    assert ask(out, f"select {facts} from run") == [("toy-model", 2, 2, 32, 10, 4, "float32", "cpu", "texts", 2, None, None)]
    assert ask(out, "select layer, head, kv_head from head order by all") == [(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 1)]
    assert ask(out, "select distinct sum(n) from shard_histogram group by kind, layer, head") == [(310,)]
    save_windows(config, tmp_path / "windows.npy")
    windows = np.load(tmp_path / "windows.npy")
    assert (windows.dtype, windows.shape) == (np.int64, (10, 32))
    checkpoint = open_checkpoint(locate(config.model), 32)
    sums = ShardSums(2, 2)
    model = load(checkpoint, "float32", "cpu")
    for part in (windows[2:4], windows[4:5]):
        measure_windows(model, torch.from_numpy(part), sums)
    for name, (n, total, squares) in sums.stats.items():
        rows = ask(out, f"select n, total, total_of_squares from shard_stat where shard = 1 and measure = '{name}' order by layer, head")
        assert rows == list(zip(n.ravel(), total.ravel(), squares.ravel(), strict=True)), name
    told = capsys.readouterr().err
    assert "Toy: 4 heads on 310 tokens" in told
    assert f"next: python -m report build {out}" in told


def test_llama_heads_know_their_key_value_head(config: RunConfig, out: Path, make_checkpoint: Callable[..., Path]) -> None:
    measure(RunConfig("Toy", str(make_checkpoint("llama", "toy-llama")), config.corpus, window=32, windows=2, shards=1), out)
    assert ask(out, "select head, kv_head from head where layer = 1 order by all") == [(0, 0), (1, 0), (2, 1), (3, 1)]


def test_nothing_local_stands_in_the_published_file(config: RunConfig, out: Path, tmp_path: Path) -> None:
    measure(config, out)
    content = out.read_bytes()
    for local in (str(tmp_path), str(Path.home()), str(ROOT), socket.gethostname()):
        assert local.encode() not in content
    # A user called root is a word like others.
    if len(getpass.getuser()) > 4:
        assert getpass.getuser().encode() not in content


def test_a_complete_run_is_left_alone_without_loading_torch(config: RunConfig, out: Path, tmp_path: Path) -> None:
    measure(config, out)
    before = out.stat()
    code = f"""
import sys
from extract.__main__ import main
assert main(["run", {str(run_file(config, tmp_path))!r}, "--out", {str(out)!r}, "--resume"]) == 0
sys.exit(any(name in sys.modules for name in ("torch", "transformers", "report", "altair")))"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "complete already" in done.stderr
    assert out.stat().st_mtime_ns == before.st_mtime_ns


def test_a_run_that_was_killed_goes_on_to_the_same_tables(config: RunConfig, out: Path, tmp_path: Path) -> None:
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
measure(read(Path({str(run_file(config, tmp_path))!r})), Path({str(killed)!r}))"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert not killed.exists()
    with Store(killed) as store:
        assert store.shards("Toy") == {0, 1}
    measure(config, killed, must_resume=True)
    assert contents(killed) == contents(out)


def test_ctrl_c_drops_the_shard_at_hand_publishes_the_others_and_says_how_to_go_on(
    config: RunConfig, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = run_module._shard_sums, []

    def interrupted(*arguments: object) -> tuple[ShardSums, int]:
        calls.append(arguments)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGTERM)
        return real(*arguments)

    monkeypatch.setattr(run_module, "_shard_sums", interrupted)
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


def test_a_real_process_stops_on_sigterm_with_exit_130(config: RunConfig, out: Path, tmp_path: Path) -> None:
    many = RunConfig("Toy", config.model, config.corpus, window=4, windows=200, shards=200)
    log = out.with_name("counters.duckdb.work.wal")
    command = [sys.executable, "-m", "extract", "run", str(run_file(many, tmp_path)), "--out", str(out)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("measuring"):
                # Some shards are committed once DuckDB's log has grown.
                while process.poll() is None and not (log.exists() and log.stat().st_size > 20_000):
                    time.sleep(0.01)
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 130, lines
    assert lines[-1].startswith("error: interrupted; ")
    assert lines[-1].endswith(f"resume with: python -m extract run {run_file(many, tmp_path)} --out {out}\n")
    ((kept,),) = ask(out, "select count(*) from shard")
    assert 0 < int(str(kept)) < 200
    assert f"{kept} of 200 shards are kept" in lines[-1]


def test_another_configuration_under_the_same_name_is_refused_with_what_differs(config: RunConfig, out: Path) -> None:
    measure(config, out)
    for change, told in (
        ({"window": 16}, "window (32, now 16)"),
        ({"dtype": "float64"}, "dtype (float32, now float64)"),
        ({"seed": 1, "batch": 1}, "batch (None, now 1), seed (0, now 1)"),
    ):
        other = RunConfig(**{**vars(config), **change})
        with pytest.raises(DatabaseRefusal) as refusal:
            measure(other, out)
        assert refusal.value.exit_code == 7
        assert (
            str(refusal.value)
            == f"error: run 'Toy' differs in {told} (counters.duckdb); fix: choose another name (--name), or another --out"
        )


def test_other_weights_or_another_text_under_the_same_name_are_refused(
    config: RunConfig, out: Path, make_checkpoint: Callable[..., Path]
) -> None:
    measure(config, out)
    (Path(config.corpus) / "00.txt").write_text("the city and the river " * 300, encoding="utf-8")
    with pytest.raises(CorpusRefusal, match=r"the text has changed since run 'Toy' began \(texts\)"):
        measure(config, out)
    make_checkpoint(initializer_range=0.5)
    with pytest.raises(DatabaseRefusal, match=r"differs in corpus_sha256 \(.*, now .*\), weights_sha256 \("):
        measure(config, out)


def test_a_measure_that_was_added_since_is_not_taken_for_measured(
    config: RunConfig, out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from extract import measures

    measure(config, out)
    (tmp_path / "measures").mkdir()
    (tmp_path / "measures" / "new_mass.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(measures, "__path__", [*measures.__path__, str(tmp_path / "measures")])
    with pytest.raises(DatabaseRefusal, match=r"run 'Toy' differs in measures \(now with new_mass\)"):
        measure(config, out)


def test_a_file_holds_several_runs(config: RunConfig, out: Path) -> None:
    measure(config, out)
    measure(RunConfig(**{**vars(config), "name": "Second", "window": 16}), out)
    assert ask(out, "select run_id, count(*) from shard group by all order by all") == [("Second", 4), ("Toy", 4)]
    assert ask(out, "select count(distinct id) = count(*) from measure") == [(True,)]


def test_resume_insists_on_a_run_that_has_begun(config: RunConfig, out: Path) -> None:
    with pytest.raises(DatabaseRefusal, match=r"there is no run 'Toy' to resume \(counters.duckdb\); fix: leave --resume out"):
        measure(config, out, must_resume=True)


def test_a_run_refused_before_its_first_shard_leaves_no_run(config: RunConfig, out: Path) -> None:
    for change, refusal in (
        ({"window": 65}, UsageRefusal),
        ({"windows": 10_000}, CorpusRefusal),
        ({"model": "./nope"}, ModelRefusal),
        ({"corpus": "./nope"}, CorpusRefusal),
    ):
        with pytest.raises(refusal):
            measure(RunConfig(**{**vars(config), **change}), out)
        assert not out.exists()
    with Store(out) as store:
        assert store.run("Toy") is None


def test_the_batch_is_halved_until_it_fits_and_recorded(
    config: RunConfig, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import extract.attention

    def scarce(model: torch.nn.Module, tokens: torch.Tensor, sums: ShardSums) -> None:
        if len(tokens) > 2:
            raise torch.OutOfMemoryError
        measure_windows(model, tokens, sums)

    monkeypatch.setattr(extract.attention, "measure_windows", scarce)
    measure(RunConfig(**{**vars(config), "batch": 8, "shards": 2}), out)
    assert ask(out, "select batch_windows from run") == [(2,)]
    assert ask(out, "select windows, scored_tokens from shard") == [(5, 155), (5, 155)]
    assert "out of GPU memory: going on with 2 windows per pass" in capsys.readouterr().err


def test_one_window_that_does_not_fit_is_refused_and_committed_shards_stay(
    config: RunConfig, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import extract.attention

    done = []

    def scarce(model: torch.nn.Module, tokens: torch.Tensor, sums: ShardSums) -> None:
        if done:
            raise torch.OutOfMemoryError
        done.append(measure_windows(model, tokens, sums))

    monkeypatch.setattr(extract.attention, "measure_windows", scarce)
    with pytest.raises(EnvironmentRefusal, match="one window does not fit in the GPU's memory"):
        measure(RunConfig(**{**vars(config), "windows": 4, "shards": 4}), out)
    with Store(out) as store:
        assert store.shards("Toy") == {0}


def test_a_second_run_into_the_same_file_fails_before_its_model_is_loaded(config: RunConfig, out: Path, tmp_path: Path) -> None:
    absent = RunConfig("Toy", "./no-such-model", config.corpus)
    with Store(out):
        command = [sys.executable, "-m", "extract", "run", str(run_file(absent, tmp_path)), "--out", str(out)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr.startswith(f"error: process {os.getpid()} has the file open (counters.duckdb.work); fix: ")
