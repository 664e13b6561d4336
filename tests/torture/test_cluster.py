"""Workers, drivers and machines are killed, stopped and damaged while workers of Ray measure: the tables are those of the plain loop."""

import random
import shlex
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from crew import SHARDS, Crew, Hunter, Losing, check_gone, manifests, title
from kill_toy import KILLED
from trials import Difference, Ended, attempt, check_told

Record = Callable[[str, str], None]
SEED = 20260
TITLE = "Workers on a Ray cluster"
SAME = "every table as from the plain loop"


def needs_whole(whole: bool) -> None:
    """A trial that is left out of the small form."""
    if not whole:
        pytest.skip("starts Ray: only with --whole")


@pytest.mark.parametrize("number", [1, 2])
def test_workers_come_to_the_tables_of_the_plain_loop(crew: Crew, number: int, whole: bool, record: Record) -> None:
    needs_whole(whole)
    there = crew.resume(crew.fresh(f"workers-{number}"), flags=("--workers", str(number)))
    assert there == {("shard", shard) for shard in range(SHARDS)}
    record(f"{number} worker{'s' * (number > 1)}, undisturbed", SAME)


def test_workers_that_are_killed_change_nothing(crew: Crew, whole: bool, record: Record) -> None:
    draw, found = random.Random(f"{SEED} workers"), []
    for number in range(11 if whole else 1):
        out = crew.fresh(f"killed-{number}")
        phases = draw.sample(("load", "measure", "measure", "write", "write"), 3)
        hunter = Hunter(draw, out.with_name(out.name + ".shards"), tuple(phases))

        def trial(out: Path = out, hunter: Hunter = hunter) -> str:
            crew.resume(out, kill=hunter)
            return SAME

        found.append(attempt(record, "A run in which three workers are killed", trial))
        for phase in hunter.killed:
            record(f"A worker, killed while it has to {phase}", "its shard went to its successor")
        assert hunter.killed, "the run ended before anybody was killed"
    assert not any(found), found


def test_a_driver_that_is_killed_is_started_again_and_takes_what_is_there(crew: Crew, whole: bool, record: Record) -> None:
    draw, lost = random.Random(f"{SEED} driver"), list[Losing]()

    def trial(number: int) -> str:
        out, committed = crew.fresh(f"driver-{number}"), set[tuple[str, int]]()
        flags = ("--workers", str(draw.choice((1, 2)) if whole else 1))
        for _ in range(2):
            # Early, or once there is something to lose.
            there = draw.choice((0, 1, 3, 6))
            losing = Losing(draw.uniform(0.0, 3.0), lambda there=there: len(manifests(out)) >= there)
            ended = crew.run(out, flags=flags, kill=losing)
            assert ended.status in (KILLED, 0), ended.errors
            committed = crew.check(out, committed | ended.committed)
            lost.append(losing)
        crew.resume(out, flags=flags)
        return SAME

    what = "A driver, killed twice and started again"
    found = [attempt(record, what, lambda number=number: trial(number)) for number in range(6 if whole else 1)]
    # Ray's agents look for a minute whether it comes back: waited for where all trials are asked for, and for all at once.
    check_gone([process for losing in lost for process in losing.left if whole or "Agent" not in title(process)])
    record("Processes of drivers that were killed", "ended by themselves")
    if whole:
        # The next one that starts Ray clears up after them.
        crew.resume(crew.fresh("after"), flags=("--workers", "1"))
        assert [folder for losing in lost for folder in losing.folders if folder.exists()] == []
    assert not any(found), found


def flags_named(ended: Ended, out: Path) -> tuple[str, ...]:
    """What follows the counters in the command that an interrupted run says how to go on with; nothing where it had not begun."""
    named = shlex.split(ended.errors.splitlines()[-1].partition("resume with: ")[2]) if ended.status else []
    if not named:
        return ()
    if named[1:4] != ["-m", "extract", "run"] or named[5:7] != ["--out", str(out)]:
        raise Difference(f"not the command: {ended.errors}")
    return tuple(named[7:])


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_driver_that_is_asked_to_stop_ends_in_order_and_says_how_to_go_on(crew: Crew, name: str, whole: bool, record: Record) -> None:
    if name == "SIGTERM":
        needs_whole(whole)
    draw, found = random.Random(f"{SEED} {name}"), []

    def trial(number: int) -> str:
        out = crew.fresh(f"{name}-{number}")
        losing = Losing(draw.uniform(0.0, 2.0), lambda: len(manifests(out)) >= (number + 1) % 4, getattr(signal, name))
        flags = ("--workers", "1" if number % 2 == 0 else "2")
        ended = crew.run(out, flags=flags, kill=losing)
        if ended.status:
            check_told(ended, f"trial {number}, {name}")
        crew.check(out, ended.committed)
        check_gone(losing.left)
        if left := [folder for folder in losing.folders if folder.exists()]:
            raise Difference(f"left behind: {left}")
        crew.resume(out, flags=flags_named(ended, out) or flags)
        return f"exit 130, one line, nothing left behind; with the command that it names {SAME}" if ended.status else "had ended before"

    found = [attempt(record, f"A driver, {name}", lambda number=number: trial(number)) for number in range(4 if whole else 1)]
    assert not any(found), found
