"""Fingerprints of files: SHA-256, remembered by path, size and time of change, so that an unchanged file is read once.

The memory lies in the user's cache folder, with the embedded model and corpus; losing it costs only time."""

import contextlib
import getpass
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from extract.progress import waiting

CHUNK = 2**22
REMEMBERED = 1000
# Bytes that take a second or so to hash.
LARGE = 2**29
HOME = "home folder"


def cache_folder() -> Path:
    """Where Headcount keeps what it can make again: $HEADCOUNT_CACHE, else `headcount` in the user's cache folder."""
    chosen = os.environ.get("HEADCOUNT_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headcount"


def own_name(path: Path) -> str:
    """The last part of a path, also of one such as `.` or `data/..`: what the database may know of it.

    Of the home folder, or another whose name is the user's, such as one on a shared disk, "home folder"."""
    # Not Path.resolve, which would follow a link to a folder of another name.
    absolute = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100
    # Where no home is known, no path can be one.
    with contextlib.suppress(RuntimeError):
        if absolute.resolve() == Path.home().resolve():
            return HOME
    # Where nobody knows what the user is called, no folder is.
    with contextlib.suppress(KeyError, OSError, ImportError):
        if absolute.name.casefold() == getpass.getuser().casefold():
            return HOME
    return absolute.name


def of_files(paths: Sequence[Path], afresh: bool = False) -> str:
    """SHA-256 over the bytes of the files, one after the other; of one file, its own SHA-256. Raises OSError where one cannot be read.

    With `afresh` the bytes are read whatever is remembered: a disk that loses a bit changes no date."""
    key = _key(paths, "bytes")
    known = None if afresh else recall(key)
    if known is None:
        size = sum(path.stat().st_size for path in paths)
        with waiting(f"hashing {size / 2**30:.1f} GiB, once") if size > LARGE else contextlib.nullcontext():
            known = _hashed(paths)
        remember(key, known)
    return known


def _hashed(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def of_state(paths: Sequence[Path], purpose: str) -> str:
    """A key that changes when a file of the list is changed, added or removed, for `recall` and `remember`."""
    return _key(paths, purpose)


def recall(key: str) -> str | None:
    """What was remembered under a key, or None."""
    return _memory().get(key)


def remember(key: str, value: str) -> None:
    """Keep a value under a key; forgets the oldest ones. Does nothing where the cache folder cannot be written."""
    kept = dict([*_memory().items(), (key, value)][-REMEMBERED:])
    with contextlib.suppress(OSError):
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, suffix=".json")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(kept, file)
            Path(name).replace(folder / "fingerprints.json")
        finally:
            Path(name).unlink(missing_ok=True)


def _memory() -> dict[str, str]:
    try:
        memory = json.loads((cache_folder() / "fingerprints.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in memory.items()} if isinstance(memory, dict) else {}


def _key(paths: Sequence[Path], purpose: str) -> str:
    state = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(json.dumps([purpose, state]).encode()).hexdigest()
