"""The log beside a working file (DuckDB's WAL: what was committed since the last checkpoint), when something is wrong with it.

DuckDB refuses a log that was changed, and one of another file; both stay where they are, unless the user asks to go on without. The end
of a log that was cut off it passes over in silence – a kill in the middle of a commit leaves such a one – so it is kept, and said."""

import itertools
import re
import struct
import time
from pathlib import Path

import duckdb

from extract.database_file import LogRefusal, connect, quoted, sync, told
from extract.progress import say

# The log opens with its version, the 16 bytes of its database's name (numbers of a variable length) and the number of its checkpoint; then
# come its entries: size, checksum, and as many bytes as the size says.
_OPENING = re.compile(rb"d\0be\0[\2\3]f\0\x10(?:[\x80-\xff]?[\0-\x7f]){16}g\0[\x80-\xff]{0,9}[\0-\x7f]\xff\xff", re.DOTALL)
_ENTRY = struct.Struct("<QQ")
# How the entries begin that end a commit and a checkpoint.
_ENDS = (b"d\0d", b"d\0c")
# Rows that DuckDB keeps together, a multiple of 2,048. Where a shard has so many, it writes them to their place at once, and only that into
# the log: shards of GPT-2 xl's size are committed in two thirds of the time. What is published has DuckDB's own size.
_ROW_GROUP = 12_288


def attach(con: duckdb.DuckDBPyConnection, work: Path, salvage: bool) -> Path | None:
    """Attach the working file as `work`; with `salvage`, set aside a log that cannot be replayed, and give its new place.

    Raises LogRefusal for such a log without it, DatabaseRefusal for a damaged file and EnvironmentRefusal for a locked one; the files are
    then as they were."""
    log = log_of(work)
    before = log.read_bytes() if log.is_file() else b""
    aside = _set_aside(work, log) if salvage and before else None
    try:
        attach_work(con, work)
    except BaseException:
        if aside is not None:
            aside.rename(log)
        raise
    if aside is None:
        _keep_torn(log, before)
    return aside


def _set_aside(work: Path, log: Path) -> Path | None:
    """Rename a log that cannot be replayed; gives its new place."""
    # By itself: some of DuckDB's errors leave a connection useless.
    with connect(work, spill=work.with_name(f"{work.name}.tmp")) as trial:
        try:
            attach_work(trial, work)
        except LogRefusal:
            aside = _free(log, "bad")
        else:
            return None
    log.rename(aside)
    sync(work.parent)
    return aside


def log_of(work: Path) -> Path:
    """The log of a database file."""
    return work.with_name(work.name + ".wal")


def attach_work(con: duckdb.DuckDBPyConnection, work: Path) -> None:
    """Attach a working file as `work`. Raises DatabaseRefusal where it is damaged, EnvironmentRefusal where it is locked."""
    with told(work):
        con.execute(f"attach {quoted(work)} as work (row_group_size {_ROW_GROUP})")


def _keep_torn(log: Path, content: bytes) -> None:
    """Keep a copy of a log whose end is no whole entry: what stood there is in no table."""
    torn = torn_bytes(content)
    if torn:
        kept = _free(log, "torn")
        kept.write_bytes(content)
        say(f"warning: the last {torn} bytes of {log.name} are cut off; it is kept as {kept.name}, and what is missing is measured again")


def torn_bytes(content: bytes) -> int:
    """How many bytes at the end of a log belong to no whole commit."""
    opening = _OPENING.match(content)
    # Where DuckDB can make nothing of it either, it takes the log for an empty one.
    at = whole = opening.end() if opening else 0
    while opening and at + _ENTRY.size <= len(content):
        size, _ = _ENTRY.unpack_from(content, at)
        kind = content[at + _ENTRY.size : at + _ENTRY.size + len(_ENDS[0])]
        at += _ENTRY.size + size
        if kind in _ENDS and at <= len(content):
            whole = at
    return len(content) - whole


def _free(log: Path, why: str) -> Path:
    """A name beside the log that nothing has yet: NAME.bad-TIME, in UTC."""
    name = f"{log.name}.{why}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    candidates = (log.with_name(name if not number else f"{name}-{number}") for number in itertools.count())
    return next(path for path in candidates if not path.exists())
