"""Sums merge in any order, histograms put each value where its edges say, and nothing that is not finite gets in."""

import sys
from bisect import bisect_right

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from extract.errors import NumericRefusal
from extract.sums import BINS, HISTOGRAM_EDGES, ShardSums
from extract.tally import bins_per_head, sums_per_head

LAYERS, HEADS = 2, 3
WHOLE = hnp.arrays(np.int64, (LAYERS, HEADS), elements=st.integers(0, 2**40))
REAL = hnp.arrays(np.float64, (LAYERS, HEADS), elements=st.floats(0, 1e9))
COUNTS = hnp.arrays(np.int64, (LAYERS, HEADS, BINS), elements=st.integers(0, 2**40), fill=st.just(0))
PART = st.tuples(st.sampled_from(["entropy", "sink_mass"]), WHOLE, REAL, REAL, COUNTS)


def sums_from(parts: list[tuple]) -> ShardSums:
    sums = ShardSums(LAYERS, HEADS)
    for measure, n, total, squares, counts in parts:
        sums.add(measure, n, total, squares)
        sums.add_histogram("relative_norm", counts)
    return sums


def assert_same(one: ShardSums, other: ShardSums) -> None:
    assert one.stats.keys() == other.stats.keys() and one.histograms.keys() == other.histograms.keys()
    for measure, (n, total, squares) in one.stats.items():
        assert np.array_equal(other.stats[measure][0], n)
        assert np.allclose(other.stats[measure][1], total, rtol=1e-14, atol=0)
        assert np.allclose(other.stats[measure][2], squares, rtol=1e-14, atol=0)
    for kind, counts in one.histograms.items():
        assert np.array_equal(other.histograms[kind], counts)


@given(st.lists(PART, max_size=6), st.randoms(use_true_random=False), st.integers(0, 6))
def test_shards_merge_to_the_same_sums_in_any_order_and_grouping(parts: list, random: object, cut: int) -> None:
    whole = sums_from(parts)
    random.shuffle(parts)
    left, right = sums_from(parts[:cut]), sums_from(parts[cut:])
    right.merge(left)
    assert_same(whole, right)


def test_merging_leaves_the_other_sums_as_they_were() -> None:
    ones = np.ones((LAYERS, HEADS))
    left, right = ShardSums(LAYERS, HEADS), ShardSums(LAYERS, HEADS)
    left.add("entropy", ones.astype(np.int64), ones, ones)
    right.merge(left)
    right.merge(left)
    assert right.stats["entropy"][1].tolist() == (2 * ones).tolist() and left.stats["entropy"][1].tolist() == ones.tolist()
    assert right.stats["entropy"][0].dtype == np.int64


def test_sums_of_models_of_different_shape_do_not_merge() -> None:
    with pytest.raises(ValueError, match="sums of 2 x 4 heads cannot join sums of 2 x 3"):
        ShardSums(2, 3).merge(ShardSums(2, 4))


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_a_sum_that_is_not_finite_is_refused_with_its_measure_layer_and_head(poison: float) -> None:
    bad = np.zeros((LAYERS, HEADS))
    bad[1, 2] = poison
    sums, n = ShardSums(LAYERS, HEADS), np.ones((LAYERS, HEADS), dtype=np.int64)
    for total, squares in ((bad, np.zeros_like(bad)), (np.zeros_like(bad), bad)):
        with pytest.raises(NumericRefusal, match=r"error: entropy is not finite \(L1H2\); fix: "):
            sums.add("entropy", n, total, squares)
    assert sums.stats == {}


def test_edges_are_eighths_of_an_octave_with_a_third_and_three_quarters() -> None:
    assert HISTOGRAM_EDGES[0] == 0 and HISTOGRAM_EDGES[1] == 2**-8
    assert HISTOGRAM_EDGES[-2] == 16 and HISTOGRAM_EDGES[-1] == sys.float_info.max
    assert {1 / 3, 0.5, 3 / 4, 1.0} < set(HISTOGRAM_EDGES)
    assert list(HISTOGRAM_EDGES) == sorted(set(HISTOGRAM_EDGES)) and BINS == 100 == len(HISTOGRAM_EDGES) - 1


def bin_of(value: float, dtype: torch.dtype) -> int:
    return int(bins_per_head(torch.tensor([[[value]]], dtype=dtype))[0].argmax())


def test_a_value_equal_to_an_edge_is_in_the_bin_that_begins_there() -> None:
    for edge in range(BINS):
        assert bin_of(HISTOGRAM_EDGES[edge], torch.float64) == edge
        if edge:
            assert bin_of(float(np.nextafter(HISTOGRAM_EDGES[edge], 0)), torch.float64) == edge - 1
    assert bin_of(sys.float_info.max, torch.float64) == BINS - 1


def test_float32_values_are_held_against_the_edges_as_they_are_stored() -> None:
    below = next(edge for edge in HISTOGRAM_EDGES[1:-1] if float(np.float32(edge)) < edge)
    assert bin_of(float(np.float32(below)), torch.float32) == HISTOGRAM_EDGES.index(below) - 1
    assert bin_of(0.5, torch.float32) == HISTOGRAM_EDGES.index(0.5)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(0, 20)), elements=st.floats(0, 64, width=32)))
def test_every_value_is_counted_once_in_the_bin_that_holds_it(values: np.ndarray) -> None:
    counts = bins_per_head(torch.from_numpy(values)).numpy()
    for head in range(values.shape[1]):
        bins = [bisect_right(HISTOGRAM_EDGES, float(value)) - 1 for value in values[:, head].ravel()]
        assert counts[head].tolist() == np.bincount(bins, minlength=BINS).tolist() if bins else counts[head].sum() == 0


def test_sums_are_kept_in_float64_whatever_the_values_are() -> None:
    values = torch.full((1, 1, 2**20), 0.1, dtype=torch.float32)
    total, squares = sums_per_head(values)[0].tolist()
    exact = float(np.float32(0.1))
    assert total == pytest.approx(2**20 * exact, rel=1e-14) and squares == pytest.approx(2**20 * exact**2, rel=1e-14)
