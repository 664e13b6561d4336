"""The command line: one line per refusal, the right exit code, and every command from end to end."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest

from extract import device
from extract.__main__ import main
from extract.device import default_run, resolve
from extract.next_command import typed

ROOT = Path(__file__).parents[2]

Said = pytest.CaptureFixture[str]


@pytest.fixture
def toy(make_checkpoint: Callable[..., Path], write_text: Callable[..., Path], tmp_path: Path) -> list[str]:
    """A run file, and the flags that point it to the toy model and text."""
    (tmp_path / "toy.toml").write_text(
        'name = "Toy"\nmodel = "embedded"\ncorpus = "embedded"\nwindow = 16\nwindows = 8\n', encoding="utf-8"
    )
    return [str(tmp_path / "toy.toml"), "--name", "Toy", "--model", str(make_checkpoint()), "--corpus", str(write_text(200, 200))]


def refused(said: Said, *arguments: str) -> tuple[int, str]:
    code = main(list(arguments))
    captured = said.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"error: .+ \(.+\); fix: .+\n", captured.err), captured.err
    return code, captured.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "error: Missing command (command line); fix: see python -m extract --help"),
        (["nope"], "error: No such command 'nope'"),
        (["run"], "error: Missing argument 'RUN.toml'"),
        (["run", "x.toml", "--widow", "3"], "error: No such option: --widow"),
        (["run", "x.toml", "--window", "many"], "error: Invalid value for '--window'"),
        (
            ["run", "absent.toml"],
            "error: no run file: No such file or directory (absent.toml); fix: name a file such as runs/embedded.toml",
        ),
        (["windows", "x.toml"], "error: Missing option '--out'"),
        (["import-heads", "x.csv", "--into", "c"], "error: Missing option '--run'"),
        (["run", "runs/embedded.toml", "--window", "0"], "error: window is 0 (embedded.toml)"),
        (["run", "runs/embedded.toml", "--name", "../x"], "error: name '../x' cannot be used (embedded.toml)"),
    ],
)
def test_a_line_that_cannot_be_followed_is_told_in_one_line_with_exit_2(
    arguments: list[str], told: str, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    code, line = refused(capsys, *arguments)
    assert (code, line[: len(told)]) == (2, told)


def test_every_kind_of_refusal_has_its_exit_code(toy: list[str], tmp_path: Path, capsys: Said) -> None:
    out = ["--out", str(tmp_path / "c.duckdb")]
    (tmp_path / "html.duckdb").write_text("<html>", encoding="utf-8")
    told = {
        (2, "window 65 > 64 (toy-model)"): [*toy, *out, "--window", "65"],
        (3, "no model at ./nope (not a directory, not a Hub id)"): [*toy, *out, "--model", "./nope"],
        (4, "cannot be read: No such file or directory (nope)"): [*toy, *out, "--corpus", "nope"],
        (4, "the text fills"): [*toy, *out, "--windows", "100000"],
        (5, "the output is a folder"): [*toy, "--out", str(tmp_path)],
        (7, "not a DuckDB file (it looks like a web page) (html.duckdb)"): [*toy, "--out", str(tmp_path / "html.duckdb")],
        (7, "there is no run 'Toy' to resume"): [*toy, *out, "--resume"],
    }
    for (code, what), arguments in told.items():
        found, line = refused(capsys, "run", *arguments)
        assert (found, line[: len(what) + 7]) == (code, f"error: {what}")
    assert not (tmp_path / "c.duckdb").exists()


def test_debug_shows_the_traceback_wherever_it_stands(capsys: Said) -> None:
    for arguments in (["--debug", "run", "absent.toml"], ["run", "absent.toml", "--debug"]):
        assert main(arguments) == 2
        assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_bug_is_one_line_with_exit_1(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise KeyError("x")

    monkeypatch.setattr(device, "default_run", broken)
    code, line = refused(capsys, "choose")
    assert code == 1
    assert re.match(r"error: KeyError: 'x' \(test_cli.py, line \d+\); fix: a bug: run again with --debug", line)


def test_a_package_that_is_not_installed_is_named_with_the_remedy(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    # What Python itself does with a name that is None there is to find no such module.
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(device, "cuda_ready", lambda: None)
    told = "error: huggingface_hub is not installed (Python environment); fix: pip install -e '.[extract]'\n"
    assert refused(capsys, "choose") == (5, told)


def test_a_module_of_our_own_that_is_missing_is_a_bug(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "extract.device", None)
    assert refused(capsys, "choose")[0] == 1


def test_a_package_that_does_not_load_is_not_told_as_missing(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ModuleNotFoundError("libc.so.9: no such file")

    monkeypatch.setattr(device, "default_run", broken)
    code, line = refused(capsys, "choose")
    assert code == 1
    assert line.startswith("error: ModuleNotFoundError: libc.so.9: no such file (test_cli.py, line ")


def test_the_next_command_names_the_interpreter_as_it_must_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert typed("report", "build", "a b.duckdb") == ".venv/bin/python -m report build 'a b.duckdb'"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert typed("report", "build", "c.duckdb") == "python -m report build c.duckdb"


def test_help_lists_the_commands(capsys: Said) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(command in told for command in ("run", "import-heads", "import-counts", "windows", "choose"))


def test_a_run_and_its_windows_from_the_command_line(toy: list[str], tmp_path: Path, capsys: Said) -> None:
    out = tmp_path / "new" / "counters.duckdb"
    assert main(["run", *toy, "--out", str(out), "--windows", "4", "--name", "Mine"]) == 0
    assert f"next: {typed('report', 'build', str(out))}\n" in capsys.readouterr().err
    with duckdb.connect(str(out), read_only=True) as con:
        assert con.execute("select run_id, windows, shards, window_tokens from run").fetchall() == [("Mine", 4, 4, 16)]
    assert main(["run", *toy, "--out", str(out), "--windows", "4", "--name", "Mine", "--resume"]) == 0
    assert "complete already" in capsys.readouterr().err
    assert refused(capsys, "run", *toy, "--out", str(out), "--windows", "5", "--name", "Mine")[0] == 7
    # Windows have no name.
    assert main(["windows", toy[0], *toy[3:], "--out", str(tmp_path / "w.npy"), "--windows", "4"]) == 0
    windows = np.load(tmp_path / "w.npy")
    assert (windows.shape, windows.dtype) == ((4, 16), np.int64)


def test_imports_from_the_command_line_in_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "heads.csv").write_text("layer,head,value\n0,0,.5\n", encoding="utf-8")
    options = ["--into", "c.duckdb", "--run", "Published", "--measure", "copying", "--unit", "share", "--source", "Somebody"]
    command = [sys.executable, "-m", "extract", "import-heads", "heads.csv", *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    first, second = (subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True) for _ in range(2))
    assert first.stderr == "imported into c.duckdb; next: python -m report build c.duckdb\n"
    assert second.stderr == "already in c.duckdb; next: python -m report build c.duckdb\n"


def test_counts_from_the_command_line(tmp_path: Path, capsys: Said) -> None:
    header = "figure,range_ordinal,range_label,first_layer,end_layer,band_ordinal,band_colour,heads"
    (tmp_path / "counts.csv").write_text(f'{header}\nfig,0,"[0, 2)",0,2,0,green,2\n', encoding="utf-8")
    options = ["--into", str(tmp_path / "c.duckdb"), "--title", "A title", "--source", "Somebody", "--model-heads"]
    assert main(["import-counts", str(tmp_path / "counts.csv"), *options, "12"]) == 0
    capsys.readouterr()
    assert refused(capsys, "import-counts", str(tmp_path / "counts.csv"), *options, "1")[0] == 2


def test_without_a_gpu_the_embedded_run_is_chosen_and_the_reason_is_told(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(device, "cuda_ready", lambda: "there is no CUDA GPU here")
    assert main(["choose"]) == 0
    told = capsys.readouterr()
    assert told.out == "runs/embedded.toml\n"
    assert told.err.startswith("measuring SmolLM2-135M rather than GPT-2 xl: there is no CUDA GPU here (make report RUN=runs/gpt2-xl.toml")
    assert told.err.count("\n") == 1


def test_with_a_gpu_the_flagship_is_chosen_only_where_its_weights_are_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(device, "cuda_ready", lambda: None)
    assert resolve("auto") == "cuda"
    monkeypatch.setattr("extract.checkpoint_files.in_hub_cache", lambda model, revision: True)
    assert default_run()[0] == Path("runs/gpt2-xl.toml")
    monkeypatch.setattr("extract.checkpoint_files.in_hub_cache", lambda model, revision: False)
    chosen, why = default_run()
    assert chosen == Path("runs/embedded.toml")
    assert "the weights of openai-community/gpt2-xl are not in the hub cache" in why


def test_the_device_is_told_without_torch_as_torch_tells_it() -> None:
    code = "import sys; from extract.device import resolve; kind = resolve('auto'); assert 'torch' not in sys.modules; print(kind)"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    import torch

    assert told == ("cuda" if torch.cuda.is_available() else "cpu")
    assert (resolve("cpu"), resolve("cuda")) == ("cpu", "cuda")


def test_ctrl_c_where_there_is_nothing_to_keep_is_one_line_with_exit_130(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(device, "default_run", stopped)
    assert refused(capsys, "choose") == (130, "error: interrupted (command line); fix: run the same command again\n")
