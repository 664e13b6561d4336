"""Many workers measure the shards of one run, or of many: Ray runs them, files are the contract.

A worker (worker.py) measures a shard and leaves it as a Parquet file with a manifest (shard_files.py) in a folder or bucket
(storage.py); the driver (driver.py) hands out shards and commits them, in order, to the same database as one process would. Ray starts,
watches and restarts the processes (session.py)."""

import contextlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from extract.progress import say


@dataclass(frozen=True)
class Cluster:
    """What was asked for: `workers`, at most (None: as many as there is room for); `ray`, the address of a cluster that is up (None: one
    of our own, on this machine); `shards`, where workers leave what they measured (None: beside the counters)."""

    workers: int | None = None
    ray: str | None = None
    shards: str | None = None

    def place(self, out: Path) -> str:
        """Where workers leave their shards of runs into this counters file."""
        return self.shards or os.fspath(out.absolute().with_name(out.name + ".shards"))

    def tidy(self, out: Path) -> None:
        """Remove the place beside the counters where nothing is in it; one that the user named stays."""
        if self.shards is None:
            with contextlib.suppress(OSError):
                Path(self.place(out)).rmdir()

    def installed(self) -> bool:
        """Whether Ray is there; says what to install where it is not."""
        if importlib.util.find_spec("ray") is not None:
            return True
        say("Ray is not installed, so this process measures alone; for workers: pip install 'headcount[cluster]', or make cluster")
        return False
