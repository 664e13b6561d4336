"""A run that was killed half-way is not continued with anything that changes numbers: one thing each, refused by name, and no mix."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import duckdb
import pytest
from kill_toy import KILLED, SHARDS, Toy

from extract.config import RunConfig

Record = Callable[[str, str], None]
TITLE = "Runs that are continued with something changed"
ROOT = Path(__file__).parents[2]
OPTIONS = {
    "window": 17,
    "windows": 7,
    "shards": 5,
    "calibration_windows": 1,
    "repeated_windows": 5,
    "repeated_tokens": 6,
    "repeated_copies": 3,
    "seed": 1,
    "dtype": '"float64"',
    "examples": "false",
    "batch": 2,
}
# What the run file names otherwise: the run itself, what its hashes stand for, and what refuses without changing a number.
NOT_OPTIONS = {"name", "model", "corpus", "revision", "device", "device_map", "weights_sha256", "max_line_bytes"}
CODE = ("measures/entropy.py", "families/gpt2.py", "blocked.py", "attention.py")


@pytest.fixture(scope="module")
def begun(toy: Toy) -> Path:
    """The counters file of the toy run, killed when its third shard began."""
    out = toy.out("begun")
    third = [number for number, step in enumerate(toy.steps, 1) if step == "begin"][3]
    assert toy.run(out, at=third, when="before").status == KILLED
    return out


@pytest.fixture
def changed(toy: Toy, begun: Path, tmp_path: Path) -> Toy:
    """The same run, with files of its own that a test may change."""
    shutil.copytree(begun.parent, tmp_path / "trial-0")
    text = toy.run_file.read_text(encoding="utf-8")
    for name in ("toy-model", "text.txt"):
        (shutil.copytree if (toy.folder / name).is_dir() else shutil.copy)(toy.folder / name, tmp_path / name)
    (tmp_path / "toy.toml").write_text(text.replace(str(toy.folder), str(tmp_path)), encoding="utf-8")
    return replace(toy, folder=tmp_path, run_file=tmp_path / "toy.toml")


def faults(toy: Toy, record: Record, what: str, named: str, code: int = 7, program: Path | None = None, checked: bool = True) -> list[str]:
    """What is wrong with how the run ends: it must be refused with this exit code in one line that names what differs, its working file
    as it was.

    With `program`, a folder, it is run by the code in that."""
    if program is None:
        ended = toy.run(toy.out(0))
        status, errors = ended.status, ended.errors
    else:
        command = [sys.executable, "-m", "extract", "run", str(toy.run_file), "--out", str(toy.out(0))]
        environment = os.environ | {"PYTHONPATH": str(program), "HEADCOUNT_CACHE": str(toy.server.folder)}
        done = subprocess.run(command, cwd=program, env=environment, capture_output=True, text=True, check=False)
        status, errors = done.returncode, done.stderr
    whole = status == code and errors.startswith("error: ") and errors.count("\n") == 1 and named in errors
    record(f"Another {what}", "refused by name" if whole else "LET IN")
    there = toy.check(toy.out(0), set()) if checked else {("shard", 0), ("shard", 1)}
    return [] if whole and there == {("shard", 0), ("shard", 1)} else [f"{status}: {errors}", str(there)]


def test_nothing_changed_is_continued(changed: Toy, record: Record) -> None:
    assert changed.resume(changed.out(0)) == {("shard", number) for number in range(SHARDS)}
    record("Nothing at all", "continued to the same tables")


@pytest.mark.parametrize("option", OPTIONS)
def test_another_option_is_refused(changed: Toy, option: str, record: Record) -> None:
    lines = changed.run_file.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(f"{option} =")]
    changed.run_file.write_text("\n".join([*kept, f"{option} = {OPTIONS[option]}"]) + "\n", encoding="utf-8")
    assert faults(changed, record, "option", f"{option} (") == []


def test_every_option_of_a_run_is_tried() -> None:
    assert {field.name for field in fields(RunConfig)} == OPTIONS.keys() | NOT_OPTIONS


@pytest.mark.parametrize("named", ["model", "corpus", "revision", "device"])
def test_a_run_that_was_begun_with_another_name_or_device_is_refused(changed: Toy, named: str, record: Record) -> None:
    with duckdb.connect(str(changed.out(0)) + ".work") as connection:
        # As if it had been begun so: this machine may have one device, and its model one name.
        connection.execute("update run set config = json_merge_patch(config, ?::json)", [json.dumps({named: "another"})])
        connection.execute("checkpoint")
    assert (
        faults(changed, record, "name of the model, its revision, the text or the device", f"{named} (another, now ", checked=False) == []
    )


def test_other_weights_are_refused(changed: Toy, record: Record) -> None:
    weights = changed.folder / "toy-model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-2] ^= 1
    weights.write_bytes(content)
    assert faults(changed, record, "model: one bit of its weights", "weights_sha256 (") == []


def test_another_configuration_of_the_same_weights_is_refused(changed: Toy, record: Record) -> None:
    path = changed.folder / "toy-model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"layer_norm_epsilon": 1e-3}), encoding="utf-8")
    assert faults(changed, record, "model: its configuration", "model_settings (") == []


def test_another_tokenizer_is_refused(changed: Toy, record: Record) -> None:
    path = changed.folder / "toy-model" / "tokenizer.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    told["model"]["merges"].pop()
    path.write_text(json.dumps(told), encoding="utf-8")
    assert faults(changed, record, "model: its tokenizer", "model_settings (") == []


def test_another_text_is_refused(changed: Toy, record: Record) -> None:
    with (changed.folder / "text.txt").open("a", encoding="utf-8") as text:
        text.write(" more")
    assert faults(changed, record, "text", "the text has changed", code=4) == []


@pytest.mark.parametrize("file", CODE)
def test_other_code_is_refused(changed: Toy, file: str, record: Record) -> None:
    program = changed.folder / "program"
    shutil.copytree(ROOT / "extract", program / "extract", ignore=shutil.ignore_patterns("__pycache__"))
    with (program / "extract" / file).open("a", encoding="utf-8") as code:
        code.write("\nCHANGED = True\n")
    assert faults(changed, record, "code of a measure, a family or the attention", "code (", program=program) == []


@pytest.mark.parametrize("library", ["headcount", "torch", "transformers", "tokenizers", "numpy"])
def test_another_version_is_refused(changed: Toy, library: str, record: Record) -> None:
    with duckdb.connect(str(changed.out(0)) + ".work") as connection:
        # As if another installation had begun it.
        connection.execute("update run set versions = json_merge_patch(versions, ?::json)", [json.dumps({library: "0.0.1"})])
        connection.execute("checkpoint")
    assert faults(changed, record, "version of a library", f"{library} (0.0.1, now ", checked=False) == []
    with duckdb.connect(str(changed.out(0)) + ".work", read_only=True) as connection:
        assert connection.execute("select shard from shard order by all").fetchall() == [(0,), (1,)]
