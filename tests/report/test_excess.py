"""Excess over chance, worked out by hand and against scipy, and how many of the labels given are false, over simulated runs."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from report import detectors, excess


def test_excess_is_the_mean_less_chance_on_the_same_tokens() -> None:
    # Shards of 10 and 30 tokens: (5 + 9) / 40 less (1 + 3) / 40 is .25; residuals of the differences 4 and 6 are 1.5 and −1.5.
    found = excess.over_chance(np.array([[10, 30]]), np.array([[5.0, 9.0]]), np.array([[1.0, 3.0]]), 0.1)
    assert (found.n[0], found.mean[0], found.chance[0], found.excess[0]) == pytest.approx((40, 0.35, 0.1, 0.25))
    assert found.se[0] == pytest.approx(np.sqrt(2 / 1 * (1.5**2 + 1.5**2)) / 40)
    # One degree of freedom: t is Cauchy, whose upper tail is ½ − atan(t) / π; its .975 quantile is 12.706.
    assert found.p[0] == pytest.approx(0.5 - np.arctan(0.15 / found.se[0]) / np.pi)
    assert found.high[0] - found.excess[0] == pytest.approx(12.7062 * found.se[0], rel=1e-5)
    assert found.excess[0] - found.low[0] == pytest.approx(12.7062 * found.se[0], rel=1e-5)


def test_with_shards_of_one_size_p_is_that_of_scipys_paired_t_test() -> None:
    random = np.random.default_rng(3)
    totals, chances = 20 + random.normal(size=(5, 12)), 10 + random.normal(size=(5, 12))
    found = excess.over_chance(np.full((5, 12), 40), totals, chances, 0.24)
    expected = stats.ttest_rel(totals / 40, chances / 40 + 0.24, axis=1, alternative="greater").pvalue
    assert found.p == pytest.approx(expected)
    assert 0.001 < found.p.min() < found.p.max() < 0.999


def test_what_moves_measure_and_chance_alike_leaves_no_error() -> None:
    chances = np.array([[1.0, 5.0, 9.0]])
    found = excess.over_chance(np.full((1, 3), 64), chances + 8.0, chances, 0.1)
    assert (found.excess[0], found.se[0], found.p[0]) == (0.125, 0.0, 0.0)
    assert excess.over_chance(np.full((1, 3), 64), chances + 8.0, chances, 0.125).p[0] == 1.0


def test_corrected_by_hand_three_p_values_are_benjamini_and_yekutielis() -> None:
    # Of three tests the k-th smallest is multiplied by 3 (1 + ½ + ⅓) / k = 5.5 / k.
    assert excess.discoveries(np.array([0.03, 0.002, 0.05])) == pytest.approx([0.03 * 5.5 / 2, 0.002 * 5.5, 0.05 * 5.5 / 3])
    assert excess.discoveries(np.array([])).size == 0


def simulated(random: np.random.Generator, true: np.ndarray, together: float, margin: float) -> excess.Excess:
    """Heads with an excess of exactly the margin, or .03 above it where `true`; `together`: what the shards do to all heads alike."""
    heads, shards = true.size, 64
    n = np.full((heads, shards), 100)
    common = together * random.normal(size=shards) * np.where(random.random(heads) < 0.5, -1, 1)[:, None]
    noise = np.sqrt(1 - together**2) * random.normal(size=(heads, shards)) + common
    totals = 100 * (margin + 0.03 * true[:, None] + 0.02 * noise)
    return excess.over_chance(n, totals, np.zeros_like(totals), margin)


SEEDS = [pytest.param(60, id="60"), pytest.param(1000, id="1000", marks=pytest.mark.slow)]


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("together", [0.0, 0.8])
def test_of_the_labels_given_at_most_the_level_is_false(
    seeds: int, together: float, record_property: Callable[[str, object], None]
) -> None:
    true = np.arange(1000) < 50
    shares, naive, found, rejected = [], [], [], []
    for seed in range(seeds):
        score = simulated(np.random.default_rng(seed), true, together, 0.2)
        passes, bare = excess.discoveries(score.p) <= detectors.LEVEL, score.p <= detectors.LEVEL
        shares.append(np.count_nonzero(passes & ~true) / max(1, np.count_nonzero(passes)))
        naive.append(np.count_nonzero(bare & ~true) / np.count_nonzero(bare))
        found.append(np.count_nonzero(passes & true) / 50)
        rejected.append(np.mean(bare[~true]))
    for name, values in (("false share", shares), ("false share, uncorrected", naive), ("found", found), ("level", rejected)):
        record_property(name, float(np.mean(values)))
        print(f"shards {together:g} together, {seeds} runs: {name} {100 * np.mean(values):.2f} %")
    assert np.mean(shares) <= detectors.LEVEL
    assert np.mean(naive) > 0.3
    assert np.mean(found) > 0.95
    # At the margin itself the test of a single head keeps its level: the t distribution of the linearised error is the right one.
    assert np.mean(rejected) == pytest.approx(detectors.LEVEL, abs=4 * np.std(rejected, ddof=1) / np.sqrt(seeds))
