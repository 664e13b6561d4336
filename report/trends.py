"""Tests of a trend over layer ranges: which p-value a figure may put beside its words.

Heads of one layer are dependent, so layers are what is permuted; neighbours in depth are alike, so circular shifts of the layer order stand
beside the free permutation. Counts that somebody published name no layers: there only a test that takes heads as independent is possible,
and the page says so.
Sources: Somers (1962) for D; Cochran (1954) and Armitage (1955) for the exact trend test."""

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

DRAWS = 9_999
SEED = 20_250_701


@dataclass(frozen=True)
class Trend:
    """One test: its name, the statistic, the two-sided p-value and how many arrangements stand behind it."""

    test: str
    statistic: str
    value: float
    p: float
    draws: int
    seed: int | None


def somers_d(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Somers' D of band given range, from counts of heads (…, range, band); 0 where no two heads lie in different ranges.

    D = (concordant − discordant) / pairs of heads from different ranges; positive where deeper ranges hold higher bands.
    """
    ranges, bands = counts.shape[-2:]
    difference = np.zeros(counts.shape[:-2])
    pairs = np.zeros(counts.shape[:-2])
    above = np.sign(np.arange(bands)[None, :] - np.arange(bands)[:, None]).astype(float)
    for shallow in range(ranges):
        for deep in range(shallow + 1, ranges):
            difference += np.einsum("...i,ij,...j->...", counts[..., shallow, :], above, counts[..., deep, :])
            pairs += counts[..., shallow, :].sum(-1) * counts[..., deep, :].sum(-1)
    return np.divide(difference, pairs, out=np.zeros_like(difference), where=pairs > 0)


def by_ranges(layers: NDArray[np.int64], edges: tuple[int, ...]) -> NDArray[np.int64]:
    """Counts per layer (…, layer, band) summed within ranges: (…, range, band)."""
    return np.add.reduceat(layers, edges[:-1], axis=-2)


def layer_permutation(layers: NDArray[np.int64], edges: tuple[int, ...], draws: int = DRAWS, seed: int = SEED) -> Trend:
    """Permute whole layers over depth: how often is |D| as large as observed?  `layers`: heads per (layer, band)."""
    observed = float(somers_d(by_ranges(layers, edges)))
    random = np.random.default_rng(seed)
    orders = random.permuted(np.broadcast_to(np.arange(len(layers)), (draws, len(layers))), axis=1)
    drawn = somers_d(by_ranges(layers[orders], edges))
    extreme = int(np.count_nonzero(np.abs(drawn) >= abs(observed) - 1e-12))
    return Trend("layer_permutation", "Somers' D", observed, (1 + extreme) / (1 + draws), draws, seed)


def circular_shift(layers: NDArray[np.int64], edges: tuple[int, ...]) -> Trend:
    """Shift the layer order around: the least p that L layers allow is 1/L.  `layers`: heads per (layer, band)."""
    observed = float(somers_d(by_ranges(layers, edges)))
    shifted = somers_d(by_ranges(np.stack([np.roll(layers, shift, axis=0) for shift in range(len(layers))]), edges))
    extreme = int(np.count_nonzero(np.abs(shifted) >= abs(observed) - 1e-12))
    return Trend("circular_shift", "Somers' D", observed, extreme / len(layers), len(layers), None)


def cochran_armitage_exact(inside: list[int], totals: list[int]) -> Trend:
    """Exact trend test of a share over ranges, given both margins; takes heads as independent of each other.

    `inside`: heads in the band per range; `totals`: heads per range. The statistic is Σ range · inside; p sums the arrangements whose
    statistic lies at least as far from its expectation.
    """
    ways: dict[tuple[int, int], int] = {(0, 0): 1}
    for score, total in enumerate(totals):
        grown: dict[tuple[int, int], int] = {}
        for (drawn, value), count in ways.items():
            for taken in range(min(total, sum(inside) - drawn) + 1):
                key = (drawn + taken, value + score * taken)
                grown[key] = grown.get(key, 0) + count * comb(total, taken)
        ways = grown
    chosen = {value: count for (drawn, value), count in ways.items() if drawn == sum(inside)}
    arrangements = sum(chosen.values())
    observed = sum(score * taken for score, taken in enumerate(inside))
    # Distances are compared as integers (times the number of arrangements): no rounding decides what is "as far".
    centre = sum(value * count for value, count in chosen.items())
    distance = abs(observed * arrangements - centre)
    extreme = sum(count for value, count in chosen.items() if abs(value * arrangements - centre) >= distance)
    return Trend("cochran_armitage_exact", "sum of range ordinals", float(observed), extreme / arrangements, len(chosen), None)
