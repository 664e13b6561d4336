"""The answer behind a chart as files: Parquet with exact types, and the SQL that gives it, to be run as it is on the published file."""

import re
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from report import queries
from report.facts import Fact
from report.publish import literal
from report.queries import Query

# What the files of a chart are called, and how their names end; `report check` has a table of its own.
FILES = (
    ("CSV", ".csv"),
    ("Parquet", ".parquet"),
    ("SQL", ".sql"),
    ("Vega-Lite", ".vl.json"),
    ("SVG, light", "-light.svg"),
    ("SVG, dark", "-dark.svg"),
    ("PNG", ".png"),
)
TABULAR = (".csv", ".parquet")


def write(connection: duckdb.DuckDBPyConnection, stem: Path, rows: list[dict[str, Fact]]) -> None:
    """Write `stem`.parquet and `stem`.sql for the rows of one question; nothing where there is no row, and so no question."""
    if not rows:
        return
    first = next(iter(rows[0].values()))
    query, parameters = queries.question(first.question), dict(first.parameters)
    write_parquet(table_of(connection, query.sql, parameters), stem.with_name(f"{stem.name}.parquet"))
    stem.with_name(f"{stem.name}.sql").write_text(script(query, parameters), encoding="utf-8")


def table_of(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, str] | None = None) -> pa.Table:
    """An answer as an Arrow table, in the order of its rows."""
    return connection.sql(sql, params=dict(parameters or {})).to_arrow_table()


def write_parquet(table: pa.Table, path: Path) -> None:
    """The same bytes for the same table: one row group order, no time, no random name inside."""
    pq.write_table(table.combine_chunks(), path, compression="zstd", store_schema=False)


def script(query: Query, parameters: Mapping[str, str]) -> str:
    """A question that the DuckDB command line runs as it is: its parameters are variables, set on top."""
    settings = [f"set variable {name} = {literal(value)};" for name, value in sorted(parameters.items())]
    asked = re.sub(r"\$(\w+)", r"getvariable('\1')", query.sql)
    return "\n".join(["-- To be run on headcount.duckdb, from DuckDB 1.4 on.", *settings, asked]) + ";\n"
