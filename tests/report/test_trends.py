"""Trend tests against numbers worked by hand or simulated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.trends import by_ranges, circular_shift, cochran_armitage_exact, layer_permutation, somers_d


def test_somers_d_counts_pairs_of_heads_from_different_ranges() -> None:
    # Range 0 holds bands 0, 1; range 1 holds bands 1, 1: of four pairs two are higher, two are level.
    assert somers_d(np.array([[1, 1], [0, 2]])) == pytest.approx(0.5)
    assert somers_d(np.array([[0, 2], [2, 0]])) == pytest.approx(-1)
    assert somers_d(np.array([[3, 3]])) == 0


@given(st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=2, max_size=5))
def test_turning_the_ranges_around_turns_the_sign(rows: list[list[int]]) -> None:
    counts = np.array(rows)
    assert somers_d(counts[::-1]) == pytest.approx(-somers_d(counts))


def test_ranges_sum_their_layers() -> None:
    assert by_ranges(np.array([[1, 0], [2, 1], [3, 3]]), (0, 1, 3)).tolist() == [[1, 0], [5, 4]]


def test_the_published_figures_trend_has_the_p_value_worked_out_before() -> None:
    assert round(cochran_armitage_exact([2, 7, 20, 15], [7, 12, 27, 19]).p, 3) == 0.017


def test_the_exact_test_on_two_by_two_counts_is_fishers_by_hand() -> None:
    # Two of two against none of two: of C(4, 2) = 6 arrangements, the two extreme ones lie as far from the mean.
    assert cochran_armitage_exact([2, 0], [2, 2]).p == pytest.approx(2 / 6)


def test_a_clear_order_is_rare_under_permutation_and_a_flat_one_is_not() -> None:
    rising = np.array([[8 - layer, layer] for layer in range(8)])
    flat = np.full((8, 2), 4)
    edges = (0, 2, 4, 6, 8)
    assert layer_permutation(rising, edges).p < 0.01
    assert layer_permutation(flat, edges).p == 1
    assert circular_shift(rising, edges).p == pytest.approx(1 / 8, abs=1 / 8)
    assert circular_shift(flat, edges).p == 1


def test_the_permutation_is_seeded() -> None:
    layers = np.random.default_rng(1).integers(0, 4, size=(12, 5))
    assert layer_permutation(layers, (0, 3, 6, 9, 12)) == layer_permutation(layers, (0, 3, 6, 9, 12))


def test_layer_effects_without_a_trend_are_rejected_at_about_the_level() -> None:
    # Heads of one layer share a level, and levels do not depend on depth: at .05 the test may reject about one in twenty.
    random = np.random.default_rng(7)
    rejected = 0
    for _ in range(300):
        levels = random.normal(size=(16, 1)) + 0.3 * random.normal(size=(16, 12))
        bands = np.clip(np.floor(levels + 2.5), 0, 4).astype(int)
        layers = np.stack([np.bincount(row, minlength=5) for row in bands])
        rejected += layer_permutation(layers, (0, 4, 8, 12, 16), draws=199).p < 0.05
    assert rejected / 300 < 0.09
