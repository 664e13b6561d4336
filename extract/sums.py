"""ShardSums: what one shard adds to the database, per layer and head: counts, sums and histograms that merge in any order.

Numpy alone: what writes and merges sums needs none of a model's libraries."""

import numpy as np
from jaxtyping import Float64, Int64

from extract.errors import NotFinite
from extract.measures import MAX

LayerHead = Float64[np.ndarray, "layer head"]
Stat = tuple[Int64[np.ndarray, "layer head"], LayerHead, LayerHead]

# Eighths of an octave, and two thresholds people ask for that are not among them.
HISTOGRAM_EDGES: tuple[float, ...] = (0.0, *sorted([*(2.0 ** (k / 8) for k in range(-64, 33)), 1 / 3, 3 / 4]), MAX)
"""Bin b is [HISTOGRAM_EDGES[b], HISTOGRAM_EDGES[b + 1]): low closed, high open. The first holds 0, the last everything from 16 up."""

BINS = len(HISTOGRAM_EDGES) - 1


class ShardSums:
    """Float64 sums and int64 counts of a model with `layers` x `heads` heads.

    stats: measure id → (number of values, their sum, the sum of their squares), each [layer, head].
    histograms: histogram kind → counts [layer, head, bin]."""

    def __init__(self, layers: int, heads: int) -> None:
        self.layers, self.heads = layers, heads
        self.stats: dict[str, Stat] = {}
        self.histograms: dict[str, Int64[np.ndarray, "layer head bin"]] = {}

    def add(self, measure: str, n: Int64[np.ndarray, "layer head"], total: LayerHead, total_of_squares: LayerHead) -> None:
        """Add a measure's sums. Raises NotFinite, naming layer, head and measure, where one is not finite."""
        require_finite(measure, total)
        require_finite(measure, total_of_squares)
        before = self.stats.get(measure, (np.int64(0), np.float64(0), np.float64(0)))
        self.stats[measure] = (before[0] + n, before[1] + total, before[2] + total_of_squares)

    def add_histogram(self, kind: str, counts: Int64[np.ndarray, "layer head bin"]) -> None:
        """Add counts per bin."""
        self.histograms[kind] = self.histograms.get(kind, np.int64(0)) + counts

    def merge(self, other: "ShardSums") -> None:
        """Add everything that another holds. Raises ValueError where it comes from a model of another shape."""
        if (self.layers, self.heads) != (other.layers, other.heads):
            raise ValueError(f"sums of {other.layers} x {other.heads} heads cannot join sums of {self.layers} x {self.heads}")
        for measure, (n, total, total_of_squares) in other.stats.items():
            self.add(measure, n, total, total_of_squares)
        for kind, counts in other.histograms.items():
            self.add_histogram(kind, counts)


def require_finite(measure: str, totals: LayerHead) -> None:
    """Raise NotFinite, naming the first layer and head, unless every total is finite."""
    bad = np.argwhere(~np.isfinite(totals))
    if bad.size:
        layer, head = bad[0]
        raise NotFinite(measure, f"L{layer}H{head}")
