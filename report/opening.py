"""What DuckDB's errors about a file mean to a user, and what a file that is no database looks like."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from report.errors import DatabaseRefusal, EnvironmentRefusal, Refusal

# DuckDB's file opens with three headers of 4 KiB; then come blocks of 256 KiB, counted from 0, the largest pieces it writes at once.
HEADERS, BLOCK = 3 * 4096, 2**18


def refuse_foreign(path: Path) -> None:
    """Refuse a file that is no DuckDB file, by its first bytes."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise EnvironmentRefusal(f"cannot be read: {error.strerror}", path.name, "check the permissions") from error
    if start[8:12] == b"DUCK":
        return
    looks = "it holds something else" if start else "it is empty"
    if start.lstrip().startswith(b"<"):
        looks = "it looks like a web page"
    if start.startswith(b"version https"):
        looks = "it looks like a Git LFS pointer"
    raise DatabaseRefusal(f"not a DuckDB file ({looks})", path.name, "give the counters file that python -m extract run wrote")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors about the state of a file into refusals that name no folder; any other error is a bug and passes."""
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
    if "Could not write file" in said:
        return EnvironmentRefusal("a copy of it cannot be written", path.name, "free some space and run the same command again")
    if "No space left" in said or "Out of disk" in said:
        return EnvironmentRefusal("the disk is full", path.name, "free some space and run the same command again")
    if "newer version of DuckDB" in said or "version number" in said:
        return DatabaseRefusal(f"written by a newer DuckDB than {duckdb.__version__}", path.name, "pip install -U duckdb")
    block = re.search(r"in block at location (\d+)", said)
    if block:
        number = (int(block[1]) - HEADERS) // BLOCK
        where = f"block {number}" if number >= 0 else "its header"
        return DatabaseRefusal(f"damaged at {where} (its checksum is wrong)", path.name, "restore the file from a backup, or measure again")
    if re.search("Corrupt|Could not read enough bytes|replaying WAL|Serialization|^IO Error", said):
        return DatabaseRefusal(f"damaged: {said}", path.name, "restore the file from a backup, or measure again")
    return None
