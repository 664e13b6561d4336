"""Drawing shards again: values, counts of heads per band and split halves, against numbers worked out by hand or simulated."""

import numpy as np
import pytest

from report.resampling import Layout, ShardSums, drawn_means, drawn_shards, halves
from report.statistics import band_interval, reliability
from report.statistics.interval_check import bootstrap_errors, spread

PERCENT = Layout(np.array([20.0, 40.0, 60.0, 80.0]), np.array([0]))


def sums(values: np.ndarray, n: np.ndarray | float = 1.0, layers: np.ndarray | None = None) -> ShardSums:
    """Shards (heads, shards) whose values are `values`, each of `n` tokens."""
    weights = np.broadcast_to(np.asarray(n, dtype=float), values.shape)
    rows = np.arange(len(values))
    return ShardSums("run", "figure", np.zeros(len(values), dtype=int) if layers is None else layers, rows, weights, values * weights)


def test_every_draw_takes_as_many_shards_as_there_are_and_the_same_seed_the_same_ones() -> None:
    drawn = drawn_shards(7, 50, 3)
    assert drawn.shape == (50, 7)
    assert set(drawn.sum(1)) == {7.0}
    assert (drawn == drawn_shards(7, 50, 3)).all()
    assert (drawn != drawn_shards(7, 50, 4)).any()


@pytest.mark.parametrize("shards", [2, 3, 8, 9])
def test_halves_are_equal_and_share_no_shard_and_an_odd_one_is_left_out_at_random(shards: int) -> None:
    one, other = halves(shards, 200, 1)
    assert set(one.sum(1)) == set(other.sum(1)) == {shards // 2}
    assert (one * other).max() == 0
    # In 200 splits every shard of an odd number is left out at least once; of an even number none ever is.
    assert set((one + other).min(0)) == {1.0 - shards % 2}


def test_a_drawn_value_is_the_ratio_of_drawn_totals_to_drawn_tokens() -> None:
    two = sums(np.array([[10.0, 40.0], [10.0, 40.0]]), np.array([[1.0, 2.0], [3.0, 1.0]]))
    drawn = drawn_means(two, np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]]))
    assert drawn.tolist() == [[10.0, 10.0], [30.0, 17.5], [40.0, 40.0]]


def test_heads_that_share_their_tokens_are_drawn_as_those_that_do_not() -> None:
    values = np.random.default_rng(0).uniform(0, 100, (5, 6))
    tokens = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0])
    shared = sums(values, tokens)
    apart = sums(values[:2], np.vstack([tokens, tokens[::-1]]))
    weights = drawn_shards(6, 20, 0)
    assert np.allclose(drawn_means(shared, weights)[:, 0], drawn_means(apart, weights)[:, 0])
    assert not np.allclose(drawn_means(shared, weights)[:, 1], drawn_means(apart, weights)[:, 1])


def test_a_draw_without_any_token_of_a_head_leaves_its_value() -> None:
    seldom = sums(np.array([[50.0, 0.0]]), np.array([[4.0, 0.0]]))
    assert drawn_means(seldom, np.array([[0.0, 2.0], [2.0, 0.0]])).tolist() == [[50.0], [50.0]]


def test_a_value_on_an_edge_is_in_the_band_above_and_the_greatest_in_the_last() -> None:
    assert PERCENT.band_of(np.array([0.0, 19.99, 20.0, 80.0, 100.0])).tolist() == [0, 0, 1, 4, 4]


def test_counts_are_per_draw_all_layers_first_and_then_each_range() -> None:
    layout = Layout(np.array([50.0]), np.array([0, 2]))
    layers = np.array([0, 1, 2, 3, 3])
    counted = layout.counts(layout.members(np.array([[0.0, 60.0, 60.0, 60.0, 0.0], [0.0] * 5])), layers)
    assert counted.tolist() == [[[2, 3], [1, 1], [1, 2]], [[5, 0], [2, 0], [3, 0]]]


