"""Rows of table band_interval: how many heads each band might hold on another text of the same kind.

Shards are drawn with replacement and every head is banded anew; the interval lies between two quantiles of the drawn counts. Noise carries
heads over an edge mostly one way – from where they are many to where they are few – and drawing adds noise to noise: the observed count is
off by this bias once, the drawn ones twice. So the quantiles that leave 2.5 % to each side can miss the observed count, and hold the true
one less often than 95 % in some figures; those that leave 1.25 % hold it, and an end that misses the observed count is moved to it.
Reflecting the quantiles in the observed count (the basic interval) or correcting them for bias does worse: which heads lie near an edge is
chance that the reflection takes for law.

Coverage of the true count, over bands of all layers: 97.6 to 99.7 % by figure on texts drawn from the embedded run's own shards, 94.0 % for
the worst band (with 2.5 %: 94.0 to 99.7 %, worst 85.3 %). On simulated texts of 25 sets of 270 heads: 98.5 % (with 2.5 %: 97.1 %; basic:
80.4 %), 80 % for the worst of their 125 bands. It fails where many heads lie within their own error of one edge, all on one side: the noise
has moved them already, and no drawing undoes that."""

import duckdb
import numpy as np

from report.resampling import SEED, Integers, Layout, ShardSums, drawn_means, drawn_shards, figure_sums
from report.statistics import Row

DRAWS = 2_000
# Not 2.5 %: see above.
TAIL = 0.0125


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row per run, figure, range and band; range null for all layers."""
    found: list[Row] = []
    for sums, layout in figure_sums(connection):
        observed, low, high = interval(sums, layout)
        for place, band in np.ndindex(observed.shape):
            counts = (int(observed[place, band]), int(low[place, band]), int(high[place, band]))
            found.append((sums.run_id, sums.name, place - 1 if place else None, band, *counts, DRAWS, SEED))
    return found


def interval(sums: ShardSums, layout: Layout, draws: int = DRAWS, seed: int = SEED) -> tuple[Integers, Integers, Integers]:
    """Heads per place and band, and both ends of the 95 % interval of their number: (1 + ranges, bands) each, all layers first."""
    observed = layout.counts(layout.members(sums.means()), sums.layers)
    drawn = layout.counts(layout.members(drawn_means(sums, drawn_shards(sums.shards, draws, seed))), sums.layers)
    low = np.quantile(drawn, TAIL, axis=0, method="lower").astype(np.int64)
    high = np.quantile(drawn, 1 - TAIL, axis=0, method="higher").astype(np.int64)
    return observed, np.minimum(low, observed), np.maximum(high, observed)
