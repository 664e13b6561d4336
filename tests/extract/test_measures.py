"""Every measure against whole patterns in float64, and against closed forms that can be worked out by hand."""

import copy
import math
from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

from extract import kernels, measures
from extract.attention import measure_windows, visit_layers
from extract.layer_heads import LayerHeads, LayerWeights
from extract.sums import HISTOGRAM_EDGES, ShardSums

IDS = {
    "activation_pct",
    "residual_activation_pct",
    "sink_mass",
    "non_sink_windows_pct",
    "previous_token_mass",
    "self_mass",
    "entropy",
    "mean_distance",
    "output_norm",
    "residual_share",
}
MODULES = {module.MEASURE.id: module for module in measures.discover()}


def values_of(model: PreTrainedModel, tokens: Tensor) -> list[dict[str, Tensor]]:
    """Every measure's values, layer by layer."""
    layers: list[dict[str, Tensor]] = []
    visit_layers(model, tokens, lambda heads: layers.append({name: module.compute(heads) for name, module in MODULES.items()}))
    return layers


def expected_of(p: Tensor, written: Tensor, stream: Tensor) -> dict[str, Tensor]:
    """The definitions, word for word, from a whole pattern."""
    window = p.shape[-1]
    i = torch.arange(window, dtype=p.dtype)
    norm = written.norm(dim=-1)[..., 1:]
    share = norm / stream.norm(dim=-1)[:, None, 1:]
    return {
        "activation_pct": norm / norm.mean((1, 2), keepdim=True),
        "residual_activation_pct": share,
        "sink_mass": p[..., 1:, 0],
        "non_sink_windows_pct": 100 * (p[..., 1:, 0].mean(-1, keepdim=True) <= 0.3).double(),
        "previous_token_mass": p.diagonal(-1, -2, -1)[..., 1:],
        "self_mass": p.diagonal(0, -2, -1)[..., 1:],
        "entropy": -(torch.xlogy(p, p).sum(-1) / (i + 1).log())[..., 1:],
        "mean_distance": (p * (i[:, None] - i)).sum(-1)[..., 1:],
        "output_norm": norm,
        "residual_share": share,
    }


def test_the_folder_lists_every_measure_with_a_complete_row() -> None:
    assert set(MODULES) == IDS
    assert [m.MEASURE.id for m in measures.discover()] == sorted(IDS)
    for module in MODULES.values():
        measure = module.MEASURE
        assert all(getattr(measure, field.name) for field in fields(measure) if field.type == "str"), measure
        assert measure.low < measure.high and measure.unit in ("share", "%", "tokens", "1")
        assert measure.position_low == (2 if measure.id == "previous_token_mass" else 1)
    assert MODULES["activation_pct"].MEASURE.histogram_kind == "relative_norm"
    assert MODULES["residual_activation_pct"].MEASURE.histogram_kind == "residual_share"


def test_in_float64_every_value_is_that_of_eager_attention(toy: PreTrainedModel, windows: Callable, eager: Callable) -> None:
    tokens = windows(2, 140)
    for ours, layer in zip(values_of(toy.double(), tokens), eager(toy, tokens), strict=True):
        for name, expected in expected_of(layer.p, layer.written, layer.stream).items():
            assert ours[name].shape == expected.shape, name
            assert torch.allclose(ours[name].double(), expected, rtol=1e-10, atol=1e-11), (name, (ours[name] - expected).abs().max())


# Largest error of a head's mean over one window set, in the unit of the measure.
FLOAT32 = {"mass": 4e-8, "entropy": 4e-7, "mean_distance": 4e-6, "norm": 4e-7}
BFLOAT16 = {"mass": 8e-4, "entropy": 4e-3, "mean_distance": 0.15, "norm": 8e-3}


def kind_of(name: str) -> str:
    return "mass" if name.endswith("_mass") else name if name in FLOAT32 else "norm"


@pytest.mark.parametrize(("dtype", "tolerances"), [(torch.float32, FLOAT32), (torch.bfloat16, BFLOAT16)])
def test_head_means_are_those_of_eager_attention_in_float64(
    toy: PreTrainedModel, windows: Callable, eager: Callable, dtype: torch.dtype, tolerances: dict[str, float]
) -> None:
    tokens = windows(2, 140)
    toy = toy.to(dtype)
    for ours, layer in zip(values_of(toy, tokens), eager(toy, tokens), strict=True):
        for name, expected in expected_of(layer.p, layer.written, layer.stream).items():
            if name == "non_sink_windows_pct":
                assert torch.equal(ours[name], expected)
                continue
            mean, truth = ours[name].double().mean((0, 2)), expected.mean((0, 2))
            scale = truth if kind_of(name) == "norm" else 1.0
            assert ((mean - truth) / scale).abs().max() < tolerances[kind_of(name)], name


