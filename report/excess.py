"""Excess over chance: what a detector gives each head beyond its chance level on the same tokens, and which heads pass.

Chance is what uniform attention would get on the very tokens that a shard scores, so it moves with the text; measure and chance are
subtracted shard by shard, and what the text does to both cancels. Many heads are tested at once: the false-discovery rate is controlled by
Benjamini and Yekutieli (2001), which holds under any dependence. Here it is needed: all tests of a run rest on the same shards, heads of a
layer compete for the same norm and copy each other, and the detectors of one head share its attention, so what one gets another loses –
tests that hang together negatively, for which Benjamini and Hochberg's proof does not speak."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats


@dataclass(frozen=True)
class Excess:
    """Per head: tokens scored, means of measure and chance, their difference with its standard error and 95 % interval, and the one-sided
    p-value of: the difference is at most the margin. Shares of attention, each [head]."""

    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    chance: NDArray[np.float64]
    excess: NDArray[np.float64]
    se: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p: NDArray[np.float64]


def over_chance(n: NDArray[np.int64], totals: NDArray[np.float64], chances: NDArray[np.float64], margin: float) -> Excess:
    """The excess of every head; `n`, `totals` and `chances` are sums per (head, shard), of tokens, measure and chance, from two shards on.

    A ratio of sums over shards, with its linearised error (Cochran, Sampling Techniques, 1977, section 6.4) and Student's t with shards − 1
    degrees of freedom. Where no shard differs from another the error is 0, and p is 0 or 1.
    """
    shards = n.shape[1]
    tokens = n.sum(axis=1)
    difference = totals - chances
    excess = difference.sum(axis=1) / tokens
    residual = difference - excess[:, None] * n
    se = np.sqrt((residual**2).sum(axis=1) * shards / (shards - 1)) / tokens
    beyond = excess - margin
    t = np.divide(beyond, se, out=np.where(beyond > 0, np.inf, -np.inf), where=se > 0)
    half_width = stats.t.ppf(0.975, shards - 1) * se
    return Excess(
        n=tokens,
        mean=totals.sum(axis=1) / tokens,
        chance=chances.sum(axis=1) / tokens,
        excess=excess,
        se=se,
        low=excess - half_width,
        high=excess + half_width,
        p=stats.t.sf(t, shards - 1),
    )


def discoveries(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """q of every p-value of one family, by Benjamini and Yekutieli: calling those with q ≤ level keeps the expected share of false calls
    at or below the level."""
    return np.asarray(stats.false_discovery_control(p, method="by")) if p.size else p
