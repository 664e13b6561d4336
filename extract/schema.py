"""Today's schema of a counters database, and whether an attached one is of it."""

import re
from pathlib import Path

import duckdb

from extract.errors import DatabaseRefusal

SCHEMA_VERSION = 4
SCHEMA = Path(__file__).with_name("schema.sql")


def our_tables() -> set[str]:
    """The tables of today's schema."""
    return set(re.findall(r"^create table (\w+)", SCHEMA.read_text(encoding="utf-8"), re.MULTILINE))


def tables_of(con: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    """The tables of an attached database, in name order."""
    rows = con.execute("select table_name from duckdb_tables() where database_name = ? order by all", [database]).fetchall()
    return [row[0] for row in rows]


def version_of(con: duckdb.DuckDBPyConnection, database: str) -> int:
    """The schema version of an attached database; 0 where it has none."""
    if "schema_version" not in tables_of(con, database):
        return 0
    return int(con.execute(f"select coalesce(max(version), 0) from {database}.schema_version").fetchall()[0][0])


def check_schema(con: duckdb.DuckDBPyConnection, database: str, path: Path) -> None:
    """Refuse a database that is not a counters database, or one of another version, whose tables need not be ours.

    Raises DatabaseRefusal."""
    ours, theirs = our_tables(), set(tables_of(con, database))
    if "schema_version" in theirs:
        _check_version(version_of(con, database), path)
    views = con.execute("select count(*) from duckdb_views() where not internal and database_name = ?", [database]).fetchall()[0][0]
    if theirs != ours or views:
        published = "a published Headcount database, not a counters file"
        what = published if ours < theirs else "a DuckDB database, but not Headcount's counters"
        raise DatabaseRefusal(what, path.name, "choose another file")


def _check_version(found: int, path: Path) -> None:
    if found > SCHEMA_VERSION:
        raise DatabaseRefusal(f"schema version {found}, newer than {SCHEMA_VERSION}", path.name, "update Headcount")
    if found < SCHEMA_VERSION:
        what = f"schema version {found}, older than {SCHEMA_VERSION}"
        raise DatabaseRefusal(what, path.name, "choose another file and measure again")