def test_a_float32_value_falls_on_the_same_side_of_every_threshold(toy: PreTrainedModel, windows: Callable, eager: Callable) -> None:
    tokens = windows(2, 140)
    sums = sums_of(toy, tokens)
    for layer, account in enumerate(eager(toy, tokens)):
        expected = expected_of(account.p, account.written, account.stream)
        for kind, name in (("relative_norm", "activation_pct"), ("residual_share", "residual_activation_pct")):
            bins = np.searchsorted(HISTOGRAM_EDGES, expected[name].numpy(), side="right") - 1
            for head in range(bins.shape[1]):
                counts = np.bincount(bins[:, head].ravel(), minlength=len(HISTOGRAM_EDGES) - 1)
                assert np.array_equal(sums.histograms[kind][layer, head], counts)


def sums_of(model: PreTrainedModel, tokens: Tensor) -> ShardSums:
    sums = ShardSums(model.config.num_hidden_layers, model.config.num_attention_heads)
    measure_windows(model, tokens, sums)
    return sums


def mean_of(sums: ShardSums, measure: str) -> np.ndarray:
    n, total, _ = sums.stats[measure]
    return total / n


def activation_pct(sums: ShardSums, threshold: float) -> np.ndarray:
    counts = sums.histograms["relative_norm"]
    return 100 * counts[..., HISTOGRAM_EDGES.index(threshold) :].sum(-1) / counts.sum(-1)


# The hand-set model: 32 random tokens twice, no start token. Of 256 dimensions of the stream, 0..31 say which token, 32..95 which position;
# heads write into the rest. Each layer has a previous-token head, a sink head, a uniform head and a switch head.
PREVIOUS, SINK, UNIFORM, SWITCH = range(4)
POSITIONS, TOKENS, HEAD_DIM, WIDTH = 64, 32, 64, 256
TRIGGER = 5


def write_values(block: torch.nn.Module, head: int, per_dimension: dict[int, float], out: int) -> None:
    """The head's first number reads the stream through these weights, which sum to zero and so ignore LayerNorm's mean; it writes to `out`."""
    assert sum(per_dimension.values()) == pytest.approx(0, abs=1e-12)
    for dimension, weight in per_dimension.items():
        block.attn.c_attn.weight[dimension, 2 * WIDTH + head * HEAD_DIM] = weight
    # Up and down in equal parts, so that centring changes nothing.
    block.attn.c_proj.weight[head * HEAD_DIM, out] = 1.0
    block.attn.c_proj.weight[head * HEAD_DIM, out + 1] = -1.0


def set_layer_by_hand(block: torch.nn.Module) -> None:
    attention, sharp = block.attn.c_attn, 40.0
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


def test_a_head_that_looks_at_the_token_before_has_previous_token_mass_one(hand_set: PreTrainedModel, repeated: Tensor) -> None:
    sums = sums_of(hand_set, repeated)
    assert sums.stats["previous_token_mass"][0][0, PREVIOUS] == POSITIONS - 2
    assert mean_of(sums, "previous_token_mass")[:, PREVIOUS] == pytest.approx([1.0, 1.0], abs=1e-12)
    assert mean_of(sums, "mean_distance")[:, PREVIOUS] == pytest.approx([1.0, 1.0], abs=1e-12)
    assert mean_of(sums, "entropy")[:, PREVIOUS] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_a_head_that_only_looks_at_the_first_token_is_never_active(hand_set: PreTrainedModel, repeated: Tensor) -> None:
    sums = sums_of(hand_set, repeated)
    assert mean_of(sums, "sink_mass")[:, SINK] == pytest.approx([1.0, 1.0], abs=1e-12)
    assert mean_of(sums, "non_sink_windows_pct").tolist() == [[100.0, 0.0, 100.0, 100.0]] * 2
    assert mean_of(sums, "output_norm")[:, SINK] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert activation_pct(sums, 2.0**-8)[:, SINK].tolist() == [0.0, 0.0]


