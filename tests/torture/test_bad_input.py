"""Every row of the catalogue of bad input: its exit code, one line with the remedy, and no file changed but those that the row allows."""

import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from catalogue import Case, cases

TITLE = "Bad input"
ROOT = Path(__file__).parents[2]
CASES = cases()
# What may stand beside the line: how far it got, and what was left out.
BESIDE = re.compile(r"warning: |(loading|measuring|hashing|publishing|asking|rendering|checking|not published yet|interrupted)\b")
# A file of this size is a sparse one: its first bytes and its size stand for it.
LARGE = 2**26
# Without --whole, the first case of every third row.
FEW = 3
# Whatever the input, no command may take longer or want more memory, beyond what it has when it begins.
# A site is built in six seconds, or in thirty where others want the processor too; four workers start in a minute.
SECONDS, SECONDS_OF_A_SITE, MEMORY = 25, 150, 3 * 2**30

Run = Callable[[Case, Path], tuple[int, str, str]]


@dataclass(frozen=True)
class Zygote:
    """A process that forks for each case, and the folder in which each begins."""

    process: "subprocess.Popen[str]"
    workplace: Path
    told: Path

    def run(self, module: str, argv: tuple[str, ...], cwd: Path, **options: object) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command."""
        out, err = self.told / "stdout", self.told / "stderr"
        asked = {"module": module, "argv": argv, "cwd": str(cwd), "stdout": str(out), "stderr": str(err), "seconds": SECONDS}
        asked |= {"env": {}, "memory": None, "file_bytes": None, "stop": None} | options
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        return answer["code"], out.read_text(encoding="utf-8", errors="replace"), err.read_text(encoding="utf-8", errors="replace")


def environment(cache: Path) -> dict[str, str]:
    paths = os.pathsep.join(str(ROOT / part) for part in ("", "tests/torture", "tests/report", "tests/extract"))
    quiet = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    return os.environ | quiet | {"PYTHONPATH": paths, "HEADCOUNT_CACHE": str(cache)}


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    told, workplace = tmp_path_factory.mktemp("told"), tmp_path_factory.mktemp("workplace")
    command = [sys.executable, str(ROOT / "tests" / "torture" / "zygote.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(told / "cache")) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        made = Zygote(process, workplace, told)
        code, _, err = made.run("workplace", (str(workplace),), workplace)
        assert code == 0, err
        yield made
        process.stdin.close()


def fresh(case: Case, folder: Path, cache: Path) -> tuple[int, str, str]:
    """The same in a process of its own, where the imports belong to the case."""
    env = environment(cache)
    given = dict(case.env)
    given["PYTHONPATH"] = os.pathsep.join([*filter(None, [given.get("PYTHONPATH")]), env["PYTHONPATH"]])
    command = [sys.executable, "-m", case.argv[0], *case.argv[1:]]
    seconds = SECONDS_OF_A_SITE if case.slow else SECONDS
    done = subprocess.run(command, cwd=folder, env=env | given, capture_output=True, timeout=seconds, check=False)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def state(folder: Path) -> dict[str, str]:
    """Every path below a folder, with what it is: the hash of a file, the target of a link."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest() if path.stat().st_size < LARGE else file.read(4096).hex()
            found[name] = f"{path.stat().st_size} {content}"
        else:
            found[name] = "folder" if path.is_dir() else "special"
    return found


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def check_lines(case: Case, out: str, err: str) -> None:
    """One line of refusal, the last, with its remedy; with exit 0 none, and what the row says among the others."""
    lines = err.splitlines()
    refusals = [line for line in lines if line.startswith("error:")]
    assert all("Traceback" not in line for line in lines), err
    if case.exit == 0:
        assert refusals == [], err
        spoken = err + out
    else:
        assert len(refusals) == 1 and lines[-1] == refusals[0], err
        assert re.fullmatch(r"error: .+ \(.+\); fix: .+", refusals[0]), err
        assert [line for line in lines[:-1] if not BESIDE.match(line)] == [], err
        spoken = refusals[0]
    assert [word for word in case.words if not re.search(word, spoken)] == [], spoken
    assert [secret for secret in case.never if secret in err + out] == []


def test_the_catalogue_has_every_row_and_no_id_twice() -> None:
    ids = [case.id for case in CASES]
    assert len(set(ids)) == len(ids)
    assert {case.row for case in CASES} >= set(range(1, 73))
    assert [case.id for case in CASES if case.today and case.skip] == []


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
def test_bad_input_is_told_in_one_line_and_changes_nothing(
    case: Case, zygote: Zygote, whole: bool, record: Callable[[str, str], None], tmp_path: Path
) -> None:
    first = next(other for other in CASES if other.row == case.row)
    if not whole and (case is not first or case.row % FEW or case.slow or case.fresh):
        pytest.skip("left to the whole catalogue")
    if case.skip:
        record(case.what, f"not tried: {case.skip}")
        pytest.skip(case.skip)
    folder = tmp_path / "place"
    shutil.copytree(zygote.workplace, folder)
    with case.prepare(folder) or nullcontext():
        before = state(folder)
        if case.fresh:
            code, out, err = fresh(case, folder, tmp_path / "cache")
        else:
            # The charts' renderer reserves far more address space than it uses.
            charts = case.argv[0] == "report" and (case.exit == 0 or case.stop is not None)
            limits = {"memory": case.memory or (None if charts else MEMORY), "file_bytes": case.file_bytes, "stop": case.stop}
            limits["seconds"] = SECONDS_OF_A_SITE if case.slow else SECONDS
            code, out, err = zygote.run(case.argv[0], case.argv[1:], folder, env=dict(case.env), **limits)
    assert code == case.exit, err
    check_lines(case, out, err)
    touched = changed(before, state(folder))
    assert [name for name in touched if not any(fnmatch.fnmatch(name, pattern) for pattern in case.changes)] == []
    case.after(folder)
    record(case.what, "one line with the remedy, nothing else changed" if case.exit else "taken, and told where something was left out")
