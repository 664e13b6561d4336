"""Checkpoints that attack: nothing of them runs, nothing is fetched or written elsewhere, and each is refused in one line or measured."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile_models as hostile
import pytest

TITLE = "Checkpoints that attack"
ROOT = Path(__file__).parents[2]
SEED = 20260
Record = Callable[[str, str], None]
SIZE = "window = 16\nwindows = 2\nshards = 1\nrepeated_windows = 0\ncalibration_windows = 1\n"
RUN = f'name = "toy"\nmodel = "{{model}}"\ncorpus = "{{corpus}}"\n{SIZE}'


def attack(tmp_path: Path, folders: list[Path], sound: Path, corpus: Path) -> list[dict[str, Any]]:
    """What became of each folder, the sound one first; without a network where this machine allows it."""
    commands = []
    for number, folder in enumerate([sound, *folders]):
        file = tmp_path / f"{number}.toml"
        file.write_text(RUN.format(model=folder, corpus=corpus), encoding="utf-8")
        commands.append(["run", str(file), "--out", str(tmp_path / "out" / f"{number}.duckdb"), "--device", "cpu"])
    (tmp_path / "scratch").mkdir()
    allowed = [str(tmp_path / "out"), str(tmp_path / "scratch"), str(tmp_path / "cache")]
    (tmp_path / "job.json").write_text(json.dumps({"commands": commands, "allowed": allowed}), encoding="utf-8")
    # The folder is not on the path: what is imported must be asked for.
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(tmp_path / "scratch"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    child = [sys.executable, str(ROOT / "tests" / "torture" / "attacked.py"), str(tmp_path / "job.json")]
    alone = shutil.which("unshare") and subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode == 0
    done = subprocess.run(
        ["unshare", "-n", *child] if alone else child, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    ended = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (len(ended), done.returncode, done.stderr[-2000:])
    assert ended[0]["code"] == 0, ended[0]
    return ended[1:]


def judge(result: dict[str, Any], canary: Path) -> str:
    if canary.exists() or result["seen"]:
        return "LET IN: it did something"
    lines = [line for line in result["told"].splitlines() if line.startswith("error: ")]
    if result["code"] == 0:
        return "measured as data"
    if result["code"] not in (2, 3) or len(lines) != 1 or "; fix: " not in lines[0] or len(lines[0]) > 500:
        return "LET IN: not refused in one line"
    return "refused in one line"


GROUPS: dict[str, tuple[dict[str, hostile.Build], str]] = {
    "Pickles that write a file when they are opened": (hostile.PICKLES, ""),
    "Code, kernels, classes and templates that a repository names": (hostile.CODE, ""),
    "Weights and files elsewhere: `..`, absolute, links, pipes, devices": (hostile.PLACES, "refused in one line"),
    "Headers of weight files: bombs, overlaps, holes": (hostile.WEIGHTS, "refused in one line"),
    "Files too large or too deep": (hostile.FILES, "refused in one line"),
    "Sizes that no model has": (hostile.SIZES, "refused in one line"),
}
# These are no part of what is read, and stand beside a sound model, or name what is never looked at.
DATA = {"tokenizer class", "architecture", "chat template", "template file", "another name", "tokenizer elsewhere"}


def test_no_hostile_checkpoint_runs_fetches_or_writes_anything(
    tmp_path: Path, make_checkpoint: Callable[..., Path], write_text: Callable[..., Path], record: Record, whole: bool
) -> None:
    sound, corpus, canary = make_checkpoint(), write_text(120, 300), tmp_path / "canary"
    cases = [(group, name, build) for group, (builders, _) in GROUPS.items() for name, build in builders.items()]
    cases = cases if whole else [case for case in cases if case[1] != "10 million tokens"][::6]
    folders = [Path(shutil.copytree(sound, tmp_path / "models" / str(number))) for number in range(len(cases))]
    for folder, (_, _, build) in zip(folders, cases, strict=True):
        build(folder, canary)
    wrong = []
    for (group, name, _), result in zip(cases, attack(tmp_path, folders, sound, corpus), strict=True):
        outcome = judge(result, canary)
        record(group, outcome)
        data_allowed = name in DATA or name.startswith("beside it")
        if (
            outcome.startswith("LET IN")
            or (outcome == "measured as data") != data_allowed
            or result["seconds"] > 60
            or result["MiB"] > 3000
        ):
            wrong.append((name, outcome, result))
    assert wrong == [], "\n".join(f"{name} | {outcome} | {result}"[:400] for name, outcome, result in wrong)


def test_the_pickles_and_modules_of_these_tests_would_write_the_canary(tmp_path: Path) -> None:
    for number, build in enumerate((hostile.pickled("x.bin"), hostile.settings())):
        folder, canary = tmp_path / str(number), tmp_path / f"canary{number}"
        folder.mkdir()
        build(folder, canary)
        code = "import evil" if number else "import pickle; pickle.load(open('x.bin', 'rb'))"
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
        assert canary.exists()


WORTHS = [0, -1, 1, 3, 10**4, 10**9, 2**63, -(10**20), 1.5, 1e308, float("nan"), float("inf"), True, False, None, "", "2", "../x", "x/y",
          [], [1], {}, {"a": 1}, "\u202e", "\x00", ["full_attention"] * 3, "<script>"]  # fmt: skip


def test_configurations_with_one_value_changed_at_random_are_refused_or_measured(
    tmp_path: Path, make_checkpoint: Callable[..., Path], write_text: Callable[..., Path], record: Record, whole: bool
) -> None:
    sounds, corpus, chance = [make_checkpoint(), make_checkpoint("llama", name="llama")], write_text(120, 300), random.Random(SEED)
    folders, changed = [], []
    for number in range(240 if whole else 12):
        sound = chance.choice(sounds)
        folder = Path(shutil.copytree(sound, tmp_path / "models" / str(number)))
        file = chance.choice(["config.json", "config.json", "config.json", "tokenizer_config.json", "generation_config.json"])
        content = json.loads((folder / file).read_text(encoding="utf-8"))
        key, value = chance.choice(sorted(content)), chance.choice(WORTHS)
        (folder / file).write_text(json.dumps(content | {key: value}), encoding="utf-8")
        folders.append(folder)
        changed.append((sound.name, file, key, value))
    wrong = []
    for what, result in zip(changed, attack(tmp_path, folders, sounds[0], corpus), strict=True):
        outcome = judge(result, tmp_path / "canary")
        record("One value of a configuration changed at random", outcome)
        if outcome.startswith("LET IN"):
            wrong.append((what, outcome, result))
    assert wrong == [], "\n".join(f"{name} | {outcome} | {result}"[:400] for name, outcome, result in wrong)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADCOUNT_CACHE", str(tmp_path / "cache"))
