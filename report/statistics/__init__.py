"""Statistics: the tables that report computes from the views when it publishes. One table per pair of files; the folder is the list.

`<table>.sql` creates the table with its comments; `<table>.py` has `rows(connection)`, which reads counters, definitions and views and
gives the rows, in the table's order of columns. No statistic reads another: their order is the alphabet's."""

import importlib
from pathlib import Path

import duckdb

from report import queries
from report.definitions import insert

Row = tuple[object, ...]

TABLES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.sql")))


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables, empty: views may read them."""
    for table in TABLES:
        connection.execute((Path(__file__).parent / f"{table}.sql").read_text(encoding="utf-8"))


def fill(connection: duckdb.DuckDBPyConnection) -> None:
    """Compute every table's rows, once the views stand; those that read no statistic are computed once, and not for every table anew."""
    fixed = [view for view in queries.asked_views() if not reads_statistics(view)]
    for name in fixed:
        connection.execute(f"create temp table {name} as from {name}")
    for table in TABLES:
        insert(connection, table, importlib.import_module(f"{__name__}.{table}").rows(connection))
    for name in fixed:
        connection.execute(f"drop table temp.{name}")


def reads_statistics(view: str) -> bool:
    """True for a view that reads one of these tables, by itself or through another view."""
    reads = {known.id: known.reads for known in queries.views()}
    return any(name in TABLES or reads_statistics(name) for name in reads.get(view, ()))
