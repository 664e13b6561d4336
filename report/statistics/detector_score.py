"""Rows of table detector_score: every detector against its chance level, on every head of every run that has both."""

from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from report import detectors, excess
from report.detectors import Detector
from report.statistics import Row

SUMS = "select layer, head, shard, n, total from shard_stat where run_id = $1 and measure = $2 order by layer, head, shard"


@dataclass(frozen=True)
class Sums:
    """One measure of one run: layer and head of every head, and its tokens and total per (head, shard)."""

    layer: NDArray[np.int64]
    head: NDArray[np.int64]
    n: NDArray[np.int64]
    total: NDArray[np.float64]

    def is_paired_with(self, other: "Sums") -> bool:
        """True where both count the same tokens of the same heads."""
        return np.array_equal(self.n, other.n) and np.array_equal(self.layer, other.layer) and np.array_equal(self.head, other.head)


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row per run, detector and head."""
    chance = dict(connection.execute("select chance_of, id from measure where chance_of is not null order by id desc").fetchall())
    known = [one for one in detectors.load() if one.measure in chance]
    runs = connection.execute("select run_id from run where kind = 'measured' order by run_id").fetchall()
    return [row for (run_id,) in runs for row in rows_of_run(connection, run_id, known, chance)]


def rows_of_run(connection: duckdb.DuckDBPyConnection, run_id: str, known: list[Detector], chance: dict[str, str]) -> list[Row]:
    """The scores of one run; detectors that give labels are one family of tests, those that are apart another."""
    names = {name for one in known for name in (one.measure, chance[one.measure])}
    sums = {name: found for name in sorted(names) if (found := sums_of(connection, run_id, name)) is not None}
    usable = [
        one
        for one in known
        if one.measure in sums and chance[one.measure] in sums and sums[one.measure].is_paired_with(sums[chance[one.measure]])
    ]
    return [row for apart in (False, True) for row in rows_of_family(run_id, [one for one in usable if one.apart is apart], sums, chance)]


def sums_of(connection: duckdb.DuckDBPyConnection, run_id: str, measure: str) -> Sums | None:
    """The sums of one measure, or None unless the run has it on two shards or more, in every shard for every head."""
    table = connection.execute(SUMS, [run_id, measure]).fetchnumpy()
    shards = np.unique(table["shard"])
    if shards.size < 2 or table["shard"].size % shards.size:
        return None
    layer, head, shard, n, total = (table[name].reshape(-1, shards.size) for name in ("layer", "head", "shard", "n", "total"))
    if (shard != shards).any() or not n.sum(axis=1).all():
        return None
    return Sums(layer[:, 0], head[:, 0], n, total)


def rows_of_family(run_id: str, family: list[Detector], sums: dict[str, Sums], chance: dict[str, str]) -> list[Row]:
    """The scores of the detectors whose tests are corrected together."""
    scores = [
        excess.over_chance(sums[one.measure].n, sums[one.measure].total, sums[chance[one.measure]].total, one.margin) for one in family
    ]
    if not scores:
        return []
    q = np.split(excess.discoveries(np.concatenate([score.p for score in scores])), np.cumsum([score.p.size for score in scores])[:-1])
    found: list[Row] = []
    for one, score, corrected in zip(family, scores, q, strict=True):
        columns = [sums[one.measure].layer, sums[one.measure].head, score.n, score.mean, score.chance, score.excess, score.se]
        columns += [score.low, score.high, score.p, corrected]
        for values in zip(*(column.tolist() for column in columns), strict=True):
            found.append((run_id, one.id, *values, values[-1] <= detectors.LEVEL))
    return found
