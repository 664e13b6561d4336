"""Tests of a trend over layer ranges: which p-value a figure may put beside its words.

Heads of one layer are dependent, so layers are what is permuted; neighbours in depth are alike, so circular shifts of the layer order stand
beside the free permutation. Counts that somebody published name no layers: there only a test that takes heads as independent is possible,
and the page says so. One test per figure is primary and named before the data; what is asked of single bands besides is corrected by Holm.
Sources: Somers (1962) for D; Cochran (1954) and Armitage (1955) for the exact trend test; Holm (1979)."""

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


def band_effects(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Somers' D of each band by itself – in it or not, given range – from counts of heads (…, range, band): (…, band).

    Positive where deeper ranges hold more of the band: of two heads from different ranges, how much more often is the deeper one alone in
    it than the shallower one?
    """
    heads = counts.sum(-1, keepdims=True)
    # A pair is ordered by the band where one of the two is in it and the other is not; pairs with both in it cancel.
    shallower_in, shallower = counts.cumsum(-2) - counts, heads.cumsum(-2) - heads
    difference = (counts * shallower - heads * shallower_in).sum(-2).astype(float)
    pairs = np.broadcast_to((heads * shallower).sum(-2), difference.shape)
    return np.asarray(np.divide(difference, pairs, out=np.zeros_like(difference), where=pairs > 0))


def permuted_ranges(layers: NDArray[np.int64], edges: tuple[int, ...], draws: int = DRAWS, seed: int = SEED) -> NDArray[np.int64]:
    """Counts per (draw, range, band) of as many random orders of the layers; `layers`: heads per (layer, band)."""
    random = np.random.default_rng(seed)
    orders = random.permuted(np.broadcast_to(np.arange(len(layers)), (draws, len(layers))), axis=1)
    return by_ranges(layers[orders], edges)


def share_as_extreme(drawn: NDArray[np.float64], observed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two-sided p of statistics drawn at random (draw, …), the observed arrangement counted as one of them."""
    extreme = np.count_nonzero(np.abs(drawn) >= np.abs(observed) - 1e-12, axis=0)
    return np.asarray((1 + extreme) / (1 + len(drawn)))


def layer_permutation(layers: NDArray[np.int64], edges: tuple[int, ...], draws: int = DRAWS, seed: int = SEED) -> Trend:
    """Permute whole layers over depth: how often is |D| as large as observed?  `layers`: heads per (layer, band)."""
    return layer_permutations(layers, edges, draws, seed)[0]


def layer_permutations(
    layers: NDArray[np.int64], edges: tuple[int, ...], draws: int = DRAWS, seed: int = SEED
) -> tuple[Trend, list[Trend]]:
    """The permutation of whole layers, of Somers' D over all bands and of each band by itself; all see the same random orders."""
    observed, drawn = by_ranges(layers, edges), permuted_ranges(layers, edges, draws, seed)
    effect, effects = somers_d(observed), band_effects(observed)
    whole = Trend("layer_permutation", "Somers' D", float(effect), float(share_as_extreme(somers_d(drawn), effect)), draws, seed)
    chances = share_as_extreme(band_effects(drawn), effects)
    own = [
        Trend("layer_permutation_of_band", "Somers' D of the band", float(value), float(p), draws, seed)
        for value, p in zip(effects, chances, strict=True)
    ]
    return whole, own


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """p-values corrected for their number by Holm (1979): calling those below the level errs once in 1 / level families at most.

    The k-th smallest of m is multiplied by m − k + 1; none is below one before it, or above 1.
    """
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected


def circular_shift(layers: NDArray[np.int64], edges: tuple[int, ...]) -> Trend:
    """Shift the layer order around: the least p that L layers allow is 1/L.  `layers`: heads per (layer, band)."""
    return circular_shifts(layers, edges)[0]


def circular_shifts(layers: NDArray[np.int64], edges: tuple[int, ...]) -> tuple[Trend, list[Trend]]:
    """Every shift of the layer order, of Somers' D over all bands and of each band by itself; the order itself is the first."""
    shifted = by_ranges(np.stack([np.roll(layers, shift, axis=0) for shift in range(len(layers))]), edges)
    drawn = np.concatenate([somers_d(shifted)[:, None], band_effects(shifted)], axis=-1)
    extreme = np.count_nonzero(np.abs(drawn) >= np.abs(drawn[0]) - 1e-12, axis=0)
    names = [("circular_shift", "Somers' D"), *[("circular_shift_of_band", "Somers' D of the band")] * layers.shape[1]]
    found = [
        Trend(test, statistic, float(value), int(count) / len(layers), len(layers), None)
        for (test, statistic), value, count in zip(names, drawn[0], extreme, strict=True)
    ]
    return found[0], found[1:]


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
