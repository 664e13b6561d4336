"""Row of table price_budget: the limit of what a page may call dispensable."""

import duckdb

from report.statistics import Row

BUDGET_NATS = 0.03


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """The one row; the limit is a choice and hangs on no data."""
    del connection
    return [(BUDGET_NATS,)]
