"""A run of seconds that workers of Ray measure, beside its outcome from the plain loop; and hunters that find its processes and kill them.

Everything is of one trial: the driver is a child of the fork server, and a worker is whatever of Ray's runs below it."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest
from kill_toy import Toy
from safetensors.numpy import load_file, save_file
from trials import ROOT, Difference, Ended, ForkServer

# Seconds that processes have to end once their driver is gone: Ray's agents take a minute.
GONE = 120.0
# One window each.
SHARDS = 10
_WORDS = ["the", "river", "city", "war", "king", "of", "and", "in", "12", "author"]
# Large enough for a shard to be hit: some tenths of a second.
SIZE = {"n_layer": 6, "n_head": 8, "n_embd": 128, "n_positions": 512}
# What a killed driver's Ray was started with, in the command lines of its processes.
RAY_FOLDER = "headcount-ray"


@dataclass
class Crew(Toy):
    """The same harness for a run that workers measure. `flags` say on which."""

    flags: tuple[str, ...] = ("--workers", "2")

    def run(self, out: Path, command: str = "run", **more: object) -> Ended:
        """The run, killed or not; with the flags given, or its own."""
        flags = more.pop("flags", self.flags)
        return self.server.start("extract", command, str(self.run_file), "--out", str(out), *flags, **{"publish_every": 0.2, **more})


def make_text(path: Path, words: int, seed: int = 0) -> Path:
    """A text of so many words."""
    path.write_text(" ".join(random.Random(seed).choices(_WORDS, k=words)), encoding="utf-8")
    return path


def make_run(folder: Path, name: str, model: Path, text: Path, shards: int = SHARDS) -> Path:
    """A run file of windows that take a worker some tenths of a second each."""
    path = folder / f"{name}.toml"
    size = f"window = 512\nwindows = {shards}\nshards = {shards}\nrepeated_windows = {shards}\nrepeated_tokens = 100\n"
    given = f'name = "{name}"\nmodel = "{model}"\ncorpus = "{text}"\n{size}calibration_windows = 1\ndevice = "cpu"\n'
    path.write_text(given, encoding="utf-8")
    return path


def planted(**given: object) -> dict[str, str]:
    """The environment in which Python processes of Ray do what ray_plant.py says; the driver, forked before, does not."""
    paths = os.pathsep.join(str(ROOT / part) for part in ("tests/torture/planted", "", "tests/torture", "tests/extract"))
    return {"PYTHONPATH": paths} | {f"PLANT_{key.upper()}": str(value) for key, value in given.items()}


def below(pid: int) -> list[psutil.Process]:
    """Every process below one."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def title(process: psutil.Process) -> str:
    """What a process calls itself, empty where it has ended."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline()).strip()
    return ""


def workers(pid: int, doing: str = "") -> list[psutil.Process]:
    """The workers below a driver that do this, `open` or `measure`, now."""
    return [process for process in below(pid) if title(process).startswith(f"ray::Worker{'.' + doing if doing else ''}")]


@dataclass
class Hunter:
    """Kills workers of a run: one while each of the `phases`, load, measure and write, in turn. `killed` is what it came to."""

    draw: random.Random
    shards: Path
    phases: tuple[str, ...]
    killed: list[str] = field(default_factory=list)

    def __call__(self, pid: int, ended: Callable[[float], bool]) -> None:
        for phase in self.phases:
            while not (found := self._found(pid, phase)):
                if ended(0.001 if phase == "write" else 0.02):
                    return
            victim = self.draw.choice(found)
            if phase != "write" and ended(self.draw.uniform(0.0, 2.0 if phase == "load" else 0.4)):
                return
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
                self.killed.append(phase)
                victim.wait(10)

    def _found(self, pid: int, phase: str) -> list[psutil.Process]:
        if phase != "write":
            return workers(pid, "open" if phase == "load" else "measure")
        # A file that is half there: whoever has it open, or whoever is there where it has just been closed.
        if not any(True for _ in self.shards.rglob(".*.part")):
            return []
        there = workers(pid, "measure")
        return [process for process in there if _writes(process)] or there


def _writes(process: psutil.Process) -> bool:
    with contextlib.suppress(OSError):
        return any(link.readlink().suffix == ".part" for link in Path(f"/proc/{process.pid}/fd").iterdir())
    return False


@dataclass
class Losing:
    """Ends a driver by a signal after a wait, or once a condition holds; `left` are the processes that it had then."""

    seconds: float = 0.0
    once: Callable[[], bool] = lambda: True
    number: int = signal.SIGKILL
    left: list[psutil.Process] = field(default_factory=list)
    folders: set[Path] = field(default_factory=set)

    def __call__(self, pid: int, ended: Callable[[float], bool]) -> None:
        while not self.once():
            if ended(0.01):
                return
        if ended(self.seconds):
            return
        self.left = below(pid)
        for process in self.left:
            for word in title(process).replace("=", " ").split():
                if (path := Path(word)).name.startswith(RAY_FOLDER):
                    self.folders.add(path)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, self.number)


def check_gone(processes: list[psutil.Process]) -> None:
    """After a while none of these processes is there. Raises Difference."""
    limit = time.monotonic() + GONE
    while there := [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]:
        if time.monotonic() > limit:
            raise Difference(f"left behind: {[title(process) for process in there]}")
        time.sleep(0.1)


def manifests(out: Path) -> list[Path]:
    """The manifests of shards that lie beside the counters."""
    return sorted(out.with_name(out.name + ".shards").rglob("*.json"))


@pytest.fixture(scope="module")
def crew(server: ForkServer, tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Crew:
    """A toy with its outcome from the plain loop."""
    folder = tmp_path_factory.mktemp("crew")
    make_model(server, folder / "toy-model", tokenizer_file)
    run_file = make_run(folder, "Toy", folder / "toy-model", make_text(folder / "text.txt", 9000))
    made = Crew(server, folder, run_file, folder / "whole" / "counters.duckdb", 0.0, [])
    ended = made.run(made.whole, flags=(), learn=True)
    assert ended.status == 0, ended.errors
    made.seconds = ended.seconds
    return made


def make_model(server: ForkServer, folder: Path, tokenizer_file: Path, **settings: int) -> Path:
    """A checkpoint whose shards take some tenths of a second."""
    ended = server.start("checkpoint", str(folder), str(tokenizer_file), settings=SIZE | settings)
    assert ended.status == 0, ended.errors
    return folder


def spoil(checkpoint: Path) -> Path:
    """Put NaN into the weights of a checkpoint."""
    weights = checkpoint / "model.safetensors"
    tensors = load_file(weights)
    tensors["transformer.h.0.mlp.c_fc.bias"] = np.full_like(tensors["transformer.h.0.mlp.c_fc.bias"], np.nan)
    save_file(tensors, weights, metadata={"format": "pt"})
    return checkpoint
