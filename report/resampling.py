"""Resampling of shards: what the sample of text alone does to the value of every head, and to the band it falls in.

The shard is the unit of sampling: its tokens belong together, and all heads read the same ones. So whole shards are drawn, for all heads at
once, and a head's value is the ratio of drawn totals to drawn n – as one product of matrices, (draws × shards) · (shards × heads).
Sources: Efron and Tibshirani (1993), An Introduction to the Bootstrap; Field and Welsh (2007) for whole clusters."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import duckdb
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

SEED = 20_250_702
# So many decimals are kept of a statistic that a product of matrices gave: the last bits depend on the library and its threads.
DECIMALS = 9


@dataclass(frozen=True)
class ShardSums:
    """What each shard adds to the heads of one run and measure.

    `layers`, `heads`: (rows,) which head a row is; `n`, `totals`: (rows, shards), scored tokens and sum of the values.
    """

    run_id: str
    name: str
    layers: Integers
    heads: Integers
    n: Floats
    totals: Floats

    @property
    def shards(self) -> int:
        """Number of shards."""
        return int(self.n.shape[1])

    def means(self) -> Floats:
        """The value of every head over all shards: (rows,)."""
        means: Floats = drawn_means(self, np.ones((1, self.shards)))[0]
        return means


@dataclass(frozen=True)
class Layout:
    """The inner edges of a figure's bands, in the unit of its measure, and the layers at which its ranges begin."""

    inner_edges: Floats
    first_layers: Integers

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.inner_edges) + 1

    def band_of(self, values: Floats) -> Integers:
        """Band of each value, low closed and high open; of the shape of `values`."""
        return np.searchsorted(self.inner_edges, values, side="right")

    def members(self, values: Floats) -> Flags:
        """Whether each of `values` (…, rows) lies in each band: (…, rows, bands)."""
        members: Flags = self.band_of(values)[..., None] == np.arange(self.bands)
        return members

    def counts(self, members: Flags, layers: Integers) -> Integers:
        """Heads per band of `members` (…, rows, bands): (…, 1 + ranges, bands), all layers first and then each range."""
        ranges = np.searchsorted(self.first_layers, layers, side="right") - 1
        places = np.vstack([np.ones(len(layers)), ranges == np.arange(len(self.first_layers))[:, None]])
        counts: Integers = np.rint(places @ members.astype(np.float64)).astype(np.int64)
        return counts


def figure_sums(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[ShardSums, Layout]]:
    """The shards of every run and figure that has two or more, named by the figure, with the figure's bands and ranges."""
    chosen = "join figure on figure.measure = shard_total.measure and (shard_total.figure is null or shard_total.figure = figure.figure)"
    for sums in shard_sums(connection, "figure.figure", chosen):
        keys = [sums.run_id, sums.name]
        edges = connection.execute("select low from band where run_id = $1 and figure = $2 order by low", keys).fetchnumpy()["low"][1:]
        firsts = connection.execute(
            "select first_layer from layer_range where run_id = $1 and figure = $2 order by range_ordinal", keys
        ).fetchnumpy()["first_layer"]
        # A figure may leave runs out; they have its measure, but none of its bands.
        if len(firsts):
            yield sums, Layout(np.asarray(edges, dtype=np.float64), np.asarray(firsts, dtype=np.int64))


def measure_sums(connection: duckdb.DuckDBPyConnection) -> Iterator[ShardSums]:
    """The shards of every run and measure that has two or more; one that needs a threshold is taken at that of the first figure."""
    chosen = (
        "where shard_total.figure is null or shard_total.figure = (select arg_min(figure.figure, figure.ordinal) from figure_threshold "
        "join figure using (figure) where figure_threshold.measure = shard_total.measure)"
    )
    return shard_sums(connection, "shard_total.measure", chosen)


def shard_sums(connection: duckdb.DuckDBPyConnection, name: str, chosen: str) -> Iterator[ShardSums]:
    """The rows of view shard_total that the SQL `chosen` selects, one value per run and `name`."""
    table = connection.execute(
        f"select run_id, {name} as name, layer, head, list(n::double order by shard) as n, list(total order by shard) as totals "
        f"from shard_total {chosen} group by all having count(*) > 1 order by run_id, name, layer, head"
    ).fetchnumpy()
    pairs = list(zip(table["run_id"], table["name"], strict=True))
    for (run_id, what), places in groupby(range(len(pairs)), key=pairs.__getitem__):
        rows = list(places)
        yield ShardSums(
            str(run_id),
            str(what),
            np.asarray(table["layer"][rows], dtype=np.int64),
            np.asarray(table["head"][rows], dtype=np.int64),
            np.stack(list(table["n"][rows])),
            np.stack(list(table["totals"][rows])),
        )


@lru_cache(maxsize=4)
def drawn_shards(shards: int, draws: int, seed: int) -> Floats:
    """How often each shard is drawn, with replacement, as many as there are: (draws, shards), the same for every measure of a run."""
    drawn = np.random.default_rng(seed).multinomial(shards, np.full(shards, 1 / shards), size=draws).astype(np.float64)
    drawn.flags.writeable = False
    return drawn


def halves(shards: int, splits: int, seed: int) -> tuple[Floats, Floats]:
    """Two random halves of the shards, as weights of 0 and 1: (splits, shards) each; of an odd number, one is in neither."""
    order = np.random.default_rng(seed).permuted(np.broadcast_to(np.arange(shards), (splits, shards)), axis=1)
    half = shards // 2
    return (order < half).astype(np.float64), ((order >= half) & (order < 2 * half)).astype(np.float64)


def drawn_means(sums: ShardSums, weights: Floats) -> Floats:
    """The value of every head on drawn shards, given weights (draws, shards): (draws, rows).

    A head without a scored token in a draw keeps its value over all shards.
    """
    # Heads mostly share their scored tokens: then one product serves them all.
    n = weights @ (sums.n[:1] if (sums.n == sums.n[0]).all() else sums.n).T
    drawn = weights @ sums.totals.T
    whole = sums.totals.sum(1) / sums.n.sum(1)
    return np.where(n > 0, drawn / np.where(n > 0, n, 1), whole)
