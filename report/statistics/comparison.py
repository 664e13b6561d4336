"""Rows of table comparison: all heads of two runs together, for every pair of runs that the file puts side by side."""

import duckdb

from report.comparisons import differences, pairs
from report.statistics import Row


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row per pair and figure."""
    return [row for pair in pairs.of_file(connection) for row in differences.comparison_rows(connection, pair)]