def test_a_uniform_head_has_entropy_ln_of_its_keys_and_distance_half_its_position(hand_set: PreTrainedModel, repeated: Tensor) -> None:
    position = torch.arange(1, POSITIONS, dtype=torch.float64)

    def check(heads: LayerHeads) -> None:
        assert torch.allclose(heads.entropy[0, UNIFORM], (position + 1).log(), rtol=0, atol=1e-13)
        assert torch.allclose(heads.mean_distance[0, UNIFORM], position / 2, rtol=0, atol=1e-12)
        assert torch.allclose(heads.self_mass[0, UNIFORM], 1 / (position + 1), rtol=0, atol=1e-15)

    visit_layers(hand_set, repeated, check)
    sums = sums_of(hand_set, repeated)
    assert mean_of(sums, "entropy")[:, UNIFORM] == pytest.approx([1.0, 1.0], abs=1e-13)
    assert mean_of(sums, "mean_distance")[:, UNIFORM] == pytest.approx([16.0, 16.0], abs=1e-12)


def test_a_switch_that_fires_after_a_trigger_is_active_as_often_as_the_trigger_comes(hand_set: PreTrainedModel, repeated: Tensor) -> None:
    fired = (repeated[0, :-1] == TRIGGER).sum().item()
    assert fired == 2
    # The previous-token head reads nothing from keys 0 and 1.
    expected = [100 * 61 / 63, 100 * fired / 63]
    for layer in activation_pct(sums_of(hand_set, repeated), 0.5)[:, [PREVIOUS, SWITCH]]:
        assert layer == pytest.approx(expected, abs=1e-12)


def test_moving_a_value_bias_into_the_output_bias_changes_only_the_raw_norm(gpt2_maker: Callable, windows: Callable) -> None:
    model, tokens, head, head_dim = gpt2_maker().double(), windows(2, 60), 1, 8
    shifted = copy.deepcopy(model)
    attention = shifted.transformer.h[1].attn
    u = torch.linspace(-3, 4, head_dim, dtype=torch.float64)
    rows = slice(head * head_dim, (head + 1) * head_dim)
    with torch.no_grad():
        attention.c_attn.bias[2 * 32 + rows.start : 2 * 32 + rows.stop] += u
        attention.c_proj.bias -= u @ attention.c_proj.weight[rows]
        assert torch.allclose(model(tokens).logits, shifted(tokens).logits, rtol=0, atol=1e-12)
    for before, after in zip(values_of(model, tokens), values_of(shifted, tokens), strict=True):
        for name in before:
            assert torch.allclose(before[name], after[name], rtol=0, atol=1e-12), name
    raw: list[Tensor] = []
    for each in (model, shifted):
        visit_layers(each, tokens, lambda heads: raw.append(heads.z[:, head].norm(dim=-1)), last=1)
    assert (raw[1] - raw[3]).abs().min() > 0.1


def test_the_bias_of_the_norm_before_attention_is_folded_out_too(gpt2_maker: Callable, windows: Callable) -> None:
    """Moving ln_1's bias into the biases of queries, keys and values leaves the model, and every measure, as they were."""
    model, tokens = gpt2_maker().double(), windows(2, 60)
    moved = copy.deepcopy(model)
    with torch.no_grad():
        for block in moved.transformer.h:
            block.attn.c_attn.bias += block.ln_1.bias @ block.attn.c_attn.weight
            block.ln_1.bias.zero_()
    for before, after in zip(values_of(model, tokens), values_of(moved, tokens), strict=True):
        for name in before:
            assert torch.allclose(before[name], after[name], rtol=0, atol=1e-12), name


def test_a_constant_added_to_all_outputs_of_a_head_changes_nothing_where_layernorms_read(gpt2_maker: Callable, windows: Callable) -> None:
    model, tokens = gpt2_maker().double(), windows(2, 60)
    shifted = copy.deepcopy(model)
    with torch.no_grad():
        shifted.transformer.h[1].attn.c_proj.weight[8:16] += torch.linspace(1, 9, 8, dtype=torch.float64)[:, None]
    for before, after in zip(values_of(model, tokens), values_of(shifted, tokens), strict=True):
        for name in before:
            assert torch.allclose(before[name], after[name], rtol=0, atol=1e-11), name


def test_a_constant_added_to_all_outputs_of_a_head_counts_where_rmsnorms_read(llama_maker: Callable, windows: Callable) -> None:
    model, tokens = llama_maker().double(), windows(2, 60)
    shifted = copy.deepcopy(model)
    with torch.no_grad():
        shifted.model.layers[1].self_attn.o_proj.weight[:, 12:24] += 1.0
    before, after = values_of(model, tokens)[1], values_of(shifted, tokens)[1]
    assert (before["output_norm"][:, 1] - after["output_norm"][:, 1]).abs().mean() > 0.1


def test_the_mean_of_r_over_a_layer_is_one_in_every_window(toy: PreTrainedModel, windows: Callable) -> None:
    for values in values_of(toy, windows(3, 80)):
        means = values["activation_pct"].double().mean((1, 2))
        assert torch.allclose(means, torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-14)


