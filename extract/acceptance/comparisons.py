"""Comparisons of ours with theirs: each says what it holds against what, by how much they may differ, and whether they agree.

Numbers only: nothing here needs a model."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from extract.acceptance.published import Head

PerHead = Float64[np.ndarray, "layer head"]

AGREES, DIFFERS, NOT_COMPARED = "agrees", "differs", "not compared"


@dataclass(frozen=True)
class Comparison:
    """One line of the table. `theirs` and `ours` are None where something was missing; `allowed` says in words what agreeing means."""

    model: str
    source: str
    what: str
    theirs: float | None
    ours: float | None
    allowed: str
    verdict: str


def within(what: str, ours: float, theirs: float, tolerance: float, model: str, source: str) -> Comparison:
    """Two numbers that may differ by `tolerance`. One that is not a number agrees with nothing."""
    return Comparison(model, source, what, theirs, ours, f"± {tolerance:g}", _verdict(abs(ours - theirs) <= tolerance))


def at_least(what: str, ours: float, least: float, model: str, source: str) -> Comparison:
    """A number that may not be lower."""
    return Comparison(model, source, what, None, ours, f"at least {least:g}", _verdict(ours >= least))


def below(what: str, ours: float, bound: float, model: str, source: str) -> Comparison:
    """A number that must be lower."""
    return Comparison(model, source, what, None, ours, f"below {bound:g}", _verdict(ours < bound))


def missing(what: str, why: str, model: str, source: str) -> Comparison:
    """What could not be compared, and why."""
    return Comparison(model, source, what, None, None, why, NOT_COMPARED)


def heads_within(name: str, ours: PerHead, theirs: dict[Head, float], tolerance: float, model: str, source: str) -> list[Comparison]:
    """A line per head."""
    return [
        within(f"{name} of L{layer}H{head}", float(ours[layer, head]), score, tolerance, model, source)
        for (layer, head), score in theirs.items()
    ]


def heads_among(name: str, ours: PerHead, heads: Sequence[Head], among: int, model: str, source: str) -> list[Comparison]:
    """A line per head: its place, 1 being the highest, must be `among` or less."""
    places = {head: place for place, head in enumerate(highest(ours, ours.size), 1)}
    lines = []
    for layer, head in heads:
        place = places[layer, head]
        what = f"place of L{layer}H{head} by {name}"
        lines.append(Comparison(model, source, what, None, float(place), f"{among} or less", _verdict(place <= among)))
    return lines


def top_shared(ours: PerHead, theirs: PerHead, top: int) -> int:
    """How many of the `top` highest heads the two have in common."""
    return len(set(highest(ours, top)) & set(highest(theirs, top)))


def highest(values: PerHead, count: int) -> list[Head]:
    """The heads with the highest values, in order; equals by layer and head."""
    order = np.argsort(-values, axis=None, kind="stable")[:count]
    return [(int(place) // values.shape[1], int(place) % values.shape[1]) for place in order]


def rank_correlation(ours: PerHead, theirs: PerHead) -> float:
    """Spearman's: Pearson's correlation of the ranks, equals sharing the mean of theirs; not a number where one has no order at all."""
    first, second = (_ranks(values.ravel()) for values in (ours, theirs))
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def counts_per_range(values: PerHead, above: float, ranges: int) -> list[int]:
    """Heads above a score in each of so many ranges of layers, as equal as they can be."""
    edges = [(2 * number * values.shape[0] + ranges) // (2 * ranges) for number in range(ranges + 1)]
    return [int((values[low:high] > above).sum()) for low, high in itertools.pairwise(edges)]


def counts_within(ours: PerHead, theirs: dict[float, tuple[int, ...]], tolerance: float, model: str, source: str) -> list[Comparison]:
    """A line per score and range of layers."""
    lines = []
    for above, counts in theirs.items():
        for number, (mine, count) in enumerate(zip(counts_per_range(ours, above, len(counts)), counts, strict=True)):
            what = f"heads above {above:g} by induction, part {number + 1} of {len(counts)} of the depth"
            lines.append(within(what, float(mine), float(count), tolerance, model, source))
    return lines


def _ranks(values: Float[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return (ends - (count - 1) / 2.0)[place.reshape(-1)]


def _verdict(agrees: bool) -> str:
    return AGREES if agrees else DIFFERS
