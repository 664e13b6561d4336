"""What the machine of a worker may have: read by every Python process that finds this folder on its path, before anything else.

PLANT_FATAL: the number of a shard, or any, that the process does not survive, as one that runs out of memory; with PLANT_ONCE, a file that
is made then, only the first. PLANT_LOADS: a file that gets a line for each model that is loaded. PLANT_CODE: a folder with another copy of
the program. Tests set them in the environment of a driver, which has begun before, so that they hold in the processes of Ray alone."""

import contextlib
import os
import signal
import sys
import threading
import time
from typing import Any

if "PLANT_CODE" in os.environ:
    sys.path.insert(0, os.environ["PLANT_CODE"])
    # It stays the one, whatever paths Ray puts before it.
    import extract  # noqa: F401


def _watch() -> None:
    """Wait for the modules, and go between."""
    while True:
        replica, checkpoint = sys.modules.get("extract.replica"), sys.modules.get("extract.checkpoint")
        if hasattr(replica, "Replica") and hasattr(checkpoint, "load"):
            break
        time.sleep(0.005)
    _between(replica.Replica, checkpoint)  # type: ignore[union-attr]


def _again() -> bool:
    with contextlib.suppress(FileExistsError):
        if "PLANT_ONCE" in os.environ:
            open(os.environ["PLANT_ONCE"], "x").close()  # noqa: PTH123
        return True
    return False


def _between(replica: Any, checkpoint: Any) -> None:
    measure, load = replica.measure, checkpoint.load

    def measured(self: Any, shard: int) -> Any:
        if os.environ.get("PLANT_FATAL") in ("any", str(shard)) and _again():
            os.kill(os.getpid(), signal.SIGKILL)
        return measure(self, shard)

    def loaded(*given: Any, **more: Any) -> Any:
        if "PLANT_LOADS" in os.environ:
            with open(os.environ["PLANT_LOADS"], "a", encoding="utf-8") as file:  # noqa: PTH123
                file.write(f"{os.getpid()} {given[0].located.folder.name}\n")
        return load(*given, **more)

    replica.measure, checkpoint.load = measured, loaded


if {"PLANT_FATAL", "PLANT_LOADS"} & os.environ.keys():
    threading.Thread(target=_watch, daemon=True).start()
