"""Rows of table threshold: stored edges around the threshold of each figure, at which the figure is drawn anew."""

import duckdb

from report.statistics import Row

BELOW = 20
COUNT = 40


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row per run, figure and threshold."""
    table = connection.execute(
        "select figure_threshold.run_id, figure_threshold.figure, figure_threshold.threshold, list(low order by low) "
        "from figure_threshold join figure on figure.figure = figure_threshold.figure and figure.measure = figure_threshold.measure "
        "join histogram_bin on histogram_bin.kind = figure_threshold.histogram_kind "
        # A threshold of 0 is reached by every token: it says nothing.
        "where low > 0 and figure_threshold.threshold is not null group by all order by all"
    ).fetchall()
    return [
        (run_id, figure, ordinal, edge, edge == own)
        for run_id, figure, own, edges in table
        for ordinal, edge in enumerate(around(own, edges))
    ]


def around(own: float, edges: list[float]) -> list[float]:
    """Forty of the ascending edges, twenty below `own` and nineteen above; near an end of the list, more from its other side."""
    first = max(0, min(edges.index(own) - BELOW, len(edges) - COUNT))
    return edges[first : first + COUNT]
