"""Files of an older schema, read as if they were of today's: what they lack is added to the copy that is published, never to the file."""

from pathlib import Path

import duckdb

# The older versions that can be read, each with what it lacks; those before had other tables.
LACKING = {3: "from_3.sql"}


def version_of(connection: duckdb.DuckDBPyConnection) -> int:
    """The schema version of an open file; 0 where it says none."""
    (version,) = connection.execute("select coalesce(max(version), 0) from schema_version").fetchall()[0]
    return int(version)


def complete(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring an open copy of an older file to today's schema; does nothing to one that is of it."""
    if version_of(connection) in LACKING:
        connection.execute((Path(__file__).parent / LACKING[version_of(connection)]).read_text(encoding="utf-8"))


def stand_in(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a connection to an older file, which is read only, empty temporary tables in the place of those it lacks."""
    if version_of(connection) in LACKING:
        sql = (Path(__file__).parent / LACKING[version_of(connection)]).read_text(encoding="utf-8")
        create = sql[sql.index("create table") :].partition(";")[0]
        connection.execute(create.replace("create table", "create temp table", 1))
