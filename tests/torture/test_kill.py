"""Real processes are killed at seeded moments and steps: nothing that was committed is lost or torn, and resuming gives the same tables.

Moments are wall-clock times since the start, spread over a whole run; steps are statements to the database, syncs, renames and removals,
before, in or after which the process dies; a file that appears or grows is seen from outside. The children are forked by one warm process
(fork_server.py)."""

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from kill_toy import KILLED, Toy
from trials import after, attempt, when

Record = Callable[[str, str], None]
# That of conftest.py, which cannot be imported by its name: there are several.
SEED = 20260
TITLE = "Processes that are killed"
RESUMED = "nothing lost or torn; resumed to the same tables"
TABLE = Path(__file__).parents[2] / "runs" / "gpt2-xl-published-counts.csv"


def drawn_step(steps: list[str], draw: random.Random, *kinds: str) -> dict[str, object]:
    """A step of one of these kinds (all kinds are as likely, however many steps they have), and when to die: before, after or in it."""
    kind = draw.choice(kinds)
    at = draw.choice([number for number, step in enumerate(steps, 1) if kind in step])
    return {"at": at, "when": draw.choice(("before", "after", 0.0, 0.0003, 0.001, 0.003))}


def test_a_run_that_is_killed_at_any_moment_loses_nothing(toy: Toy, whole: bool, record: Record) -> None:
    draw = random.Random(SEED)

    def trial(number: int) -> str:
        out, committed = toy.fresh(number), set[tuple[str, int]]()
        # Some are killed again while they resume.
        for _ in range(draw.choice((1, 1, 2, 3))):
            ended = toy.run(out, kill=after(draw.uniform(0.0, 1.05 * toy.seconds)))
            assert ended.status in (KILLED, 0), ended.errors
            committed = toy.check(out, committed | ended.committed)
        toy.resume(out)
        return RESUMED

    what = "extract run, killed at a moment, some again while they resume"
    found = [attempt(record, what, lambda number=number: trial(number)) for number in range(70 if whole else 2)]
    assert not any(found), found


STEPS = {
    "inside a commit": ("begin", "insert into", "commit"),
    "while the working file is made": ("create table", "attach", "checkpoint work"),
    "while it publishes": ("copy from", "detach snapshot", "fsync", "replace", "unlink", "snapshot'"),
}


@pytest.mark.parametrize("where", STEPS)
def test_a_run_that_is_killed_at_a_step_loses_nothing(toy: Toy, where: str, whole: bool, record: Record) -> None:
    draw = random.Random(f"{SEED} {where}")

    def trial(number: int) -> str:
        out = toy.fresh(number)
        ended = toy.run(out, **drawn_step(toy.steps, draw, *STEPS[where]))
        assert ended.status in (KILLED, 0), ended.errors
        toy.check(out, ended.committed)
        toy.resume(out)
        return RESUMED

    found = [attempt(record, f"extract run, killed {where}", lambda number=number: trial(number)) for number in range(20 if whole else 1)]
    assert not any(found), found


def test_a_run_that_is_killed_when_a_file_appears_or_grows_loses_nothing(toy: Toy, whole: bool, record: Record) -> None:
    draw = random.Random(f"{SEED} watched")

    def trial(number: int) -> str:
        out = toy.fresh(number)
        snapshot, log = out.with_name(out.name + ".snapshot"), out.with_name(out.name + ".work.wal")
        size = draw.choice((1, 10_000, 100_000, 400_000))
        seen = draw.choice((snapshot.exists, lambda: log.exists() and log.stat().st_size >= size))
        ended = toy.run(out, kill=when(seen))
        assert ended.status in (KILLED, 0), ended.errors
        toy.check(out, ended.committed)
        toy.resume(out)
        return RESUMED

    what = "extract run, killed when its snapshot appears or its log grows"
    found = [attempt(record, what, lambda number=number: trial(number)) for number in range(20 if whole else 1)]
    assert not any(found), found


def test_a_calibration_that_is_killed_loses_no_window(toy: Toy, whole: bool, record: Record) -> None:
    draw = random.Random(f"{SEED} calibrate")
    run = toy.whole.parent
    toy = replace(toy, whole=toy.folder / "calibrated" / "counters.duckdb")
    shutil.copytree(run, toy.whole.parent)
    ended = toy.run(toy.whole, "calibrate", list_steps=True, learn=True)
    assert ended.status == 0, ended.errors

    def trial(number: int) -> str:
        out = toy.fresh(number)
        shutil.copytree(run, out.parent)
        if draw.random() < 0.5:
            how = {"kill": after(draw.uniform(0.3, 1.0) * ended.seconds)}
        else:
            how = drawn_step(ended.steps, draw, "begin", "insert into", "commit", "copy from", "fsync", "replace")
        killed = toy.run(out, "calibrate", **how)
        assert killed.status in (KILLED, 0), killed.errors
        toy.check(out, killed.committed)
        toy.resume(out, "calibrate")
        return RESUMED

    found = [
        attempt(record, "extract calibrate --quick, killed", lambda number=number: trial(number)) for number in range(15 if whole else 1)
    ]
    assert not any(found), found


def test_an_import_that_is_killed_is_there_whole_or_not_at_all(toy: Toy, whole: bool, record: Record) -> None:
    draw = random.Random(f"{SEED} import")
    imports = ImportingToy(**vars(replace(toy, whole=toy.folder / "imported" / "counters.duckdb")))
    ended = imports.run(imports.whole, list_steps=True)
    assert ended.status == 0, ended.errors

    def trial(number: int) -> str:
        out = imports.fresh(number)
        killed = imports.run(out, **drawn_step(ended.steps, draw, *{step.split()[0] for step in ended.steps}))
        assert killed.status in (KILLED, 0), killed.errors
        imports.check(out, set())
        imports.resume(out)
        return RESUMED

    found = [attempt(record, "extract import-counts, killed", lambda number=number: trial(number)) for number in range(20 if whole else 2)]
    assert not any(found), found


class ImportingToy(Toy):
    """The same harness for an import."""

    def run(self, out: Path, command: str = "import-counts", **more: object):
        """The import, killed or not."""
        return self.server.start("extract", "import-counts", str(TABLE), "--into", str(out), "--title", "T", "--source", "S", **more)
