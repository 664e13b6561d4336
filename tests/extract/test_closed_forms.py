"""A GPT-2 set by hand: two layers, LayerNorm and all, whose heads do what can be worked out with pencil and paper."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

from extract.attention import visit_layers
from extract.layer_heads import LayerHeads
from extract.sums import HISTOGRAM_EDGES, ShardSums

# The hand-set model: 32 random tokens twice, no start token. Of 256 dimensions of the stream, 0..31 say which token, 32..95 which position;
# heads write into the rest. Each layer has a previous-token head, a sink head, a uniform head and a switch head.
PREVIOUS, SINK, UNIFORM, SWITCH = range(4)
POSITIONS, TOKENS, HEAD_DIM, WIDTH = 64, 32, 64, 256
TRIGGER = 5


def write_values(block: torch.nn.Module, head: int, per_dimension: dict[int, float], out: int) -> None:
    """The head's first number reads the stream through these weights, which sum to zero and so ignore the mean that LayerNorm subtracts."""
    assert sum(per_dimension.values()) == pytest.approx(0, abs=1e-12)
    for dimension, weight in per_dimension.items():
        block.attn.c_attn.weight[dimension, 2 * WIDTH + head * HEAD_DIM] = weight
    # Up and down in equal parts, so that centring changes nothing.
    block.attn.c_proj.weight[head * HEAD_DIM, out] = 0.05
    block.attn.c_proj.weight[head * HEAD_DIM, out + 1] = -0.05


def set_layer_by_hand(block: torch.nn.Module) -> None:
    attention, sharp = block.attn.c_attn, 8.0
    for module in (attention, block.attn.c_proj, block.mlp.c_proj):
        module.weight.zero_()
        module.bias.zero_()
    position = torch.arange(POSITIONS)
    for head in (PREVIOUS, SWITCH):
        q, k = head * HEAD_DIM, WIDTH + head * HEAD_DIM
        attention.weight[32 + position[1:], q + position[:-1]] = sharp
        attention.weight[32 + position, k + position] = sharp
    attention.bias[SINK * HEAD_DIM] = sharp
    attention.weight[32, WIDTH + SINK * HEAD_DIM] = sharp
    alternating = {32 + j: 1.0 if j % 2 else -1.0 for j in range(2, POSITIONS)}
    write_values(block, PREVIOUS, alternating, 96)
    write_values(block, SINK, alternating, 98)
    write_values(block, UNIFORM, alternating, 100)
    write_values(block, SWITCH, {TRIGGER: 1.0, 255: -1.0}, 102)
    # Biases that a head adds at every token: folded out, they change nothing.
    attention.bias[2 * WIDTH :] = torch.linspace(-1, 1, WIDTH)


@pytest.fixture(scope="module")
def hand_set() -> PreTrainedModel:
    config = GPT2Config(n_layer=2, n_head=4, n_embd=WIDTH, n_positions=POSITIONS, vocab_size=TOKENS, bos_token_id=None, eos_token_id=None)
    model = GPT2LMHeadModel(config).double().eval()
    with torch.no_grad():
        model.transformer.wte.weight.copy_(torch.eye(TOKENS, WIDTH))
        model.transformer.wpe.weight.copy_(torch.eye(WIDTH)[32 : 32 + POSITIONS])
        for block in model.transformer.h:
            set_layer_by_hand(block)
    return model


@pytest.fixture(scope="module")
def repeated() -> Tensor:
    half = torch.randperm(TOKENS, generator=torch.Generator().manual_seed(3))
    return torch.cat([half, half])[None]


def test_a_head_that_looks_at_the_token_before_has_previous_token_mass_one(
    hand_set: PreTrainedModel, repeated: Tensor, sums_of: Callable
) -> None:
    sums = sums_of(hand_set, repeated)
    assert sums.stats["previous_token_mass"][0][0, PREVIOUS] == POSITIONS - 2
    assert mean_of(sums, "previous_token_mass")[:, PREVIOUS] == pytest.approx([1.0, 1.0], abs=1e-12)
    assert mean_of(sums, "mean_distance")[:, PREVIOUS] == pytest.approx([1.0, 1.0], abs=1e-12)
    assert mean_of(sums, "entropy")[:, PREVIOUS] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_a_head_that_only_looks_at_the_first_token_is_never_active(hand_set: PreTrainedModel, repeated: Tensor, sums_of: Callable) -> None:
    sums = sums_of(hand_set, repeated)
    assert mean_of(sums, "sink_mass")[:, SINK] == pytest.approx([1.0, 1.0], abs=1e-12)
    assert mean_of(sums, "non_sink_windows_pct").tolist() == [[100.0, 0.0, 100.0, 100.0]] * 2
    assert mean_of(sums, "output_norm")[:, SINK] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert activation_pct(sums, 2.0**-8)[:, SINK].tolist() == [0.0, 0.0]


def test_a_uniform_head_has_entropy_ln_of_its_keys_and_distance_half_its_position(
    hand_set: PreTrainedModel, repeated: Tensor, sums_of: Callable
) -> None:
    position = torch.arange(1, POSITIONS, dtype=torch.float64)

    def check(heads: LayerHeads) -> None:
        assert torch.allclose(heads.entropy[0, UNIFORM], (position + 1).log(), rtol=0, atol=1e-13)
        assert torch.allclose(heads.mean_distance[0, UNIFORM], position / 2, rtol=0, atol=1e-12)
        assert torch.allclose(heads.self_mass[0, UNIFORM], 1 / (position + 1), rtol=0, atol=1e-15)

    visit_layers(hand_set, repeated, check)
    sums = sums_of(hand_set, repeated)
    assert mean_of(sums, "entropy")[:, UNIFORM] == pytest.approx([1.0, 1.0], abs=1e-13)
    assert mean_of(sums, "mean_distance")[:, UNIFORM] == pytest.approx([16.0, 16.0], abs=1e-12)


def test_a_switch_that_fires_after_a_trigger_is_active_as_often_as_the_trigger_comes(
    hand_set: PreTrainedModel, repeated: Tensor, sums_of: Callable
) -> None:
    fired = (repeated[0, :-1] == TRIGGER).sum().item()
    assert fired == 2
    # The previous-token head reads nothing from keys 0 and 1.
    expected = [100 * 61 / 63, 100 * fired / 63]
    for layer in activation_pct(sums_of(hand_set, repeated), 0.5)[:, [PREVIOUS, SWITCH]]:
        assert layer == pytest.approx(expected, abs=1e-12)


def mean_of(sums: ShardSums, measure: str) -> np.ndarray:
    n, total, _ = sums.stats[measure]
    return total / n


def activation_pct(sums: ShardSums, threshold: float) -> np.ndarray:
    counts = sums.histograms["relative_norm"]
    return 100 * counts[..., HISTOGRAM_EDGES.index(threshold) :].sum(-1) / counts.sum(-1)
