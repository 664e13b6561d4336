"""The log beside a working file (DuckDB's WAL: what was committed since the last checkpoint), when something is wrong with it.

DuckDB refuses a log that was changed, and one of another file; both stay where they are, unless the user asks to go on without. The end
of a log that was cut off it passes over in silence – a kill in the middle of a commit leaves such a one – so it is kept, and said."""

import itertools
import struct
import time
from pathlib import Path

import duckdb

from extract.database_file import LogRefusal, quoted, sync, told
from extract.progress import say

# The log opens with its version, which ends so; then come its entries: size, checksum, and as many bytes as the size says.
_END_OF_VERSION = b"\xff\xff"
_LONGEST_VERSION = 128
_ENTRY = struct.Struct("<QQ")


def attach(con: duckdb.DuckDBPyConnection, work: Path, salvage: bool) -> Path | None:
    """Attach the working file as `work`; with `salvage`, set aside a log that cannot be replayed, and give its new place.

    Raises LogRefusal for such a log without it, DatabaseRefusal for a damaged file and EnvironmentRefusal for a locked one; the files are
    then as they were."""
    log = log_of(work)
    before = log.read_bytes() if log.is_file() else b""
    aside = None
    try:
        _attach(con, work)
    except LogRefusal:
        if not salvage or not before:
            raise
        aside = _free(log, "bad")
        log.rename(aside)
        try:
            _attach(con, work)
        except BaseException:
            aside.rename(log)
            raise
        sync(work.parent)
    if aside is None:
        _keep_torn(log, before)
    return aside


def log_of(work: Path) -> Path:
    """The log of a database file."""
    return work.with_name(work.name + ".wal")


def _attach(con: duckdb.DuckDBPyConnection, work: Path) -> None:
    with told(work):
        con.execute(f"attach {quoted(work)} as work")


def _keep_torn(log: Path, content: bytes) -> None:
    """Keep a copy of a log whose end is no whole entry: what stood there is in no table."""
    torn = torn_bytes(content)
    if torn:
        kept = _free(log, "torn")
        kept.write_bytes(content)
        say(f"warning: the last {torn} bytes of {log.name} are cut off; it is kept as {kept.name}, and what is missing is measured again")


def torn_bytes(content: bytes) -> int:
    """How many bytes at the end of a log belong to no whole entry."""
    opening = content.find(_END_OF_VERSION, 0, _LONGEST_VERSION)
    if opening < 0:
        return len(content)
    at = opening + len(_END_OF_VERSION)
    while at + _ENTRY.size <= len(content):
        size, _ = _ENTRY.unpack_from(content, at)
        if at + _ENTRY.size + size > len(content):
            break
        at += _ENTRY.size + size
    return len(content) - at


def _free(log: Path, why: str) -> Path:
    """A name beside the log that nothing has yet: NAME.bad-TIME, in UTC."""
    name = f"{log.name}.{why}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    candidates = (log.with_name(name if not number else f"{name}-{number}") for number in itertools.count())
    return next(path for path in candidates if not path.exists())
