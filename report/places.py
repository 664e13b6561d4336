"""The places that a build reads and writes: what must hold of them before it begins, and still at its end."""

import os
import re
import shutil
import tempfile
from pathlib import Path

from report.errors import EnvironmentRefusal, UsageRefusal

# Bytes that a build takes while it lasts: of any site, and as copies of the counters.
EMPTY_BYTES = 32 * 2**20
COPIES = 5


def refuse_within(counters: Path, site: Path, published: Path) -> None:
    """Refuse places of which one would be lost when another is replaced: a site is, as a whole."""
    if counters == published:
        raise UsageRefusal("the published file would replace the counters", published.name, "give --publish another name")
    if published.is_relative_to(site):
        raise UsageRefusal("the published file would be lost with the old site", published.name, "give --publish a place outside of --out")
    if counters.is_relative_to(site):
        raise UsageRefusal("the counters would be lost with the old site", counters.name, "move them out of the folder of --out")


def refuse_unwritable(target: Path) -> None:
    """Refuse a file that cannot be written, before any work is done."""
    if target.is_dir():
        raise EnvironmentRefusal("is a folder already", target.name, "give it another name")
    refuse_mount(target, "mount the folder it is to lie in, or give it another name")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        fix = "choose a folder you may write to"
        raise EnvironmentRefusal(f"cannot write here: {error.strerror}", target.parent.name, fix) from error


def refuse_mount(target: Path, fix: str) -> None:
    """Refuse a place where a file system, a file or a folder is mounted, as containers are given them: nothing can take its place."""
    if target.is_mount() or str(target) in _mounted():
        raise EnvironmentRefusal("is a mount point, which cannot be replaced", target.name or str(target), fix)


def _mounted() -> set[str]:
    """Whatever is mounted, also from the same file system, which `is_mount` cannot tell; nothing where the system has no list of it."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return set()
    # Space, tab, line end and backslash stand in it as three octal digits.
    return {os.fsdecode(re.sub(rb"\\(\d{3})", lambda found: bytes([int(found[1], 8)]), line.split(b" ")[4])) for line in lines}


def refuse_foreign(site: Path) -> None:
    """Refuse a folder that is not an earlier site: it will be replaced as a whole."""
    if site.is_file():
        raise EnvironmentRefusal("is a file already", site.name, "give --out another name")
    refuse_mount(site, "name a folder in it with --out")
    if site.is_dir() and any(site.iterdir()) and not (site / "facts.json").is_file():
        raise EnvironmentRefusal("the folder holds something else than a site", site.name, "give --out a new or empty folder")
    refuse_unwritable(site.with_suffix(".tmp"))


def check_space(work: Path, counters: Path) -> None:
    """Refuse to begin where a site of these counters may not fit beside the old one."""
    needed, free = EMPTY_BYTES + COPIES * counters.stat().st_size, shutil.disk_usage(work).free
    if free < needed:
        what = f"{free // 2**20} MiB are free, the build may need {-(-needed // 2**20)} MiB"
        raise EnvironmentRefusal(what, work.parent.name, "free some space, or choose another --out; the last good site stands")


def refuse_replaced(counters: Path, begun: os.stat_result) -> None:
    """Refuse counters that a run has published anew since the build began: what was verified would not be what is shown."""
    now = counters.stat()
    if (now.st_ino, now.st_size, now.st_mtime_ns) != (begun.st_ino, begun.st_size, begun.st_mtime_ns):
        what, fix = "replaced while it was read, as a run does that goes on", "run the same command again"
        raise EnvironmentRefusal(what, counters.name, fix)
