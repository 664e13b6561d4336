"""Real processes are killed at seeded moments and steps: nothing that was committed is lost or torn, and resuming gives the very same tables.

Moments are wall-clock times since the start, spread over a whole run; steps are statements to the database, syncs, renames and removals, before,
in or after which the process dies; a file that appears or grows is seen from outside. The children are forked by one warm process (fork_server.py)."""

import itertools
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from trials import Difference, Ended, ForkServer, after, compare, when

Record = Callable[[str, str], None]
# That of conftest.py, which cannot be imported by its name: there are several.
SEED = 20260
TITLE = "Processes that are killed"
SHARDS = 10
KILLED = -signal.SIGKILL
RESUMED = "nothing lost or torn; resumed to the same tables"
COUNTS = "figure,layer_low,layer_high,band_ordinal,band_label,band_low,band_high,heads\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    process = ForkServer(tmp_path_factory.mktemp("server"))
    yield process
    process.close()


@dataclass
class Toy:
    """A toy run and its uninterrupted outcome: tables in `whole`, made in `seconds` by `steps`."""

    server: ForkServer
    folder: Path
    run_file: Path
    whole: Path
    seconds: float
    steps: list[str]

    def out(self, name: object) -> Path:
        """A counters file of a trial's own."""
        return self.folder / f"trial-{name}" / "counters.duckdb"

    def run(self, out: Path, command: str = "run", **more: object) -> Ended:
        """The command, killed or not."""
        options = ("--quick", "--windows", "2") if command == "calibrate" else ()
        return self.server.start("extract", command, str(self.run_file), "--out", str(out), *options, **{"publish_every": 0.05, **more})

    def check(self, out: Path, committed: set[tuple[str, int]]) -> set[tuple[str, int]]:
        """After a kill: what was committed is there, nothing is torn, and the counters file holds whole shards. Gives what is there."""
        scratch = self.folder / "scratch"
        work = out.with_name(out.name + ".work")
        there = compare(self.whole, work, scratch, complete=False) if work.exists() and work.stat().st_size else set()
        if committed - there:
            raise Difference(f"lost: {sorted(committed - there)}")
        if out.exists():
            published = compare(self.whole, out, scratch, complete=False)
            if published - there:
                raise Difference(f"published, and not in the working file: {sorted(published - there)}")
        return there

    def resume(self, out: Path, command: str = "run") -> None:
        """The same command again ends well, leaves nothing behind, and every table is that of the uninterrupted run."""
        ended = self.run(out, command)
        if ended.status != 0:
            raise Difference(f"not resumed: {ended.errors}")
        for file in (out, out.with_name(out.name + ".work")):
            compare(self.whole, file, self.folder / "scratch", complete=True)
        left = {path.name for path in out.parent.iterdir()} - {out.name, out.name + ".work"}
        # The log of a working file that was closed in order is gone; no other file may stay.
        if left:
            raise Difference(f"left behind: {left}")
        shutil.rmtree(out.parent)


@pytest.fixture
def toy(server: ForkServer, tmp_path: Path, make_checkpoint: Callable[..., Path], write_text: Callable[..., Path]) -> Toy:
    """Two layers of two heads over ten windows of sixteen tokens, a shard each; the rest of the text is for the calibration."""
    text = "\n".join(
        (
            'name = "Toy"',
            f'model = "{make_checkpoint()}"',
            f'corpus = "{write_text(300, 300, 300)}"',
            f"window = 16\nwindows = {SHARDS}\nshards = {SHARDS}\ncalibration_windows = 2\nrepeated_windows = 4\nrepeated_tokens = 7",
            'device = "cpu"',
        )
    )
    (tmp_path / "toy.toml").write_text(text + "\n", encoding="utf-8")
    toy = Toy(server, tmp_path, tmp_path / "toy.toml", tmp_path / "whole" / "counters.duckdb", 0.0, [])
    ended = toy.run(toy.whole, list_steps=True)
    assert ended.status == 0, ended.errors
    toy.seconds, toy.steps = ended.seconds, ended.steps
    return toy


def attempt(record: Record, what: str, trial: Callable[[], str]) -> str | None:
    """One trial, counted; gives what it found, where it found something."""
    try:
        record(what, trial())
    except Difference as found:
        record(what, "LOST or torn")
        return f"{what}: {found}"
    return None


def test_a_run_that_is_killed_at_any_moment_loses_nothing(toy: Toy, whole: bool, record: Record) -> None:
    draw = random.Random(SEED)

    def trial(number: int) -> str:
        out, committed = toy.out(number), set[tuple[str, int]]()
        # Some are killed again while they resume.
        for _ in range(draw.choice((1, 1, 2, 3))):
            ended = toy.run(out, kill=after(draw.uniform(0.0, 1.05 * toy.seconds)))
            assert ended.status in (KILLED, 0), ended.errors
            committed |= ended.committed
            committed = toy.check(out, committed)
        toy.resume(out)
        return RESUMED

    found = [attempt(record, "extract run, killed at a moment, up to three times in turn", lambda: trial(n)) for n in range(60 if whole else 2)]
    assert not any(found), found