def test_a_layer_that_writes_nothing_has_no_active_head(gpt2_maker: Callable, windows: Callable) -> None:
    model = gpt2_maker()
    with torch.no_grad():
        model.transformer.h[1].attn.c_proj.weight.zero_()
    assert activation_pct(sums_of(model, windows(2, 40)), 2.0**-8)[1].tolist() == [0.0] * 4


def test_scores_near_three_hundred_in_bfloat16_give_exact_weights() -> None:
    """Sharp and shared rows, to a part in 100,000 of float64 on the same bfloat16 queries and keys."""
    generator = torch.Generator().manual_seed(1)
    q, k = (torch.randn(1, 4, 96, 64, generator=generator) for _ in range(2))
    direction = torch.randn(64, generator=generator)
    # All keys share a large part, so that scores are near 300 and differ by a few: no row is decided by one key alone.
    q, k = (3.4 * direction + 0.35 * q).bfloat16(), (3.4 * direction + 0.35 * k).bfloat16()
    lse = kernels.attend(q, k, k, 0.4)[1]
    scores = (q.double() @ k.double().mT * 0.4).masked_fill(torch.ones(96, 96).triu(1).bool(), -torch.inf)
    print(scores[0,0,-1].median(), scores[0,0,-1].std(), (lse-scores.logsumexp(-1)).abs().max())
    p = scores.softmax(-1)
    weights = LayerWeights(torch.eye(64).expand(4, 64, 64), torch.zeros(4, 64), centred=True)
    heads = LayerHeads(0, q, k, k, k, lse, 0.4, torch.ones(1, 96, 8), weights)
    for ours, exact in (
        (heads.first_key_mass, p[..., 1:, 0]),
        (heads.previous_key_mass, p.diagonal(-1, -2, -1)[..., 1:]),
        (heads.self_mass, p.diagonal(0, -2, -1)[..., 1:]),
    ):
        print((ours-exact).abs().max())
        assert (ours - exact).abs().max() < 1e-5


def test_a_heads_bins_sum_to_its_scored_tokens(toy: PreTrainedModel, windows: Callable) -> None:
    sums = sums_of(toy, windows(3, 50))
    for counts in sums.histograms.values():
        assert (counts.sum(-1) == 3 * 49).all()
    assert {name: n[0, 0] for name, (n, _, _) in sums.stats.items() if n[0, 0] != 3 * 49} == {
        "previous_token_mass": 3 * 48,
        "non_sink_windows_pct": 3,
    }


def test_the_size_of_the_batch_changes_no_number(toy: PreTrainedModel, windows: Callable) -> None:
    tokens, toy = windows(6, 70), toy.double()
    whole = sums_of(toy, tokens)
    parts = ShardSums(3, toy.config.num_attention_heads)
    for part in tokens.split([1, 3, 2]):
        measure_windows(toy, part, parts)
    for name, (n, total, squares) in whole.stats.items():
        assert np.array_equal(parts.stats[name][0], n)
        assert parts.stats[name][1] == pytest.approx(total, rel=1e-12) and parts.stats[name][2] == pytest.approx(squares, rel=1e-12)
    for kind, counts in whole.histograms.items():
        assert np.array_equal(parts.histograms[kind], counts)


def test_a_measure_pays_for_nothing_that_it_does_not_ask(toy: PreTrainedModel, windows: Callable) -> None:
    worked: list[set[str]] = []

    def ask(heads: LayerHeads) -> None:
        MODULES["sink_mass"].compute(heads)
        worked.append(set(vars(heads)) - {field.name for field in fields(heads)})

    visit_layers(toy, windows(1, 30), ask)
    assert worked == [{"first_key_mass", "_first_key_score", "_working", "_working_q", "_working_k"}] * 3


def test_bounds_hold_even_for_a_head_that_looks_at_one_key_only() -> None:
    generator = torch.Generator().manual_seed(2)
    q = 30 * torch.randn(2, 3, 50, 16, generator=generator)
    z, lse = kernels.attend(q, q, q, 1.0)
    weights = LayerWeights(torch.eye(16).expand(3, 16, 16), torch.zeros(3, 16), centred=True)
    heads = LayerHeads(0, q, q, q, z, lse, 1.0, torch.randn(2, 50, 8, generator=generator), weights)
    for module in MODULES.values():
        values, measure = module.compute(heads), module.MEASURE
        if measure.histogram_kind is None:
            assert values.min() >= measure.low and values.max() <= measure.high, measure.id
    assert math.isclose(heads.self_mass.max().item(), 1.0)
