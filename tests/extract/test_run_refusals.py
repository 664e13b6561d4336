"""Runs that are not begun, not continued, or stopped in good order: each with its reason, and nothing lost."""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import duckdb
import pytest
import torch

from extract import loading
from extract import run as run_module
from extract.attention import measure_windows
from extract.config import RunConfig
from extract.errors import CorpusRefusal, DatabaseRefusal, EnvironmentRefusal, ModelRefusal, UsageRefusal
from extract.loading import save_windows
from extract.run import measure
from extract.store import Store

ROOT = Path(__file__).parents[2]


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(query).fetchall()


def test_another_configuration_under_the_same_name_is_refused_with_what_differs(config: RunConfig, out: Path) -> None:
    measure(config, out)
    for change, told in (
        ({"window": 16}, "window (32, now 16)"),
        ({"dtype": "float64"}, "dtype (float32, now float64)"),
        ({"calibration_windows": 7}, "calibration_windows (8, now 7)"),
        ({"repeated_windows": 5, "repeated_copies": 3}, "repeated_copies (2, now 3), repeated_windows (6, now 5)"),
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


def test_a_tokenizer_in_which_a_bit_was_lost_is_refused_though_its_date_is_the_same(config: RunConfig, out: Path) -> None:
    measure(config, out)
    file = Path(config.model) / "tokenizer.json"
    before, date = file.read_bytes(), file.stat().st_mtime_ns
    file.write_bytes(before.replace(b"of", b"og"))
    os.utime(file, ns=(date, date))
    assert (file.read_bytes() != before, file.stat().st_size) == (True, len(before))
    with pytest.raises(DatabaseRefusal, match=r"run 'Toy' differs in model_settings \("):
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


def test_resume_insists_on_a_run_that_has_begun(config: RunConfig, out: Path) -> None:
    with pytest.raises(DatabaseRefusal, match=r"there is no run 'Toy' to resume \(counters.duckdb\); fix: leave --resume out"):
        measure(config, out, must_resume=True)


def test_a_run_refused_before_its_first_shard_leaves_no_run(config: RunConfig, out: Path) -> None:
    for change, refusal in (
        ({"window": 65}, UsageRefusal),
        ({"windows": 10_000}, CorpusRefusal),
        ({"calibration_windows": 10_000}, CorpusRefusal),
        ({"repeated_tokens": 32}, UsageRefusal),
        ({"model": "./nope"}, ModelRefusal),
        ({"corpus": "./nope"}, CorpusRefusal),
    ):
        with pytest.raises(refusal):
            measure(RunConfig(**{**vars(config), **change}), out)
        assert not out.exists()
    with Store(out) as store:
        assert store.run("Toy") is None


def test_one_window_that_does_not_fit_is_refused_and_committed_shards_stay(
    config: RunConfig, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import extract.attention

    done = []

    def scarce(*arguments: object, **options: object) -> None:
        # The first shard's text, repeated tokens and held-out window.
        if len(done) == 3:
            raise torch.OutOfMemoryError
        done.append(measure_windows(*arguments, **options))

    monkeypatch.setattr(extract.attention, "measure_windows", scarce)
    with pytest.raises(EnvironmentRefusal, match="one window does not fit in the GPU's memory"):
        few = {"windows": 4, "shards": 4, "repeated_windows": 4, "repeated_tokens": 2, "calibration_windows": 1}
        measure(RunConfig(**{**vars(config), **few}), out)
    with Store(out) as store:
        assert store.shards("Toy") == {0}


def test_a_second_run_into_the_same_file_fails_before_its_model_is_loaded(
    config: RunConfig, out: Path, write_run_file: Callable[[RunConfig], Path]
) -> None:
    absent = RunConfig("Toy", "./no-such-model", config.corpus)
    with Store(out):
        command = [sys.executable, "-m", "extract", "run", str(write_run_file(absent)), "--out", str(out)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr.startswith(f"error: process {os.getpid()} has the file open (counters.duckdb.work); fix: ")


def begun_with_torch_2_0(out: Path) -> None:
    """As if the run had been begun by an older installation, whose version it remembers."""
    with Store(out) as store:
        store.con.execute("""update work.run set versions = json_merge_patch(versions, '{"torch": "2.0.0"}')""")
        store.con.execute("checkpoint work")
    out.unlink()


def test_a_run_is_not_continued_under_another_version_of_torch(config: RunConfig, out: Path) -> None:
    measure(config, out)
    begun_with_torch_2_0(out)
    with Store(out) as store:
        store.con.execute("delete from work.shard where shard = 0")
        store.con.execute("checkpoint work")
    with pytest.raises(DatabaseRefusal, match=rf"run 'Toy' differs in torch \(2\.0\.0, now {re.escape(version('torch'))}\)"):
        measure(config, out)


def test_a_complete_run_of_another_version_of_torch_stays_as_it_is_and_that_is_said(
    config: RunConfig, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(config, out)
    begun_with_torch_2_0(out)
    measure(config, out)
    told = capsys.readouterr().err
    assert (
        f"Toy was measured with other versions of torch (2.0.0, now {version('torch')}); under another --name it is measured anew" in told
    )
    assert "complete already" in told
    with duckdb.connect(str(out), read_only=True) as connection:
        assert connection.execute("select versions ->> 'torch' from run").fetchall() == [("2.0.0",)]


def test_a_text_that_changes_while_it_is_read_is_refused(config: RunConfig, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = loading.check_space

    def change(path: Path, needed: int) -> None:
        # Between the hash that the run is known by and the reading of its documents.
        (Path(config.corpus) / "00.txt").write_text("the city and the river " * 300, encoding="utf-8")
        real(path, needed)

    monkeypatch.setattr(loading, "check_space", change)
    with pytest.raises(CorpusRefusal, match=r"the text changed while it was read \(texts\); fix: run the same command again"):
        measure(config, out)
    assert not out.exists()


def test_somebody_who_has_the_counters_file_open_does_not_stop_the_measuring(
    config: RunConfig, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_module, "PUBLISH_EVERY", 0.0)
    with Store(out) as store:
        store.publish()
    code = f"import duckdb; con = duckdb.connect({str(out)!r}); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        # The last publication, after the last shard, is what the command was for.
        with pytest.raises(EnvironmentRefusal, match=f"process {other.pid} has the file open"):
            measure(config, out)
        other.communicate("\n")
    assert capsys.readouterr().err.count(f"not published yet: process {other.pid} has the file open") == 4
    measure(config, out)
    assert "complete already" in capsys.readouterr().err
    assert ask(out, "select count(*) from shard") == [(4,)]


def test_windows_that_cannot_be_written_are_refused_and_leave_nothing(config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentRefusal, match=r"the output is no regular file \(/dev/full\)"):
        save_windows(config, Path("/dev/full"))
    out = tmp_path / "windows.npy"
    out.write_bytes(b"as before")
    before = sorted(tmp_path.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file may be longer than this, as on a disk that is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(EnvironmentRefusal, match=r"cannot be written: .+ \(windows\.npy\); fix: free some space"):
            save_windows(config, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert out.read_bytes() == b"as before"
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "cache"] == before
