"""Rows of table interval_check: the standard error by drawing shards again beside the linearised one that the intervals use.

They are two ways to the same number – view head_mean takes the ratio of two sums as if it were straight near the mean, the bootstrap does
not – and should agree. As the linearised one does, the bootstrap's is for shards − 1 degrees of freedom: its variance is taken times
shards / (shards − 1)."""

import duckdb
import numpy as np

from report.resampling import DECIMALS, SEED, Floats, ShardSums, drawn_means, drawn_shards, measure_sums
from report.statistics import Row

DRAWS = 2_000


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row per run and measure that varies over shards for any head."""
    linearised = standard_errors(connection)
    found: list[Row] = []
    for sums in measure_sums(connection):
        keys = [(sums.run_id, sums.name, int(layer), int(head)) for layer, head in zip(sums.layers, sums.heads, strict=True)]
        errors = np.array([linearised[key][0] for key in keys])
        effects = np.array([linearised[key][1] for key in keys], dtype=np.float64)
        # What varies by rounding alone has no error to speak of.
        varies = errors > 1e-12 * np.abs(sums.means())
        if not varies.any():
            continue
        ratios = bootstrap_errors(sums)[varies] / errors[varies]
        found.append((sums.run_id, sums.name, int(varies.sum()), *spread(ratios), *spread(effects[varies]), DRAWS, SEED))
    return found


def standard_errors(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str, int, int], tuple[float, float | None]]:
    """Linearised standard error and design effect by run, measure, layer and head."""
    table = connection.execute(
        "select run_id, measure, layer, head, se, coalesce(design_effect, 'nan'::double) from head_measure where se is not null"
    ).fetchall()
    return {(run_id, measure, layer, head): (error, effect) for run_id, measure, layer, head, error, effect in table}


def bootstrap_errors(sums: ShardSums, draws: int = DRAWS, seed: int = SEED) -> Floats:
    """Standard error of every head's mean by drawing shards with replacement: (rows,)."""
    drawn = drawn_means(sums, drawn_shards(sums.shards, draws, seed))
    errors: Floats = drawn.std(axis=0, ddof=1) * np.sqrt(sums.shards / (sums.shards - 1))
    return errors


def spread(values: Floats) -> tuple[float | None, float | None, float | None]:
    """Median, 5th and 95th percentile of the values that are numbers; none where none is."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None, None
    median, low, high = np.round(np.quantile(known, [0.5, 0.05, 0.95]), DECIMALS)
    return float(median), float(low), float(high)
