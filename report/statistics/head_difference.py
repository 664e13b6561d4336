"""Rows of table head_difference: every head of two runs, for every pair of runs that the file puts side by side."""

import duckdb

from report.comparisons import differences, pairs
from report.statistics import Row


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row per pair, figure and head."""
    return [row for pair in pairs.of_file(connection) for row in differences.head_rows(connection, pair)]
