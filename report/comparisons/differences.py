"""Differences between two runs: head by head, and for all heads together.

A value is a ratio, total over n, summed over shards, as in view head_mean. Its error comes from the shards' influences on it (linearised).
Independent texts: variances add, degrees of freedom by Welch and Satterthwaite. The same shards in both runs: the influences are subtracted
shard by shard before they are squared. An imported table has no error of its own: it is taken as given.
Many heads: the false-discovery rate by Benjamini and Yekutieli, valid under any dependence – heads of a layer are measured against each
other.
Sources: Welch (1947), Satterthwaite (1946), Benjamini and Yekutieli (2001)."""

from dataclasses import dataclass
from math import comb
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import stdtr, stdtrit

from report.comparisons.pairs import Pair, Topic
from report.errors import DatabaseRefusal
from report.trends import DRAWS, SEED

Floats = NDArray[np.float64]
Row = tuple[object, ...]
# Differences and errors below so much of the values are rounding.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Sample:
    """One measure of one run. places: (layer, head) of each head; mean: (heads,); influence of each shard on it: (heads, shards); low,
    high: the measure's least and largest value."""

    places: tuple[tuple[int, int], ...]
    mean: Floats
    influence: Floats
    low: float
    high: float

    @property
    def shards(self) -> int:
        """Shards behind the means."""
        return int(self.influence.shape[1])


@dataclass(frozen=True)
class Estimate:
    """A difference with its error and test, (heads,) each; not a number where there are too few shards."""

    difference: Floats
    se: Floats
    degrees_of_freedom: Floats
    low: Floats
    high: Floats
    p: Floats


def sample(connection: duckdb.DuckDBPyConnection, run_id: str, measure: str, threshold: float | None) -> Sample:
    """Read a run's shards of a measure, tokens counted at a threshold where it needs one."""
    sql = (Path(__file__).parent / "shards.sql").read_text(encoding="utf-8")
    rows = connection.execute(sql, {"run_id": run_id, "measure": measure, "threshold": threshold}).fetchall()
    (bounds,) = connection.execute("select low, high from measure where id = $1", [measure]).fetchall()
    shards = {tuple(row[3]) for row in rows}
    if len(shards) > 1:
        what = f"heads of run {run_id} were measured in different shards"
        raise DatabaseRefusal(what, measure, "measure that run again")
    mean = np.array([row[2] for row in rows], dtype=np.float64)
    n, total = (np.array([row[place] for row in rows], dtype=np.float64) for place in (4, 5))
    places = tuple((layer, head) for layer, head, *_ in rows)
    return Sample(places, mean, (total - mean[:, None] * n) / n.sum(1, keepdims=True), *bounds)


def both(connection: duckdb.DuckDBPyConnection, pair: Pair, topic: Topic) -> tuple[Sample, Sample]:
    """The two samples of a figure, of the heads that both have.

    Raises:
        DatabaseRefusal: no head has a value in both.
    """
    a = sample(connection, pair.a.run_id, topic.measure_a, topic.threshold)
    b = sample(connection, pair.b.run_id, topic.measure_b, topic.threshold)
    shared = sorted(set(a.places) & set(b.places))
    if not shared:
        where = f"figure {topic.figure}"
        raise DatabaseRefusal(f"{pair.a.run_id} and {pair.b.run_id} share no head with a value", where, "choose another figure")
    return kept(a, shared), kept(b, shared)


def kept(whole: Sample, places: list[tuple[int, int]]) -> Sample:
    """A sample of some of its heads."""
    order = {place: row for row, place in enumerate(whole.places)}
    rows = [order[place] for place in places]
    return Sample(tuple(places), whole.mean[rows], whole.influence[rows], whole.low, whole.high)


def variance(influence: Floats) -> Floats:
    """Variance of a mean from its shards' influences (…, shards)."""
    shards = influence.shape[-1]
    squares: Floats = (influence**2).sum(-1)
    return squares * shards / (shards - 1) if shards > 1 else np.full(influence.shape[:-1], np.nan)


def estimate(mean_a: Floats, mean_b: Floats, a: Floats, b: Floats, sampling: str) -> Estimate:
    """b − a with interval and p; `a`, `b`: influences (…, shards) of the two means; see table comparison for `sampling`."""
    difference = mean_b - mean_a
    scale = ROUNDING * np.maximum(1.0, np.maximum(abs(mean_a), abs(mean_b)))
    difference = np.where(abs(difference) <= scale, 0.0, difference)
    if sampling == "none":
        nothing = np.full(difference.shape, np.nan)
        return Estimate(difference, nothing, nothing, nothing, nothing, nothing)
    if sampling in ("paired", "fixed"):
        squared = variance(b - a if sampling == "paired" else b)
        degrees = np.full(difference.shape, b.shape[-1] - 1.0)
        least = 2 / 2 ** b.shape[-1]
    else:
        of_a, of_b = variance(a), variance(b)
        squared = of_a + of_b
        divisor = of_a**2 / (a.shape[-1] - 1) + of_b**2 / (b.shape[-1] - 1)
        pooled = np.full(difference.shape, a.shape[-1] + b.shape[-1] - 2.0)
        degrees = np.divide(squared**2, divisor, out=pooled, where=divisor > 0)
        least = 2 / comb(a.shape[-1] + b.shape[-1], a.shape[-1])
    se = np.where(np.sqrt(squared) <= scale, 0.0, np.sqrt(squared))
    t = np.divide(abs(difference), se, out=np.zeros_like(difference), where=se > 0)
    # Without any variance t says nothing; what stays is that no other split of the shards gives as large a difference.
    p = np.where(se > 0, 2 * stdtr(degrees, -t), np.where(difference == 0, 1.0, least))
    half = stdtrit(degrees, 0.975) * se
    return Estimate(difference, se, degrees, difference - half, difference + half, p)


