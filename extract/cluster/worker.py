"""A worker: a process that holds a model and measures shards of any run that it is given, one at a time, each left as a file.

It finds model and text by the same names as the driver, on its own machine, and measures nothing where one of them, a library or the code
is another than the driver's. Needs nothing of Ray, which starts it, hands it its calls, and starts it again when it is killed."""

import contextlib
import io
import os
import time
from dataclasses import dataclass

import pyarrow as pa

from extract import corpus, device
from extract.checkpoint_files import locate
from extract.cluster.shard_files import Manifest, leave
from extract.cluster.storage import storage
from extract.config import RunConfig
from extract.errors import EnvironmentRefusal
from extract.identity import describe, known_by
from extract.loading import Loaded, if_same, load
from extract.replica import Replica


@dataclass(frozen=True)
class Task:
    """A run as workers are told of it. `row` is its row in table run, `place` where they leave shards."""

    config: RunConfig
    row: dict[str, object]
    batch: int
    weights_sha256: str
    place: tuple[str, ...]
    pyarrow: str = pa.__version__


@dataclass(frozen=True)
class Opened:
    """How long it took to load a run's model, in seconds, and what a user should hear of its text."""

    seconds: float
    warnings: tuple[str, ...]


class Worker:
    """Holds the model of the run that was asked for last: another run of the same model finds it warm."""

    def __init__(self, threads: int) -> None:
        # Read when torch is loaded; threads that spin while they wait are four times slower beside other work.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        # Ray leaves this alone where somebody has set it: on one machine, for all of its cores.
        os.environ["OMP_NUM_THREADS"] = str(threads)
        self._run: tuple[str, ...] | None = None
        self._loaded: Loaded | None = None
        self._replica: Replica | None = None

    def ready(self) -> int:
        """Called first, to learn that it is up; gives its process id."""
        return os.getpid()

    def open(self, task: Task) -> Opened:
        """Load a run's model and text, unless they are there. Raises a Refusal of what cannot be used."""
        started, told = time.monotonic(), io.StringIO()
        if self._run != task.place:
            with contextlib.redirect_stderr(told):
                self._open(task)
        warnings = tuple(line for line in told.getvalue().splitlines() if line.startswith("warning:"))
        return Opened(time.monotonic() - started, warnings)

    def measure(self, task: Task, shard: int, key: str) -> Manifest:
        """Measure one shard and leave it under its key. Loads the run where this process has been started again since."""
        self.open(task)
        if self._replica is None:
            raise AssertionError("a run that has been opened has a replica")
        try:
            measured = self._replica.measure(shard)
        except EnvironmentRefusal as refusal:
            if type(refusal.__cause__).__name__ == "AcceleratorError":
                # What has failed once fails for good in this process; Ray starts another, and hands it the shard.
                os._exit(1)
            raise
        return leave(storage(*task.place), key, measured)

    def _open(self, task: Task) -> None:
        config = task.config
        located = locate(config.model, config.revision, task.weights_sha256)
        _check_same(task, describe(config, located, corpus.identify(config.corpus, config.max_line_bytes), device.resolve(config.device)))
        self._run = self._replica = None
        self._loaded = if_same(self._loaded, config, located)
        self._loaded = load(config, located, task.row, self._loaded)
        self._replica, self._run = Replica(self._loaded, task.batch), task.place


def _check_same(task: Task, here: dict[str, object]) -> None:
    # Files of another pyarrow have other bytes for the same rows.
    asked, found = known_by(task.row) | {"pyarrow": task.pyarrow}, known_by(here) | {"pyarrow": pa.__version__}
    differing = sorted(key for key in asked.keys() | found.keys() if asked.get(key) != found.get(key))
    if differing:
        fix = "let every machine have the same packages, and model and text at the same paths"
        raise EnvironmentRefusal(f"a worker's {', '.join(differing[:4])} differ from the driver's", task.config.name, fix)
