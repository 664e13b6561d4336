"""A toy run that is killed, interrupted or changed under way, beside its uninterrupted outcome; and the process that forks its children."""

import random
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from trials import Difference, Ended, ForkServer, compare

from extract.wal import torn_bytes

# A window each.
SHARDS = 6
KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """One for all trials of a module."""
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

    def fresh(self, name: object) -> Path:
        """The same, without what a trial that failed has left there."""
        shutil.rmtree(self.out(name).parent, ignore_errors=True)
        return self.out(name)

    def run(self, out: Path, command: str = "run", **more: object) -> Ended:
        """The command, killed or not."""
        options = ("--quick", "--windows", "2") if command == "calibrate" else ()
        return self.server.start("extract", command, str(self.run_file), "--out", str(out), *options, **{"publish_every": 0.2, **more})

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

    def resume(self, out: Path, command: str = "run", **more: object) -> set[tuple[str, int]]:
        """The same command again ends well and leaves nothing behind, every table as in the uninterrupted run: gives its shards."""
        ended = self.run(out, command, **more)
        if ended.status != 0:
            raise Difference(f"not resumed: {ended.errors}")
        for file in (out, out.with_name(out.name + ".work")):
            there = compare(self.whole, file, self.folder / "scratch", complete=True)
        # The log of a working file that was closed in order is gone; one that any kill left without its end is kept.
        left = {path.name for path in out.parent.iterdir()} - {out.name, out.name + ".work"}
        if left := {name for name in left if not (".wal.torn-" in name and torn_bytes((out.parent / name).read_bytes()))}:
            raise Difference(f"left behind: {left}")
        shutil.rmtree(out.parent)
        return there


@pytest.fixture(scope="module")
def toy(server: ForkServer, tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Toy:
    """A few windows of sixteen tokens, a shard each; the rest of the text is for the calibration."""
    folder = tmp_path_factory.mktemp("toy")
    # By the server, which has loaded what makes one.
    ended = server.start("checkpoint", str(folder / "toy-model"), str(tokenizer_file))
    assert ended.status == 0, ended.errors
    words = random.Random(0)
    (folder / "text.txt").write_text(
        " ".join(words.choices(["the", "river", "city", "war", "king", "of", "and", "in", "12", "author"], k=900)), encoding="utf-8"
    )
    text = f"""name = "Toy"
model = "{folder / "toy-model"}"
corpus = "{folder / "text.txt"}"
window = 16
windows = {SHARDS}
shards = {SHARDS}
calibration_windows = 2
repeated_windows = 4
repeated_tokens = 7
device = "cpu"
"""
    (folder / "toy.toml").write_text(text, encoding="utf-8")
    made = Toy(server, folder, folder / "toy.toml", folder / "whole" / "counters.duckdb", 0.0, [])
    # What the first one has to load would be part of its time.
    for first in (True, False):
        ended = made.run(made.whole if first else made.out("warm"), list_steps=True, learn=first)
        assert ended.status == 0, ended.errors
        made.seconds, made.steps = ended.seconds, ended.steps
    return made