def head_rows(connection: duckdb.DuckDBPyConnection, pair: Pair) -> list[Row]:
    """Rows of table head_difference."""
    rows: list[Row] = []
    for topic in pair.topics:
        a, b = both(connection, pair, topic)
        found = estimate(a.mean, b.mean, a.influence, b.influence, pair.sampling)
        tested = pair.sampling != "none"
        q = stats.false_discovery_control(found.p, method="by") if tested else np.full(found.p.shape, np.nan)
        edges = band_edges(connection, pair.a.run_id, topic.figure)
        columns: list[Floats | NDArray[np.int64]] = [
            a.mean,
            *limits(a, pair.a.kind),
            bands(a.mean, edges),
            b.mean,
            *limits(b, pair.b.kind),
            bands(b.mean, edges),
        ]
        columns += [found.difference, found.se, found.degrees_of_freedom, found.low, found.high, found.p, q]
        listed = [plain(column) for column in columns]
        where = (pair.a.run_id, pair.b.run_id, topic.figure)
        rows += [(*where, *place, *values) for place, *values in zip(a.places, *listed, strict=True)]
    return rows


def limits(one: Sample, kind: str) -> tuple[Floats, Floats]:
    """95 % limits of each head's value, cut at the measure's own range; none for an imported table."""
    nothing = np.full(one.mean.shape, np.nan)
    if kind != "measured" or one.shards < 2:
        return nothing, nothing
    half = stdtrit(one.shards - 1.0, 0.975) * np.sqrt(variance(one.influence))
    return np.maximum(one.low, one.mean - half), np.minimum(one.high, one.mean + half)


def band_edges(connection: duckdb.DuckDBPyConnection, run_id: str, figure: str) -> Floats:
    """Lower edges of a figure's bands."""
    rows = connection.execute("select low from band where run_id = $1 and figure = $2 order by band_ordinal", [run_id, figure]).fetchall()
    return np.array([low for (low,) in rows], dtype=np.float64)


def bands(values: Floats, edges: Floats) -> NDArray[np.int64]:
    """Band of each value: low closed; what lies outside all bands goes to the nearest."""
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 1)


def plain(column: Floats | NDArray[np.int64]) -> list[float | int | None]:
    """A column as Python numbers, null for what is not a number."""
    return [None if value != value else value for value in column.tolist()]


def comparison_rows(connection: duckdb.DuckDBPyConnection, pair: Pair) -> list[Row]:
    """Rows of table comparison."""
    rows: list[Row] = []
    for topic in pair.topics:
        a, b = both(connection, pair, topic)
        means = np.array([a.mean.mean(), b.mean.mean()])
        # All heads of a shard are taken together before shards are compared: heads on the same text are not independent.
        found = estimate(means[0], means[1], a.influence.mean(0), b.influence.mean(0), pair.sampling)
        difference = estimate(a.mean, b.mean, a.influence, b.influence, "none").difference
        layer = np.array([place[0] for place in a.places])
        by_layer = np.array([difference[layer == number].mean() for number in np.unique(layer)])
        p, draws, seed = signs(by_layer)
        one_value = np.ptp(a.mean) == 0 or np.ptp(b.mean) == 0
        order = None if one_value else float(stats.spearmanr(a.mean, b.mean).statistic)
        whole = plain(np.array([*means, found.difference, found.low, found.high, found.p], dtype=np.float64))
        where = (pair.a.run_id, pair.b.run_id, topic.figure, pair.kind, pair.sampling, topic.measure_a, topic.measure_b)
        moved = (len(by_layer), int((by_layer > 0).sum()), int((by_layer < 0).sum()))
        rows.append((*where, topic.threshold, topic.threshold_b, *whole, *moved, p, draws, seed, order))
    return rows


def signs(layers: Floats) -> tuple[float, int, int | None]:
    """Do layers move in one direction? p when the sign of each layer's difference is drawn at random; draws; their seed, if drawn."""
    arrangements = 2 ** len(layers)
    exact = arrangements <= DRAWS + 1
    if len(layers) < 2 or not layers.any():
        return 1.0, arrangements if exact else DRAWS, None if exact else SEED
    random = np.random.default_rng(SEED)
    mean = lambda values, axis: values.mean(axis=axis)  # noqa: E731 – scipy calls it with the axis to reduce
    test = stats.permutation_test((layers,), mean, permutation_type="samples", n_resamples=DRAWS, vectorized=True, rng=random)
    return float(test.pvalue), arrangements if exact else DRAWS, None if exact else SEED
