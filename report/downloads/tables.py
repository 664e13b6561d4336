"""The public tables as files: every view of the published file, and the tables that explain them, as Parquet and, unless big, CSV."""

import csv
import io
from pathlib import Path

import duckdb
import pyarrow as pa

from report.downloads.answers import table_of, write_parquet
from report.pages import FORMULA, csv_cell

# A row per shard is of use only beside the counters, which are in the whole file.
LEFT_OUT = ("shard_total",)
EXPLAINING = ("band", "comparison", "detector", "figure", "head_difference", "measure", "test_result")
LARGEST_CSV = 5_000_000


def names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The tables that are offered as files."""
    own = "where not internal and database_name <> 'temp'"
    rows = connection.execute(
        f"select view_name from duckdb_views() {own} union all select table_name from duckdb_tables() {own} and "
        "list_contains($explaining, table_name) order by all",
        {"explaining": list(EXPLAINING)},
    ).fetchall()
    return [name for (name,) in rows if name not in LEFT_OUT]


def write(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write data/NAME.parquet of every public table, and data/NAME.csv of those that stay under 5 MB."""
    for name in names(connection):
        table = table_of(connection, f"from {name} order by all")
        write_parquet(table, folder / f"{name}.parquet")
        text = csv_of(table)
        if len(text.encode()) < LARGEST_CSV:
            (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="")


def csv_of(table: pa.Table) -> str:
    """A table as CSV; text that a spreadsheet would take for a formula gets an apostrophe, numbers stay untouched."""
    head = io.StringIO()
    csv.writer(head, lineterminator="\n").writerow(
        # A measure of any name is a column of the table of heads.
        f"'{name}" if name.startswith(FORMULA) else name
        for name in table.column_names
    )
    columns = [[csv_cell(value) for value in column.to_pylist()] for column in table.columns]
    return head.getvalue() + "".join(f"{','.join(cells)}\n" for cells in zip(*columns, strict=True))
