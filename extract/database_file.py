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

from extract.errors import FULL, DatabaseRefusal, EnvironmentRefusal, Refusal

_FREE = "free some space and run the same command again; committed shards are kept"

# DuckDB's file opens with three headers of 4 KiB; then come blocks of 256 KiB, counted from 0, the largest pieces it writes at once.
_HEADERS = 3 * 4096
BLOCK = 2**18
_DAMAGE = (duckdb.InternalException, duckdb.FatalException, duckdb.SerializationException)
_MEASURE_AGAIN = "restore it from a copy, or move it away and measure again"


class LogRefusal(DatabaseRefusal):
    """A log (WAL) beside a database file that cannot be replayed."""


def check_writable(out: Path) -> None:
    """Make the folder of `out` where it is missing, and refuse a place that cannot be written."""
    if not str(out).isprintable():
        # DuckDB takes UTF-8 alone, and what is told of the file must be one line.
        raise EnvironmentRefusal("the name of the output holds characters that cannot be shown", str(out), "choose another name")
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
        what = f"{free // 2**20} MiB are free, the run may need {-(-needed // 2**20)} MiB"
        raise EnvironmentRefusal(what, str(out.parent), "free some space, or choose another --out; nothing is lost")


def to_publish(out: Path) -> int:
    """Bytes that publishing takes for what the working file holds already: a snapshot of it, and a counters file that may lack some."""
    sizes = [path.stat().st_size if path.exists() else 0 for path in (out.with_name(out.name + ".work"), out)]
    return 2 * sizes[0] - min(sizes)


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


def connect(*files: Path, spill: Path) -> duckdb.DuckDBPyConnection:
    """The only place in extract that opens DuckDB: these databases may be attached, and no other file of this machine is read or written,
    whatever the SQL says; no extension is loaded, no variable of this process read, and no setting changed.
    What does not fit into memory goes into the folder `spill`."""
    connection = duckdb.connect(config={"temp_directory": str(spill.absolute()), "memory_limit": _MEMORY, **_ONE_THREAD})
    companions = ("", ".wal", ".wal.checkpoint", ".wal.recovery")
    connection.execute("set allowed_paths = $1", [[f"{file.absolute()}{ending}" for file in files for ending in companions]])
    for setting in _FORBIDDEN:
        connection.execute(f"set {setting} = false")
    # Last, for nothing can be set after it.
    connection.execute("set lock_configuration = true")
    return connection


# Rows are inserted and copied here, in order, and not much is asked: more memory would only hold what was written, and a second thread
# takes processor time and saves none by the clock. Those that read ahead (a setting that DuckDB 1 does not know) would have nothing to do.
_MEMORY = "64MB"
_ONE_THREAD = {"threads": 1} | ({"async_threads": 0} if int(duckdb.__version__.partition(".")[0]) >= 2 else {})
_FORBIDDEN = (
    "autoload_known_extensions",
    "autoinstall_known_extensions",
    "allow_community_extensions",
    "allow_persistent_secrets",
    "python_enable_replacements",
    "enable_external_access",
)


@contextlib.contextmanager
def told(path: Path, source: Path | None = None) -> Iterator[None]:
    """Turn DuckDB's errors about the state of a file into refusals; any other error is a bug and passes.

    While one file is copied to another, damage is the `source`'s, and all else the file's that is written."""
    try:
        yield
    except duckdb.Error as error:
        if _is_full(str(error), path):
            raise EnvironmentRefusal("the disk is full", path.name, _FREE) from error
        said = str(error).splitlines()[0].replace(str(path.absolute()), path.name)
        refusal = _damage(error, said, source or path) or _refusal(said, path)
        if refusal is None:
            raise
        raise refusal from error


def _damage(error: duckdb.Error, said: str, path: Path) -> DatabaseRefusal | None:
    """What a damaged file is told as."""
    if "replaying WAL" in said or "This WAL was created" in said:
        fix = "restore both files from a copy, or run it with --salvage, which sets the log aside and measures its shards again"
        return LogRefusal(f"damaged: its log cannot be replayed: {said}", path.name, fix)
    block = re.search(r"in block at location (\d+)", said)
    if block:
        number = (int(block[1]) - _HEADERS) // BLOCK
        where = f"block {number}" if number >= 0 else "its header"
        return DatabaseRefusal(f"damaged at {where} (its checksum is wrong)", path.name, _MEASURE_AGAIN)
    signs = ("orrupt", "Could not read enough bytes", "checksum", "deserialize")
    if isinstance(error, _DAMAGE) or any(sign in said for sign in signs):
        return DatabaseRefusal(f"damaged: {said}", path.name, _MEASURE_AGAIN)
    return None


def _is_full(said: str, path: Path) -> bool:
    """Whether an error of DuckDB comes of a full disk: some of them, such as that of a failed checkpoint, leave the reason out."""
    if any(reason in said for reason in FULL):
        return True
    return said.startswith(("IO Error", "FATAL Error")) and shutil.disk_usage(path.parent).free < BLOCK


def _refusal(said: str, path: Path) -> Refusal | None:
    if "Could not set lock" in said:
        holder = re.search(r"PID (\d+)", said)
        who = f"process {holder[1]}" if holder else "another process"
        return EnvironmentRefusal(f"{who} has the file open", path.name, "close it, or wait for it, and run the same command again")
    if "newer version of DuckDB" in said or "version number" in said:
        return DatabaseRefusal(f"written by a newer DuckDB than {duckdb.__version__}", path.name, "pip install -U duckdb")
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
