"""Rows of table test_result: the trend over layer ranges of every figure with two ranges or more."""

import duckdb

from report import queries, trends
from report.statistics import Row


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row per test, of every run and figure."""
    found: list[Row] = []
    for run_id, figure, kind in connection.execute(
        "select distinct layer_range.run_id, figure, figure.kind from layer_range join figure using (figure) where range_ordinal = 1 "
        "order by all"
    ).fetchall():
        results = published_trends(connection, figure) if kind == "published" else measured_trends(connection, run_id, figure)
        found += [
            (run_id, figure, trend.test, band, trend.statistic, trend.value, trend.p, trend.draws, trend.seed) for band, trend in results
        ]
    return found


def measured_trends(connection: duckdb.DuckDBPyConnection, run_id: str, figure: str) -> list[tuple[int | None, trends.Trend]]:
    """Permutation and shifts of whole layers; heads per (layer, band) come from view head_band."""
    keys = {"run_id": run_id, "figure": figure}
    table = connection.execute(queries.question("heads_per_layer").sql, keys).fetchnumpy()
    edges = connection.execute(
        "select first_layer, end_layer from layer_range where run_id = $run_id and figure = $figure order by range_ordinal", keys
    ).fetchall()
    layers = table["heads"].reshape(edges[-1][1], -1)
    bounds = (*(first for first, _ in edges), edges[-1][1])
    return [(None, trends.layer_permutation(layers, bounds)), (None, trends.circular_shift(layers, bounds))]


def published_trends(connection: duckdb.DuckDBPyConnection, figure: str) -> list[tuple[int | None, trends.Trend]]:
    """The exact trend test of every band's share."""
    rows = connection.execute(
        "select band_ordinal, list(heads order by range_ordinal), list(range_heads order by range_ordinal) from ("
        "select *, sum(heads) over (partition by range_ordinal)::bigint as range_heads from band_counts where figure = $1) "
        "group by band_ordinal order by band_ordinal",
        [figure],
    ).fetchall()
    return [(band, trends.cochran_armitage_exact(inside, totals)) for band, inside, totals in rows]
