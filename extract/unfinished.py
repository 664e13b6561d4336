"""Folders that are filled beside their target and then take its place; what a killed process left of them is removed by the next one.

Whoever fills such a folder holds a lock on it, which the system takes back however the process ends: a folder of that name without a lock
is nobody's. (report/unfinished.py does the same: neither package imports the other.)"""

import contextlib
import fcntl
import os
import shutil
from pathlib import Path

MARK = ".tmp-"


def claim(folder: Path) -> int:
    """Make the folder where it is missing, and lock it until the handle that is given back is closed, or the process ends."""
    while True:
        folder.mkdir(exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        # Some network file systems know no locks: then nothing is ever taken for abandoned.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        # Between the making and the locking, another process may have taken it for abandoned.
        with contextlib.suppress(OSError):
            if os.fstat(handle).st_ino == folder.stat().st_ino:
                return handle
        os.close(handle)


def remove_abandoned(target: Path) -> None:
    """Remove the folders beside `target` that nobody fills any more."""
    for folder in target.parent.glob("*"):
        if folder.name.startswith(target.name + MARK) and folder.is_dir() and not folder.is_symlink():
            with contextlib.suppress(OSError):
                handle = os.open(folder, os.O_RDONLY)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(handle)
