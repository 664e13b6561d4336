"""Which pairs are changed: against the run's histograms, and controls by their definition."""

from collections.abc import Callable

import pytest
import torch
from test_calibration_edits import looked_at
from torch import Tensor
from transformers import PreTrainedModel

from extract.attention import measure_windows
from extract.calibration.masks import amounts
from extract.calibration.observed import Observed
from extract.calibration.plan import RIVALS, Intervention
from extract.measures import HELD_OUT, NATURAL, discover
from extract.sums import HISTOGRAM_EDGES, ShardSums

TAU = 0.75


@pytest.fixture
def seen(toy: PreTrainedModel, windows: Callable[..., Tensor]) -> Observed:
    return looked_at(toy, windows(3, 40))[1]


def like(rule: str, treatment: str = "zero", **more: object) -> Intervention:
    return Intervention(rule, treatment, rule, TAU, "relative_norm-0.75", **more)


BELOW = Intervention("relative_norm-0.75", "zero", "relative_norm", TAU)


@pytest.mark.parametrize("rule", ["relative_norm", "residual_share"])
def test_pairs_below_a_threshold_are_those_that_the_run_counts(toy: PreTrainedModel, windows: Callable[..., Tensor], rule: str) -> None:
    tokens = windows(3, 40)
    found, seen = looked_at(toy, tokens)
    sums = ShardSums(*seen.norm.shape[:2])
    measure_windows(toy, tokens[-1:], sums, discover(NATURAL, HELD_OUT), mean_outputs=found.written)
    edges = [edge for edge in HISTOGRAM_EDGES if 0.01 < edge < 2]
    numbers = set()
    for edge in edges:
        mask = amounts(Intervention(f"{rule}-{edge}", "zero", rule, edge), seen, 0)
        counted = sums.histograms[rule][:, :, : HISTOGRAM_EDGES.index(edge)].sum(-1)
        assert mask.sum(-1).int().tolist() == counted.tolist()
        numbers.add(int(mask.sum()))
    assert len(numbers) > 20


@pytest.mark.parametrize("rule", ["random", *RIVALS])
def test_rivals_and_random_controls_have_as_many_pairs_per_layer(seen: Observed, rule: str) -> None:
    own = amounts(BELOW, seen, 0)
    mask = amounts(like(rule, seed=0, draw=0), seen, 0)
    assert set(mask.unique().tolist()) == {0, 1}
    assert mask.sum((1, 2)).tolist() == own.sum((1, 2)).tolist()
    assert not torch.equal(mask, own)


def test_rival_rules_take_the_lowest_or_for_the_sink_the_highest(seen: Observed) -> None:
    sides = {"raw_norm": 1, "residual_share": 1, "deviation": 1, "sink_mass": -1}
    scores = {rule: sign * getattr(seen, rule) for rule, sign in sides.items()} | {"gradient_output": seen.to_zero.abs()}
    for rule, score in scores.items():
        mask = amounts(like(rule), seen, 0).bool()
        for layer in range(len(mask)):
            assert score[layer][mask[layer]].max() <= score[layer][~mask[layer]].min()


def test_matched_controls_remove_the_same_squares_within_one_pair_and_on_average(seen: Observed) -> None:
    squares = seen.norm.double().square()
    wanted = (amounts(BELOW, seen, 0) * squares).sum((1, 2))
    drawn = torch.stack([(amounts(like("random_matched", seed=seed, draw=0), seen, 0) * squares).sum((1, 2)) for seed in range(400)])
    assert ((drawn - wanted).abs() <= squares.amax((1, 2))).all()
    assert drawn.std(0).min() > 0
    errors = (drawn.mean(0) - wanted) / (drawn.std(0) / 20)
    assert errors.abs().max() < 4


def test_a_draw_hangs_on_seed_window_and_name_alone(seen: Observed) -> None:
    first = amounts(like("random", seed=0, draw=0), seen, 0)
    assert torch.equal(first, amounts(like("random", seed=0, draw=0), seen, 0))
    for other, window in ((like("random", seed=1, draw=0), 0), (like("random", seed=0, draw=0), 1)):
        assert not torch.equal(first, amounts(other, seen, window))


def test_the_shrink_takes_the_same_part_of_every_pair_and_the_same_squares(seen: Observed) -> None:
    part = amounts(like("shrink", "shrink"), seen, 0)
    squares = seen.norm.double().square()
    assert part.flatten(1).std(1).max() == 0
    removed, wanted = (part.double().square() * squares).sum((1, 2)), (amounts(BELOW, seen, 0) * squares).sum((1, 2))
    torch.testing.assert_close(removed, wanted, rtol=1e-5, atol=0)
    # By hand: two pairs of 3 and 4, of which the first lies below 0.9 times their mean: √(9 / 25) = 0.6 of each goes.
    norm = torch.tensor([[[3.0, 4.0]]])
    two = Observed(norm[0], norm.double() / 3.5, norm, norm, norm, norm, norm, norm, norm)
    by_hand = amounts(Intervention("shrink", "shrink", "shrink", 0.9, "relative_norm-0.9"), two, 0)
    assert by_hand.tolist() == [[[pytest.approx(0.6), pytest.approx(0.6)]]]


def test_heads_of_a_band_are_changed_at_every_token(seen: Observed) -> None:
    mask = amounts(like("band", members=((0, 1), (2, 3))), seen, 0)
    assert mask.sum() == 2 * mask.shape[2]
    assert bool(mask[0, 1].all() and mask[2, 3].all())
