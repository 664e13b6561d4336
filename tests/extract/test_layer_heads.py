"""LayerHeads on its own: exact at large scores, within bounds, and nothing worked out that nobody asks for."""

from collections.abc import Callable
from dataclasses import fields

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from extract import measures
from extract.attention import visit_layers
from extract.blocked import Scoring, attend
from extract.layer_heads import LayerHeads
from extract.layer_weights import LayerWeights
from extract.measures import entropy, induction_mass, sink_mass
from extract.same_token import SameTokens


@pytest.mark.parametrize(("shared", "own", "scale", "tolerance"), [(0.0, 3.0, 1.0, 3e-5), (3.4, 0.35, 0.4, 6e-5)])
def test_scores_near_three_hundred_in_bfloat16_give_exact_weights(shared: float, own: float, scale: float, tolerance: float) -> None:
    """On keys of their own, where a key or two decide a row, and on keys that share a large part, where many have a say.

    Near 300, float32 itself knows a score, and a log-sum-exp, only to 1.5e-5."""
    generator = torch.Generator().manual_seed(1)
    q, k = (torch.randn(1, 4, 96, 64, generator=generator) for _ in range(2))
    direction = shared * torch.randn(64, generator=generator)
    q, k = (direction + own * q).bfloat16(), (direction + own * k).bfloat16()
    scores = (q.double() @ k.double().mT * scale).masked_fill(torch.ones(96, 96).triu(1).bool(), -torch.inf)
    assert 280 < scores.max() < 340
    p = scores.softmax(-1)
    heads = bare_heads(q, k, scale)
    for ours, exact in (
        (heads.first_key_mass, p[..., 1:, 0]),
        (heads.previous_key_mass, p.diagonal(-1, -2, -1)[..., 1:]),
        (heads.self_mass, p.diagonal(0, -2, -1)[..., 1:]),
    ):
        assert (ours - exact).abs().max() < tolerance
    entropy = -torch.xlogy(p, p).sum(-1)[..., 1:]
    assert (heads.entropy - entropy).abs().max() < 10 * tolerance


def test_positions_are_never_in_half_precision() -> None:
    """bfloat16 positions would be off by a token near 200."""
    generator = torch.Generator().manual_seed(3)
    q, k = (torch.randn(1, 2, 400, 16, generator=generator).bfloat16() for _ in range(2))
    p = (q.double() @ k.double().mT).masked_fill(torch.ones(400, 400).triu(1).bool(), -torch.inf).softmax(-1)
    i = torch.arange(400)
    distance = (p * (i[:, None] - i)).sum(-1)[..., 1:]
    assert (bare_heads(q, k, 1.0).mean_distance - distance).abs().max() < 1e-3


def bare_heads(q: Tensor, k: Tensor, scale: float) -> LayerHeads:
    """Heads outside any model: values as keys, an identity for the output projection."""
    heads, dim = q.shape[1], q.shape[3]
    identity, bias, norm = torch.eye(dim).expand(heads, -1, -1), torch.zeros(heads, dim), torch.ones(dim)
    weights = LayerWeights(identity, bias, True, identity, identity, norm, lambda: torch.eye(dim))
    tokens, scoring = SameTokens(torch.arange(q.shape[2]).expand(q.shape[0], -1) % 50), Scoring(scale)
    rows = attend(q, k, k, scoring, tokens, LayerHeads.value_norms(k, weights))
    stream = torch.linspace(-1, 1, 8).expand(q.shape[0], q.shape[2], 8)
    return LayerHeads(0, q, k, k, rows, scoring, stream, tokens, weights, torch.zeros(heads, dim))


def test_a_measure_pays_for_nothing_that_it_does_not_ask(toy: PreTrainedModel, windows: Callable) -> None:
    worked: list[set[str]] = []

    def ask(heads: LayerHeads) -> None:
        for module in (sink_mass, entropy, induction_mass):
            module.compute(heads)
        worked.append({*vars(heads), *vars(heads.weights)} - {field.name for field in (*fields(heads), *fields(heads.weights))})

    visit_layers(toy, windows(1, 30), ask)
    # What the attention itself asked for, to take the norms of the values along.
    assert worked == [{"_constant"}] * 3


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 30.0])
def test_bounds_hold_from_a_uniform_head_to_one_that_looks_at_one_key_only(sharpness: float) -> None:
    q = sharpness * torch.randn(2, 3, 300, 16, generator=torch.Generator().manual_seed(2))
    heads = bare_heads(q, q, 1.0)
    for module in measures.discover():
        values, measure = module.compute(heads), module.MEASURE
        if measure.histogram_kind is None:
            assert values.min() >= measure.low and values.max() <= measure.high, measure.id
