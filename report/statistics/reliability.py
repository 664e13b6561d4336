"""Rows of table reliability: how well one half of the text repeats what the other half says about the heads.

The shards are parted at random into halves, many times. The correlation of the two halves' values over heads speaks about half the text;
the formula of Spearman and Brown (1910), 2 r / (1 + r), makes of it what two texts of the whole length would be expected to give."""

import duckdb
import numpy as np

from report.resampling import DECIMALS, SEED, Floats, Layout, ShardSums, drawn_means, figure_sums, halves
from report.statistics import Row

SPLITS = 200


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row per run and figure."""
    return [
        (sums.run_id, sums.name, len(sums.layers), sums.shards, *split_half(sums, layout), SPLITS, SEED)
        for sums, layout in figure_sums(connection)
    ]


def split_half(sums: ShardSums, layout: Layout, splits: int = SPLITS, seed: int = SEED) -> tuple[float | None, float | None, float]:
    """Correlation of the halves, reliability of the whole, and % of heads that change band: the columns of the table."""
    one, other = (drawn_means(sums, weights) for weights in halves(sums.shards, splits, seed))
    flips = 100 * np.mean(layout.band_of(one) != layout.band_of(other))
    correlation = mean_correlation(one, other)
    reliability = 2 * correlation / (1 + correlation) if correlation is not None and correlation > 0 else None
    return rounded(correlation), rounded(reliability), float(np.round(flips, DECIMALS))


def mean_correlation(one: Floats, other: Floats) -> float | None:
    """Pearson correlation over heads of values (splits, heads), mean over the splits that have one.

    None with fewer than three heads, whose correlation says nothing, or where the heads of a half differ by rounding alone in every split.
    """
    if one.shape[1] < 3:
        return None
    scale = np.maximum(np.abs(one).max(1), np.abs(other).max(1))
    defined = np.minimum(one.std(1), other.std(1)) > 1e-12 * scale
    if not defined.any():
        return None
    x, y = (half[defined] - half[defined].mean(1, keepdims=True) for half in (one, other))
    return float(np.mean((x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1))))


def rounded(value: float | None) -> float | None:
    """The value without its last bits."""
    return None if value is None else round(value, DECIMALS)