def test_two_shards_draw_the_counts_that_can_be_listed_by_hand() -> None:
    # Head 0 is 10 and 30: drawn 10, 20 or 30, so below the edge at 20 in a quarter of the draws. Head 1 is 50 in both.
    layout = Layout(np.array([20.0]), np.array([0]))
    two = sums(np.array([[10.0, 30.0], [50.0, 50.0]]))
    observed, low, high = band_interval.interval(two, layout)
    assert observed[0].tolist() == [0, 2]
    assert (low[0].tolist(), high[0].tolist()) == ([0, 1], [1, 2])


def test_heads_far_from_every_edge_have_counts_without_doubt() -> None:
    values = np.repeat([[10.0], [50.0], [50.0], [90.0]], 8, axis=1) + np.resize([-2.0, 2.0], 8)
    observed, low, high = band_interval.interval(sums(values), PERCENT)
    assert observed[0].tolist() == low[0].tolist() == high[0].tolist() == [1, 0, 2, 0, 1]


def test_the_interval_holds_the_observed_count_even_where_every_draw_misses_it() -> None:
    # Thirty heads exactly on the edge: each drawn anew falls below it every other time, so hardly a draw has thirty above.
    noise = np.random.default_rng(2).normal(0, 3, (30, 40))
    edge = sums(80.0 + noise - noise.mean(1, keepdims=True) + 1e-9)
    drawn = PERCENT.counts(PERCENT.members(drawn_means(edge, drawn_shards(40, 2_000, 1))), edge.layers)
    observed, low, high = band_interval.interval(edge, PERCENT)
    assert observed[0].tolist() == [0, 0, 0, 0, 30]
    assert np.quantile(drawn[:, 0, 4], 0.975) < 30
    assert high[0, 4] == 30
    assert low[0, 4] < 20
    assert (low <= observed).all()
    assert (observed <= high).all()


def test_the_halves_of_two_shards_are_the_shards_themselves() -> None:
    values = np.array([[10.0, 30.0], [50.0, 45.0], [90.0, 70.0], [95.0, 99.0]])
    correlation, whole, flips = reliability.split_half(sums(values), PERCENT)
    expected = float(np.corrcoef(values[:, 0], values[:, 1])[0, 1])
    assert correlation == pytest.approx(expected)
    assert whole == pytest.approx(2 * expected / (1 + expected))
    assert flips == 50.0


def test_heads_that_are_all_equal_have_no_correlation_and_never_flip() -> None:
    assert reliability.split_half(sums(np.full((9, 8), 0.3), 7.0), Layout(np.array([0.5]), np.array([0]))) == (None, None, 0.0)


def test_two_heads_have_no_correlation_that_says_anything() -> None:
    correlation, whole, flips = reliability.split_half(sums(np.array([[10.0, 12.0], [90.0, 95.0]])), PERCENT)
    assert (correlation, whole, flips) == (None, None, 0.0)


def test_halves_that_contradict_each_other_have_no_reliability() -> None:
    correlation, whole, flips = reliability.split_half(sums(np.array([[10.0, 90.0], [50.0, 50.0], [90.0, 10.0]])), PERCENT)
    assert correlation == pytest.approx(-1)
    assert whole is None
    assert flips == pytest.approx(200 / 3)


def test_split_halves_find_the_reliability_that_was_planted() -> None:
    # True values with variance 4, noise of variance 16 per shard, 8 shards: 4 / (4 + 2) for the whole, 4 / (4 + 4) for a half.
    random = np.random.default_rng(3)
    values = 50 + random.normal(0, 2, (4_000, 1)) + random.normal(0, 4, (4_000, 8))
    correlation, whole, _ = reliability.split_half(sums(values), PERCENT)
    assert correlation == pytest.approx(1 / 2, abs=0.03)
    assert whole == pytest.approx(2 / 3, abs=0.03)


def test_the_bootstrap_error_of_equal_shards_is_that_of_a_mean() -> None:
    # Of four shards, variances by 3 and by 4 differ enough to be told apart.
    values = np.random.default_rng(4).normal(50, 5, (20, 4))
    expected = values.std(1, ddof=1) / 2
    assert bootstrap_errors(sums(values, 3.0), draws=20_000) == pytest.approx(expected, rel=0.03)


def test_the_spread_over_heads_leaves_out_those_without_a_number() -> None:
    assert spread(np.array([np.nan, *range(101)])) == (50.0, 5.0, 95.0)
    assert spread(np.array([np.nan])) == (None, None, None)
