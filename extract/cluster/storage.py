"""Where shard files lie: a folder that all workers share (folder.py), or a bucket of an object store (bucket.py).

Two ways of writing are needed. `put` leaves the file whole or not at all. `create` does so too, and only where there is none of that name:
of several writers one succeeds, and the others learn that they came late."""

from pathlib import Path
from typing import Protocol, runtime_checkable
from uuid import uuid4

from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem
from fsspec.core import url_to_fs

from extract.cluster.bucket import Bucket
from extract.cluster.folder import Folder
from extract.errors import EnvironmentRefusal

# What a listing said a moment ago is of no use where others write, and is not kept; s3fs asks for the size before it reads unless it reads
# in one piece.
_OPTIONS: dict[str, dict[str, object]] = {"s3": {"max_concurrency": 1}, "s3a": {"max_concurrency": 1}}
_FOLDERS = ("file://", "local://")
_KNOWN = "name a folder, s3://bucket/folder or gs://bucket/folder"


@runtime_checkable
class Storage(Protocol):
    """A place for files by name, whose names have no folders; one that begins with a dot is not listed.

    Whatever keeps it from being used is raised as EnvironmentRefusal."""

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole, in place of one of that name."""

    def create(self, name: str, data: bytes) -> bool:
        """Write a file whole where there is none of that name; gives whether it was this call that wrote it.

        One whose answer was lost on the way is repeated, finds its own file and gives False: compare what is there."""

    def read(self, name: str) -> bytes:
        """The content of a file. Raises FileNotFoundError."""

    def names(self) -> list[str]:
        """The names of all files, in order."""

    def remove(self, name: str) -> None:
        """Remove a file, where it is there."""

    def clear(self) -> None:
        """Remove all files, and the place where it is a folder."""


def absolute(place: str) -> str:
    """The place by a name that means the same to every process of a machine, wherever it was started."""
    folder = _folder(place)
    return place if folder is None else str(folder.absolute())


def storage(place: str, *below: str) -> Storage:
    """The storage at a path or an address such as s3://bucket/folder, in a folder below it.

    Raises EnvironmentRefusal where fsspec knows no such address, what it needs is not installed, or it cannot create on condition."""
    folder = _folder(place)
    if folder is not None:
        return Folder(folder.joinpath(*below))
    protocol = place.partition("://")[0]
    if "::" in place:
        raise EnvironmentRefusal("--shards takes no address within an address", place, _KNOWN)
    try:
        files, root = url_to_fs(place, use_listings_cache=False, **_OPTIONS.get(protocol, {}))
    except (ImportError, ValueError) as error:
        # fsspec says which package, such as s3fs or gcsfs.
        fix = f"pip install what it names, or {_KNOWN}"
        raise EnvironmentRefusal(f"--shards cannot be used: {error}", protocol, fix) from error
    except Exception as error:
        # Some look for credentials at once, and raise what their library raises.
        what = f"--shards cannot be used: {str(error) or type(error).__name__}"
        raise EnvironmentRefusal(what, place, "check the credentials and the address") from error
    if not _creates(files):
        raise EnvironmentRefusal(f"{protocol} has no way to create a file only where there is none", place, _KNOWN)
    return Bucket(files, "/".join([root.rstrip("/"), *below]))


def check_place(place: Storage, where: str) -> None:
    """Write, create, read and remove a file of another name than shards have, before anything is measured. Raises EnvironmentRefusal."""
    name = f".{uuid4().hex}"
    try:
        created = place.create(name, b"first")
        again, there = place.create(name, b"second"), place.read(name)
    except FileNotFoundError as error:
        raise EnvironmentRefusal("a file that was just written is not there", where, "take another --shards") from error
    place.remove(name)
    if again or there != b"first" or not created:
        raise EnvironmentRefusal("the store lets what is there be written over on condition that it is not", where, "take another --shards")
    if isinstance(place, Folder):
        place.leave_if_empty()


def _folder(place: str) -> Path | None:
    for prefix in _FOLDERS:
        place = place.removeprefix(prefix)
    return None if "://" in place else Path(place)


def _creates(files: AbstractFileSystem) -> bool:
    """Whether a file system has a way of its own to create a file: fsspec's looks first, then writes, and may be overtaken in between."""
    kind, name = (AsyncFileSystem, "_pipe_file") if isinstance(files, AsyncFileSystem) else (AbstractFileSystem, "pipe_file")
    return getattr(type(files), name) is not getattr(kind, name)
