"""Rows of table test_result: the trend over layer ranges of every figure with two ranges or more.

One test of a figure is primary, named before the data: in its file, or, for published counts, that of the band on the baseline. The tests
of single bands – all of them, or all but that one – are the page's other claims, corrected by Holm over the figure. Each permutation has a
companion, the shifts of the layer order: where neighbours in depth are alike, the free permutation calls a trend far too often."""

import duckdb
import numpy as np
from numpy.typing import NDArray

from report import figures, trends
from report.statistics import Row
from report.trends import Trend

Placed = tuple[str, int | None, Trend]
"""A test with its role and the band that it is of; no band for a test of all."""


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row per test, of every run and figure."""
    placed = heads_by_layer(connection)
    found: list[Row] = []
    for run_id, figure, kind, first_layers, end_layer in connection.execute(
        "select layer_range.run_id, figure, figure.kind, list(first_layer order by range_ordinal), max(end_layer) "
        "from layer_range join figure using (figure) group by all having count(*) > 1 order by 1, 2"
    ).fetchall():
        if kind == "published":
            results = published_trends(connection, figure)
        else:
            results = measured_trends(placed[run_id, figure], (*first_layers, end_layer))
        found += [
            (run_id, figure, test.test, role, band, test.statistic, test.value, test.p, corrected, test.draws, test.seed)
            for (role, band, test), corrected in zip(results, adjusted(results), strict=True)
        ]
    return found


def heads_by_layer(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], NDArray[np.int64]]:
    """Heads per (layer, band) of every run and figure; the views are read once for all of them, since they compute everything anew."""
    sizes = connection.execute(
        "select run_id, figure, any_value(layers), count(*) from band join run using (run_id) join figure using (figure) "
        "where figure.kind = 'heads' group by all"
    ).fetchall()
    found = {(run_id, figure): np.zeros((layers, bands), dtype=np.int64) for run_id, figure, layers, bands in sizes}
    for run_id, figure, layer, band, heads in connection.execute(
        "select run_id, figure, layer, band_ordinal, count(*) from head_band group by all"
    ).fetchall():
        found[run_id, figure][layer, band] = heads
    return found


def adjusted(results: list[Placed]) -> list[float | None]:
    """Holm's correction over the other claims of a figure; nothing for its primary test and the companion."""
    others = [place for place, (role, _, _) in enumerate(results) if role == "other"]
    corrected = trends.holm(np.array([results[place][2].p for place in others])).tolist()
    found = dict(zip(others, corrected, strict=True))
    return [found.get(place) for place in range(len(results))]


def measured_trends(layers: NDArray[np.int64], edges: tuple[int, ...]) -> list[Placed]:
    """Permutation and shifts of whole layers, from heads per (layer, band): of all bands together, and of each by itself."""
    (permuted, permuted_bands), (shifted, shifted_bands) = trends.layer_permutations(layers, edges), trends.circular_shifts(layers, edges)
    found: list[Placed] = [("primary" if test.test in figures.PRIMARY_TESTS else "companion", None, test) for test in (permuted, shifted)]
    found += [("other", band, test) for band, test in enumerate(permuted_bands)]
    return found + [("companion", band, test) for band, test in enumerate(shifted_bands)]


PUBLISHED = """
with
    counted as (
        select range_ordinal, band_ordinal, sum(heads)::bigint as heads from published_count where figure = $figure group by all
    ),
    cells as (
        select band_ordinal, stack_ordinal, range_ordinal, coalesce(heads, 0) as heads
        from band
        join layer_range using (run_id, figure)
        left join counted using (range_ordinal, band_ordinal)
        where figure = $figure
    )
select band_ordinal, stack_ordinal, list(heads order by range_ordinal) from cells group by all order by all
"""


def published_trends(connection: duckdb.DuckDBPyConnection, figure: str) -> list[Placed]:
    """The exact trend test of every band's share; the band on the baseline is the primary one."""
    rows = connection.execute(PUBLISHED, {"figure": figure}).fetchall()
    totals = [sum(heads) for heads in zip(*(inside for _, _, inside in rows), strict=True)]
    return [("primary" if place == 0 else "other", band, trends.cochran_armitage_exact(inside, totals)) for band, place, inside in rows]
