"""An older counters database made into one of today's schema: a new file takes its place, the old one is kept beside it, unchanged.

Version 3 lacks the table of quarantined shards and nothing else, so its rows are copied as they are. The tables of versions 1 and 2 were
others, and what they lack can only be measured."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from extract.database_file import quoted, sync, told
from extract.errors import DatabaseRefusal, EnvironmentRefusal
from extract.schema import SCHEMA, SCHEMA_VERSION, our_tables, tables_of, version_of

# What each older version lacks that can be brought to today's.
_LACKING = {3: {"quarantine"}}


def can_migrate(con: duckdb.DuckDBPyConnection, database: str) -> bool:
    """Whether an attached database is a counters database of an older version whose rows can be taken over as they are."""
    lacking = _LACKING.get(version_of(con, database))
    return lacking is not None and set(tables_of(con, database)) == our_tables() - lacking


def migrating(path: Path) -> Path:
    """Where the new file stands until it is whole."""
    return path.with_name(path.name + ".migrating")


def migrate(con: duckdb.DuckDBPyConnection, path: Path, storage: str | None = None) -> Path:
    """Put a file of today's schema in the place of an older one that is attached as `older`, which is detached; gives where that is kept.

    `storage` is DuckDB's storage version of the new file. Raises EnvironmentRefusal where it cannot be written, DatabaseRefusal where the
    old one is damaged; it is then still in its place."""
    version = version_of(con, "older")
    fresh = migrating(path)
    # Made by a process that was killed: the old file's lock says that it is nobody's now.
    fresh.unlink(missing_ok=True)
    try:
        with _attached(con, fresh, f" (storage_version '{storage}')" if storage else ""), told(path):
            _copy(con)
        sync(fresh)
        kept = _keep(path, version)
        fresh.replace(path)
        sync(path.parent)
    finally:
        for leftover in (fresh, fresh.with_name(fresh.name + ".wal")):
            leftover.unlink(missing_ok=True)
    # Only now: its lock kept other processes away.
    con.execute("detach older")
    return kept


@contextmanager
def _attached(con: duckdb.DuckDBPyConnection, fresh: Path, options: str) -> Iterator[None]:
    with told(fresh):
        con.execute(f"attach {quoted(fresh)} as fresh{options}")
    try:
        yield
    finally:
        con.execute("use memory")
        con.execute("detach fresh")


def _copy(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("use fresh")
    con.execute("begin")
    try:
        _copy_tables(con)
    except BaseException:
        con.execute("rollback")
        raise
    con.execute("commit")
    con.execute("checkpoint fresh")


def _copy_tables(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(SCHEMA.read_text(encoding="utf-8"))
    for table in tables_of(con, "older"):
        if table != "schema_version":
            con.execute(f"insert into fresh.{table} by name from older.{table}")
            (there,), (copied,) = con.execute(f"select count(*) from older.{table} union all select count(*) from fresh.{table}").fetchall()
            if there != copied:
                raise DatabaseRefusal(f"{copied} of {there} rows of {table} were copied", "migration", "report this as a bug")
    con.execute("insert into fresh.schema_version values (?)", [SCHEMA_VERSION])


def _keep(path: Path, version: int) -> Path:
    """A second name for the old file, NAME.v3, made before the first one is given away: at no time is the file nowhere."""
    names = itertools.chain([f"{path.name}.v{version}"], (f"{path.name}.v{version}-{number}" for number in itertools.count(2)))
    for kept in map(path.with_name, names):
        if not kept.exists():
            break
        if kept.samefile(path):
            # A process that was killed after this came so far.
            return kept
    try:
        os.link(path, kept)
    except OSError:
        # A file system without links.
        _copy_file(path, kept)
        sync(kept)
    return kept


def _copy_file(path: Path, kept: Path) -> None:
    """By another process: one that closes a file gives up its lock on it, and somebody could write to what is about to be replaced."""
    command = [sys.executable, "-c", "import shutil, sys; shutil.copy2(*sys.argv[1:])", str(path), str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        kept.unlink(missing_ok=True)
        said = (done.stderr.splitlines() or ["no reason given"])[-1]
        raise EnvironmentRefusal(f"the old file cannot be kept: {said}", path.name, "free some space, and run the same command again")
