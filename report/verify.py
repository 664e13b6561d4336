"""Whether a counters file is whole: every row of every table is read, and rows that cannot be are looked for, before it is used.

To read a block is to have DuckDB compare its checksum; what a checksum cannot tell – a shard written twice, a sum that is not finite, a
head that is missing – integrity/*.sql finds, one file each: `-- impossible:` says what its rows would mean, and it must give none."""

import re
from functools import cache
from pathlib import Path

import duckdb

from report import opening, publish
from report.database import identifier
from report.errors import DatabaseRefusal

INTEGRITY = Path(__file__).parent / "integrity"
_FIX = "restore the file from a backup, or measure again"


def verify(counters: Path) -> None:
    """Read a counters or published file from end to end.

    Raises:
        DatabaseRefusal: as `open_counters`; a damaged block, a number that is not finite, a row of a run that is not there, or any
            impossible row.
    """
    with publish.open_counters(counters) as connection, opening.told(counters):
        for table, columns in _columns(connection).items():
            _read(connection, table, columns, counters)
        for what, sql in impossible().items():
            _refuse_rows(connection, what, sql, counters)


@cache
def impossible() -> dict[str, str]:
    """What must not be, each with the query that looks for it."""
    found = {}
    for file in sorted(INTEGRITY.glob("*.sql")):
        sql = file.read_text(encoding="utf-8")
        what = re.match(r"-- impossible: (.+)\n", sql)
        if what is None:
            raise ValueError(f"{file.name} must open with -- impossible:")
        found[what[1]] = sql
    return found


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """The tables of the counters, each with the types of its columns; what else is in a file is not read when it is published."""
    rows = connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() where database_name <> 'temp' and schema_name = 'main' "
        "and list_contains($1, table_name) order by table_name, column_index",
        [list(publish.COUNTERS)],
    ).fetchall()
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, {})[column] = kind
    return tables


def _read(connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str], path: Path) -> None:
    """Read every value of a table, and refuse numbers that are not finite and rows of runs that are not there."""
    # The alias makes it the whole row: a table may have a column of its own name.
    place = identifier(table)
    connection.execute(f"select bit_xor(hash(whole_row)) from {place} as whole_row").fetchall()
    # Of a head's sums, those that are not finite are left out with a warning when the file is published.
    doubles = [f"not isfinite({identifier(column)})" for column, kind in columns.items() if kind == "DOUBLE" and table != "shard_stat"]
    if doubles:
        _refuse_rows(connection, f"a number in table {table} is not finite", f"from {place} where {' or '.join(doubles)}", path)
    if "run_id" in columns and table != "run":
        unknown = f"select run_id from {place} anti join run using (run_id) where run_id is not null"
        _refuse_rows(connection, f"table {table} has rows of a run that is not there", unknown, path)


def _refuse_rows(connection: duckdb.DuckDBPyConnection, what: str, sql: str, path: Path) -> None:
    rows = connection.execute(f"from ({sql}) limit 1").fetchall()
    if rows:
        shown = ", ".join(str(value) for value in rows[0][:6])
        raise DatabaseRefusal(f"damaged: {what}: {shown}", path.name, _FIX)
