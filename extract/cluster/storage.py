"""Where shard files lie: a folder that all workers share, or a bucket of an object store, through fsspec.

Two ways of writing are needed. `put` leaves the file whole or not at all. `create` does so too, and only where there is none of that name:
of several writers one succeeds, and the others learn that they came late. In a folder that is a temporary file, a sync and a rename, or a
hard link, which unlike a rename fails where the name is taken; in an object store a put, and a put on the condition that there is no
such object (If-None-Match in S3, ifGenerationMatch in GCS)."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import fsspec
from fsspec.core import url_to_fs

from extract.database_file import sync
from extract.errors import EnvironmentRefusal


@runtime_checkable
class Storage(Protocol):
    """A place for files by name, whose names have no folders."""

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole, in place of one of that name."""

    def create(self, name: str, data: bytes) -> bool:
        """Write a file whole where there is none of that name; gives whether it was this call that wrote it."""

    def read(self, name: str) -> bytes:
        """The content of a file. Raises FileNotFoundError."""

    def names(self) -> list[str]:
        """The names of all files, in order."""

    def remove(self, name: str) -> None:
        """Remove a file, where it is there."""

    def clear(self) -> None:
        """Remove all files, and the place where it is a folder."""


def storage(place: str, *below: str) -> Storage:
    """The storage at a path or an address such as s3://bucket/folder, in a folder below it.

    Raises EnvironmentRefusal where fsspec knows no such address, or what it needs for it is not installed."""
    if "://" not in place or place.startswith("file://"):
        return Folder(Path(place.removeprefix("file://")).joinpath(*below))
    try:
        files, root = url_to_fs(place)
    except (ImportError, ValueError) as error:
        # fsspec says which package, such as s3fs or gcsfs.
        raise EnvironmentRefusal(f"--shards cannot be used: {error}", place.partition("://")[0], "pip install what it names") from error
    return Bucket(files, "/".join([root.rstrip("/"), *below]))


class Folder:
    """A folder on this machine, or one that several machines share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, data: bytes) -> None:
        """As in Storage."""
        with self._written(data) as part:
            part.replace(self._folder / name)
        sync(self._folder)

    def create(self, name: str, data: bytes) -> bool:
        """As in Storage."""
        with self._written(data) as part:
            try:
                os.link(part, self._folder / name)
            except FileExistsError:
                return False
        sync(self._folder)
        return True

    def read(self, name: str) -> bytes:
        """As in Storage."""
        return (self._folder / name).read_bytes()

    def names(self) -> list[str]:
        """As in Storage."""
        # One that begins with a dot is not whole, or no longer wanted.
        return sorted(file.name for file in self._folder.glob("[!.]*")) if self._folder.is_dir() else []

    def remove(self, name: str) -> None:
        """As in Storage."""
        (self._folder / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """As in Storage; the folder above goes too where nothing else is in it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self._folder.parent.rmdir()

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


class Bucket:
    """A folder of an object store, or whatever fsspec reaches, whose puts are whole or not at all."""

    def __init__(self, files: fsspec.AbstractFileSystem, root: str) -> None:
        self._files, self._root = files, root

    def put(self, name: str, data: bytes) -> None:
        """As in Storage."""
        self._files.pipe_file(f"{self._root}/{name}", data)

    def create(self, name: str, data: bytes) -> bool:
        """As in Storage."""
        try:
            self._files.pipe_file(f"{self._root}/{name}", data, mode="create")
        except FileExistsError:
            return False
        return True

    def read(self, name: str) -> bytes:
        """As in Storage."""
        return bytes(self._files.cat_file(f"{self._root}/{name}"))

    def names(self) -> list[str]:
        """As in Storage."""
        # Other processes write here: what was listed before is of no use.
        self._files.invalidate_cache()
        try:
            found = self._files.ls(self._root, detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(path).rpartition("/")[2] for path in found)

    def remove(self, name: str) -> None:
        """As in Storage."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{name}")

    def clear(self) -> None:
        """As in Storage."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm(self._root, recursive=True)
