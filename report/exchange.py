"""Puts a folder in the place of another in one step where the system can: at no moment is there none, nor a half of each."""

import ctypes
import os
import shutil
from pathlib import Path

AT_FDCWD = -100
# RENAME_EXCHANGE of Linux and RENAME_SWAP of macOS.
SWAP = 2


def replace_folder(fresh: Path, site: Path) -> None:
    """Put `fresh` in the place of `site`; the old folder, if any, is removed or left at the place of `fresh`."""
    if not site.exists():
        fresh.rename(site)
    elif not swap(fresh, site):
        old = site.with_name(f"{site.name}.old-{os.getpid()}")
        site.rename(old)
        fresh.rename(site)
        shutil.rmtree(old, ignore_errors=True)


def mend(site: Path) -> None:
    """Put back, or remove, what a process that was killed between the two renames has left, where the system knows no swap."""
    for old in sorted(site.parent.glob("*")):
        if old.name.startswith(f"{site.name}.old-") and (old / "facts.json").is_file():
            if site.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.rename(site)


def swap(one: Path, other: Path) -> bool:
    """Exchange two names; False where the system or the file system cannot, and nothing is changed."""
    library = ctypes.CDLL(None)
    paths = os.fsencode(one), os.fsencode(other)
    if hasattr(library, "renameat2"):
        return int(library.renameat2(AT_FDCWD, paths[0], AT_FDCWD, paths[1], ctypes.c_uint(SWAP))) == 0
    if hasattr(library, "renamex_np"):
        return int(library.renamex_np(*paths, ctypes.c_uint(SWAP))) == 0
    return False
