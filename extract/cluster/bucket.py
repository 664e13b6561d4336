"""A folder of an object store, through fsspec: a put there is whole or not at all, and may be made on the condition that there is no such
object (If-None-Match in S3, ifGenerationMatch in GCS)."""

import contextlib
import logging
import time
from collections.abc import Iterator

from fsspec import AbstractFileSystem

from extract.errors import EnvironmentRefusal, Refusal

# Two that create one object at the same moment may both be sent away, to try again; so many times, after so many seconds
# that double.
_TRIES, _WAIT = 6, 0.1
_TAKEN, _CONFLICT = "PreconditionFailed", "ConditionalRequestConflict"


class Bucket:
    """A Storage."""

    def __init__(self, files: AbstractFileSystem, root: str) -> None:
        self._files, self._root = files, root
        for library in map(logging.getLogger, ("s3fs", "gcsfs", "google")):
            if not library.hasHandlers():
                # What they log where nobody listens would go to stderr, with its traceback; here it is told in one line.
                library.addHandler(logging.NullHandler())

    def put(self, name: str, data: bytes) -> None:
        """As in Storage."""
        with self._told("written"):
            self._files.pipe_file(f"{self._root}/{name}", data)

    def create(self, name: str, data: bytes) -> bool:
        """As in Storage."""
        with self._told("written"):
            for attempt in range(_TRIES):
                try:
                    self._files.pipe_file(f"{self._root}/{name}", data, mode="create")
                    return True
                except FileExistsError:
                    return False
                except OSError as error:
                    code = _code(error)
                    # s3fs makes it a FileExistsError only where the answer says which condition failed, as not every store's does.
                    if code == _TAKEN:
                        return False
                    if code != _CONFLICT or attempt == _TRIES - 1:
                        raise
                time.sleep(_WAIT * 2**attempt)
        raise AssertionError("the last try has an answer")

    def read(self, name: str) -> bytes:
        """As in Storage."""
        with self._told("read", missing=True):
            return bytes(self._files.cat_file(f"{self._root}/{name}"))

    def names(self) -> list[str]:
        """As in Storage."""
        with self._told("listed"):
            try:
                found = self._files.ls(self._root, detail=False)
            except FileNotFoundError:
                return []
        return sorted(name for path in found if not (name := str(path).rpartition("/")[2]).startswith("."))

    def remove(self, name: str) -> None:
        """As in Storage."""
        with self._told("removed"), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{name}")

    def clear(self) -> None:
        """As in Storage."""
        with self._told("removed"), contextlib.suppress(FileNotFoundError):
            self._files.rm(self._root, recursive=True)

    @contextlib.contextmanager
    def _told(self, done: str, *, missing: bool = False) -> Iterator[None]:
        """What a store or the way to it refuses, as one line; with `missing`, that there is no such file is left to the caller.

        Each store's library has exceptions of its own, of no common class."""
        try:
            yield
        except Refusal:
            raise
        except Exception as error:
            if missing and isinstance(error, FileNotFoundError):
                raise
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            fix = "check the bucket's name, the credentials and their rights, and the network; nothing that was measured is lost"
            raise EnvironmentRefusal(f"shards cannot be {done}: {said}", self._files.unstrip_protocol(self._root), fix) from error


def _code(error: BaseException) -> str:
    """The code in a store's answer, as botocore keeps it; empty for any other error."""
    response = getattr(error.__cause__, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
