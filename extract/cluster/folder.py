"""A folder that all workers share, on one machine or by a network file system.

What is written goes to a temporary file, to the disk, and then gets its name: by a rename, which replaces, or by a hard link, which fails
where the name is taken. Where a file system has no hard links, there is a look and a rename instead, under a lock of the operating system,
which goes with the process that holds it."""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from extract.database_file import sync
from extract.errors import EnvironmentRefusal, disk_full

# How file systems without hard links say so.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
_LOCK = ".lock"


class Folder:
    """A Storage."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, data: bytes) -> None:
        """As in Storage."""
        with self._told("written"), self._written(data) as part:
            part.replace(self._folder / name)
            sync(self._folder)

    def create(self, name: str, data: bytes) -> bool:
        """As in Storage."""
        with self._told("written"), self._written(data) as part:
            created = self._linked(part, self._folder / name)
            if created:
                sync(self._folder)
        return created

    def read(self, name: str) -> bytes:
        """As in Storage."""
        with self._told("read", missing=True):
            return (self._folder / name).read_bytes()

    def names(self) -> list[str]:
        """As in Storage."""
        with self._told("listed"):
            try:
                # One that begins with a dot is not whole, or no longer wanted.
                return sorted(file.name for file in self._folder.iterdir() if not file.name.startswith("."))
            except FileNotFoundError:
                return []

    def remove(self, name: str) -> None:
        """As in Storage."""
        with self._told("removed"):
            (self._folder / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """As in Storage."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def leave_if_empty(self) -> None:
        """Remove the folder where nothing is in it."""
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    @contextlib.contextmanager
    def _written(self, data: bytes) -> Iterator[Path]:
        """A temporary file that holds the data, on the disk; what a killed process leaves of it is overlooked, and goes with the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".part")
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # Files of mkstemp are for their maker alone; on a cluster, workers and driver may be of one group only.
            part.chmod(0o644)
            yield part
        finally:
            part.unlink(missing_ok=True)

    def _linked(self, part: Path, path: Path) -> bool:
        """Give a file its name where that is free."""
        try:
            os.link(part, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with self._alone():
                if os.path.lexists(path):
                    return False
                part.replace(path)
        return True

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """While no other process is in here with the same folder."""
        handle = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _told(self, done: str, *, missing: bool = False) -> Iterator[None]:
        """What the operating system refuses, as one line; with `missing`, that there is no such file is left to the caller."""
        try:
            yield
        except OSError as error:
            if missing and isinstance(error, FileNotFoundError):
                raise
            error.filename = error.filename or str(self._folder)
            fix = "mend the folder, or choose another --shards; nothing that was measured is lost"
            where = str(self._folder)
            raise disk_full(error) or EnvironmentRefusal(f"shards cannot be {done}: {error.strerror}", where, fix) from error
