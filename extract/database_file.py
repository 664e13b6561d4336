"""Files of a database: whether a place can be written, whether a file is a database, and what DuckDB's errors about it mean to a user."""

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from extract.errors import DatabaseRefusal, EnvironmentRefusal, Refusal


def check_writable(out: Path) -> None:
    """Make the folder of `out` where it is missing, and refuse a place that cannot be written."""
    if out.is_dir():
        raise EnvironmentRefusal("the output is a folder", str(out), f"name a file in it, such as {out / 'counters.duckdb'}")
    if out.exists() and not out.is_file():
        # It would be replaced by a file.
        raise EnvironmentRefusal("the output is no regular file", str(out), "name a file")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise EnvironmentRefusal(f"cannot write here: {error.strerror}", str(out.parent), "choose another --out") from error


def check_space(out: Path, needed: int) -> None:
    """Refuse to begin where fewer than `needed` bytes are free."""
    free = shutil.disk_usage(out.parent).free
    if free < needed:
        what = f"{free // 2**20} MiB are free, the run may need {needed // 2**20} MiB"
        raise EnvironmentRefusal(what, str(out.parent), "free some space, or choose another --out; nothing is lost")


def remove_empty(path: Path) -> None:
    """Remove a file of no bytes, which a process leaves that is killed before it writes; not one that a process has locked."""
    with contextlib.suppress(OSError):
        if path.stat().st_size:
            return
        with path.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(file.fileno()).st_size:
                path.unlink()


def check_is_duckdb(path: Path) -> None:
    """Refuse a file that is there and is no DuckDB file.

    To be called only before the file is attached: closing a second handle on a file gives up this process's POSIX lock on it."""
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise EnvironmentRefusal(
            f"cannot be read: {error.strerror}", path.name, "check the permissions, or choose another --out"
        ) from error
    if start[8:12] == b"DUCK":
        return
    looks = "it is empty"
    if start:
        looks = "it looks like a web page" if start.lstrip().startswith(b"<") else "it holds something else"
    if start.startswith(b"version https://git-lfs"):
        looks = "it looks like a Git LFS pointer"
    raise DatabaseRefusal(f"not a DuckDB file ({looks})", path.name, "choose another --out, or restore the file")


def connect(*files: Path) -> duckdb.DuckDBPyConnection:
    """The only place in extract that opens DuckDB: these databases may be attached, and no other file of this machine is read or written,
    whatever the SQL says; no extension is loaded, no variable of this process read, and no setting changed."""
    connection = duckdb.connect()
    companions = ("", ".wal", ".wal.checkpoint", ".wal.recovery")
    connection.execute("set allowed_paths = $1", [[f"{file.absolute()}{ending}" for file in files for ending in companions]])
    for setting in _FORBIDDEN:
        connection.execute(f"set {setting} = false")
    # Last, for nothing can be set after it.
    connection.execute("set lock_configuration = true")
    return connection


_FORBIDDEN = (
    "autoload_known_extensions",
    "autoinstall_known_extensions",
    "allow_community_extensions",
    "allow_persistent_secrets",
    "python_enable_replacements",
    "enable_external_access",
)


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors about the state of a file into refusals; any other error is a bug and passes."""
    try:
        yield
    except duckdb.Error as error:
        refusal = _refusal(str(error).splitlines()[0].replace(str(path.absolute()), path.name), path)
        if refusal is None:
            raise
        raise refusal from error


def _refusal(said: str, path: Path) -> Refusal | None:
    if "Could not set lock" in said:
        holder = re.search(r"PID (\d+)", said)
        who = f"process {holder[1]}" if holder else "another process"
        return EnvironmentRefusal(f"{who} has the file open", path.name, "close it, or wait for it, and run the same command again")
    if "No space left" in said or "Out of disk" in said:
        return EnvironmentRefusal(
            "the disk is full", path.name, "free some space and run the same command again; committed shards are kept"
        )
    if "newer version of DuckDB" in said or "version number" in said:
        return DatabaseRefusal(f"written by a newer DuckDB than {duckdb.__version__}", path.name, "pip install -U duckdb")
    if "Corrupt" in said or "Could not read enough bytes" in said or "replaying WAL" in said:
        return DatabaseRefusal(f"damaged: {said}", path.name, "restore it from a copy, or move it away and measure again")
    return (
        EnvironmentRefusal(said, path.name, "check the file and its folder; --debug shows the rest")
        if said.startswith("IO Error")
        else None
    )


def quoted(path: Path) -> str:
    """The absolute path as a SQL text."""
    return "'" + str(path.absolute()).replace("'", "''") + "'"


def sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
