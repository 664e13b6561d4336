"""Every measure against whole patterns in float64, and against closed forms that can be worked out by hand."""

import copy
import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from extract import measures
from extract.attention import mean_outputs, measure_windows, visit_layers
from extract.sums import HISTOGRAM_EDGES, ShardSums

MASSES = ("sink_mass", "previous_token_mass", "self_mass", "duplicate_token_mass", "induction_mass")
REPEATED_IDS = {"duplicate_token_mass_repeated", "induction_mass_repeated"}
IDS = {
    "activation_pct",
    "activation_pct_without_loudest",
    "deviation_activation_pct",
    "residual_activation_pct",
    *MASSES,
    *REPEATED_IDS,
    *(f"{name}_chance" for name in (*MASSES, *REPEATED_IDS)),
    *(f"{name}_{where}" for name in ("activation_pct", "sink_mass") for where in ("1_64", "64_256", "256_on")),
    "non_sink_windows_pct",
    "non_sink_share",
    "entropy",
    "mean_distance",
    "effective_keys",
    "output_norm",
    "residual_share",
    "top_output_dimensions",
    "ov_copying",
}
MODULES = {module.MEASURE.id: module for module in measures.discover()}
FROM_TWO = ("previous_token_mass", "previous_token_mass_chance")


def expected_of(layer: "EagerLayer", tokens: Tensor) -> dict[str, Tensor]:
    """The definitions of the measures of text, word for word, from a whole pattern."""
    p, window, heads = layer.p, layer.p.shape[-1], layer.p.shape[1]
    i = torch.arange(window, dtype=p.dtype)
    norm = layer.written.norm(dim=-1)[..., 1:]
    per_head = norm.mean(-1)
    loudest = torch.nn.functional.one_hot(per_head.argmax(-1), heads).bool()
    others = per_head.masked_fill(loudest, 0).sum(-1) / (heads - 1)
    deviation = (layer.written[:, :, 1:] - layer.written[:, :, 1:].mean((0, 2), keepdim=True)).norm(dim=-1)
    share = norm / layer.stream.norm(dim=-1)[:, None, 1:]
    alone = layer.alone.norm(dim=-1)
    energy = layer.written[:, :, 1:].square().sum(2).sort(-1, descending=True).values
    same = (tokens[:, :, None] == tokens[:, None]).double().tril(-1)[:, None]
    followed = torch.stack([torch.stack([same[:, :, :, j - 1] if j else torch.zeros_like(same[..., 0]) for j in range(window)], -1)])[0]
    followed = followed.tril(-1)
    uniform = torch.ones(window, window, dtype=p.dtype).tril() / (i[:, None] + 1)
    masses = {name: masses_of(pattern, same, followed) for name, pattern in (("", p), ("_chance", uniform.expand_as(p)))}
    expected = {f"{name}{kind}": values for kind, found in masses.items() for name, values in found.items()}
    relative = norm / norm.mean((1, 2), keepdim=True)
    for name, (low, end) in {"1_64": (1, 64), "64_256": (64, 256), "256_on": (256, None)}.items():
        expected[f"activation_pct_{name}"] = relative[..., low - 1 : end and end - 1]
        expected[f"sink_mass_{name}"] = p[..., 1:, 0][..., low - 1 : end and end - 1]
    return expected | {
        "activation_pct": relative,
        "activation_pct_without_loudest": norm / others[:, None, None],
        "deviation_activation_pct": deviation / deviation.mean((1, 2), keepdim=True),
        "residual_activation_pct": share,
        "non_sink_windows_pct": 100 * (p[..., 1:, 0].mean(-1, keepdim=True) <= 0.3).double(),
        "non_sink_share": 1 - (p[..., 0] * alone[..., :1] / (p @ alone[..., None])[..., 0])[..., 1:],
        "entropy": -(torch.xlogy(p, p).sum(-1) / (i + 1).log())[..., 1:],
        "mean_distance": (p * (i[:, None] - i)).sum(-1)[..., 1:],
        "effective_keys": (1 / p.square().sum(-1))[..., 1:],
        "output_norm": norm,
        "residual_share": share,
        "top_output_dimensions": energy[..., :3].sum(-1, keepdim=True) / energy.sum(-1, keepdim=True),
    }


def masses_of(p: Tensor, same: Tensor, followed: Tensor) -> dict[str, Tensor]:
    return {
        "sink_mass": p[..., 1:, 0],
        "previous_token_mass": p.diagonal(-1, -2, -1)[..., 1:],
        "self_mass": p.diagonal(0, -2, -1)[..., 1:],
        "duplicate_token_mass": (p * same).sum(-1)[..., 1:],
        "induction_mass": (p * followed).sum(-1)[..., 1:],
    }


def test_the_folder_lists_every_measure_with_a_complete_row() -> None:
    assert set(MODULES) == IDS
    assert [m.MEASURE.id for m in measures.discover()] == sorted(IDS)
    for module in MODULES.values():
        measure = module.MEASURE
        assert module.__name__ == f"extract.measures.{measure.id}"
        assert all((measure.title, measure.definition, measure.source, measure.condition)), measure
        assert measure.low < measure.high and measure.unit in ("share", "%", "tokens", "keys", "1")
        assert measure.chance_of == (measure.id.removesuffix("_chance") if measure.id.endswith("_chance") else None)
        assert (measure.condition == measures.REPEATED) == ("_repeated" in measure.id)
        assert (measure.condition == measures.WEIGHTS) == (measure.id == "ov_copying")
        assert (measure.condition == measures.HELD_OUT) == (measure.id == "top_output_dimensions")
    starts = {name: module.MEASURE.position_low for name, module in MODULES.items() if module.MEASURE.position_low > 1}
    assert starts == dict.fromkeys(FROM_TWO, 2) | {
        f"{name}_{where}": low for name in ("activation_pct", "sink_mass") for where, low in (("64_256", 64), ("256_on", 256))
    }
    assert [MODULES[f"sink_mass_{where}"].MEASURE.position_end for where in ("1_64", "64_256", "256_on")] == [64, 256, None]
    kinds = [module.MEASURE.histogram_kind for module in MODULES.values() if module.MEASURE.histogram_kind]
    assert len(set(kinds)) == len(kinds) == 7
    assert MODULES["activation_pct"].MEASURE.histogram_kind == "relative_norm"
    assert MODULES["residual_activation_pct"].MEASURE.histogram_kind == "residual_share"


def test_a_condition_that_no_pass_measures_under_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than a measure that is listed and has no rows."""
    module = MODULES["sink_mass"]
    monkeypatch.setattr(module, "MEASURE", dataclasses.replace(module.MEASURE, condition="repeated"))
    with pytest.raises(ValueError, match="measure sink_mass: condition 'repeated' is none of NATURAL, HELD_OUT"):
        measures.discover(measures.NATURAL)


def test_in_float64_every_value_is_that_of_eager_attention(
    toy: PreTrainedModel, windows: Callable, eager: Callable, values_of: Callable
) -> None:
    tokens = windows(2, 280)
    for index, (ours, layer) in enumerate(zip(values_of(toy.double(), tokens), eager(toy, tokens), strict=True)):
        # Llama's own norms and rotations round to float32, so that from the second layer on the last bits of the stream differ.
        tolerance = 2e-6 if index and toy.config.model_type == "llama" else 1e-11
        for name, expected in expected_of(layer, tokens).items():
            assert ours[name].shape == expected.shape, name
            assert torch.allclose(ours[name].double(), expected, rtol=tolerance, atol=tolerance), name


# Largest error of a head's mean over one window set, in the unit of the measure.
FLOAT32 = {"mass": 6e-8, "entropy": 2e-7, "mean_distance": 1e-5, "norm": 4e-7}
BFLOAT16 = {"mass": 1e-3, "entropy": 1.5e-3, "mean_distance": 0.25, "norm": 8e-3}


def kind_of(name: str) -> str:
    masses = ("mass", "chance", "share", "1_64", "64_256", "256_on")
    return name if name in FLOAT32 else "mass" if name.endswith(masses) and not name.startswith(("residual", "activation")) else "norm"


@pytest.mark.parametrize(("dtype", "tolerances"), [(torch.float32, FLOAT32), (torch.bfloat16, BFLOAT16)])
def test_head_means_are_those_of_eager_attention_in_float64(
    toy: PreTrainedModel, windows: Callable, eager: Callable, dtype: torch.dtype, tolerances: dict[str, float], values_of: Callable
) -> None:
    tokens = windows(2, 280)
    toy = toy.to(dtype)
    for ours, layer in zip(values_of(toy, tokens), eager(toy, tokens), strict=True):
        for name, expected in expected_of(layer, tokens).items():
            if name == "non_sink_windows_pct":
                assert torch.equal(ours[name], expected)
                continue
            mean, truth = ours[name].double().mean((0, 2)), expected.mean((0, 2))
            scale = truth if kind_of(name) == "norm" else 1.0
            assert ((mean - truth) / scale).abs().max() < tolerances[kind_of(name)], name


def test_a_float32_value_falls_on_the_same_side_of_every_threshold(
    toy: PreTrainedModel, windows: Callable, eager: Callable, sums_of: Callable
) -> None:
    tokens = windows(2, 140)
    sums = sums_of(toy, tokens)
    for layer, account in enumerate(eager(toy, tokens)):
        expected = expected_of(account, tokens)
        for kind, name in (("relative_norm", "activation_pct"), ("residual_share", "residual_activation_pct")):
            bins = np.searchsorted(HISTOGRAM_EDGES, expected[name].numpy(), side="right") - 1
            for head in range(bins.shape[1]):
                counts = np.bincount(bins[:, head].ravel(), minlength=len(HISTOGRAM_EDGES) - 1)
                assert np.array_equal(sums.histograms[kind][layer, head], counts)


def test_moving_a_value_bias_into_the_output_bias_changes_only_the_raw_norm(
    gpt2_maker: Callable, windows: Callable, values_of: Callable
) -> None:
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
    assert (raw[1] - raw[3]).abs().mean() > 1


def test_the_bias_of_the_norm_before_attention_is_folded_out_too(gpt2_maker: Callable, windows: Callable, values_of: Callable) -> None:
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


def test_a_constant_added_to_all_outputs_of_a_head_changes_nothing_where_layernorms_read(
    gpt2_maker: Callable, windows: Callable, values_of: Callable
) -> None:
    model, tokens = gpt2_maker().double(), windows(2, 60)
    shifted = copy.deepcopy(model)
    with torch.no_grad():
        shifted.transformer.h[1].attn.c_proj.weight[8:16] += torch.linspace(1, 9, 8, dtype=torch.float64)[:, None]
    for before, after in zip(values_of(model, tokens), values_of(shifted, tokens), strict=True):
        for name in before:
            assert torch.allclose(before[name], after[name], rtol=0, atol=1e-11), name


def test_a_constant_added_to_all_outputs_of_a_head_counts_where_rmsnorms_read(
    llama_maker: Callable, windows: Callable, values_of: Callable
) -> None:
    model, tokens = llama_maker().double(), windows(2, 60)
    shifted = copy.deepcopy(model)
    with torch.no_grad():
        shifted.model.layers[1].self_attn.o_proj.weight[:, 12:24] += 1.0
    before, after = values_of(model, tokens)[1], values_of(shifted, tokens)[1]
    assert (before["output_norm"][:, 1] - after["output_norm"][:, 1]).abs().mean() > 0.1


def test_the_mean_of_r_over_a_layer_is_one_in_every_window(toy: PreTrainedModel, windows: Callable, values_of: Callable) -> None:
    for values in values_of(toy, windows(3, 80)):
        means = values["activation_pct"].double().mean((1, 2))
        assert torch.allclose(means, torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-14)


def test_a_layer_that_writes_nothing_has_no_active_head(gpt2_maker: Callable, windows: Callable, sums_of: Callable) -> None:
    model = gpt2_maker()
    with torch.no_grad():
        model.transformer.h[1].attn.c_proj.weight.zero_()
    assert sums_of(model, windows(2, 40)).histograms["relative_norm"][1, :, 0].tolist() == [2 * 39] * 4


def test_a_heads_bins_sum_to_its_scored_tokens(toy: PreTrainedModel, windows: Callable, sums_of: Callable) -> None:
    sums = sums_of(toy, windows(3, 50))
    assert "relative_norm_64_256" not in sums.histograms
    for counts in sums.histograms.values():
        assert (counts.sum(-1) == 3 * 49).all()
    counts = {name: n[0, 0] for name, (n, _, _) in sums.stats.items() if n[0, 0] != 3 * 49}
    assert counts == dict.fromkeys(FROM_TWO, 3 * 48) | dict.fromkeys(("non_sink_windows_pct", "top_output_dimensions", "ov_copying"), 3)


def test_the_size_of_the_batch_changes_no_number(toy: PreTrainedModel, windows: Callable, sums_of: Callable) -> None:
    tokens, toy = windows(6, 70), toy.double()
    whole = sums_of(toy, tokens)
    parts = ShardSums(3, toy.config.num_attention_heads)
    modules, means = measures.discover(measures.NATURAL, measures.HELD_OUT, measures.WEIGHTS), mean_outputs(toy, tokens)
    for part in tokens.split([1, 3, 2]):
        measure_windows(toy, part, parts, modules, mean_outputs=means)
    for name, (n, total, squares) in whole.stats.items():
        assert np.array_equal(parts.stats[name][0], n)
        assert parts.stats[name][1] == pytest.approx(total, rel=1e-12) and parts.stats[name][2] == pytest.approx(squares, rel=1e-12)
    for kind, counts in whole.histograms.items():
        assert np.array_equal(parts.histograms[kind], counts)


@pytest.mark.parametrize("head_dim", [1, 6, 7, 8])
def test_any_head_size_has_room_for_further_columns(
    gpt2_maker: Callable, windows: Callable, eager: Callable, values_of: Callable, head_dim: int
) -> None:
    model, tokens = gpt2_maker(layers=1, heads=3, width=3 * head_dim).double(), windows(1, 70)
    (ours,), (layer,) = values_of(model, tokens), eager(model, tokens)
    expected = expected_of(layer, tokens)
    for name in ("entropy", "mean_distance", "output_norm", "non_sink_share"):
        assert torch.allclose(ours[name], expected[name], rtol=1e-11, atol=1e-11), name


def test_copying_is_told_by_the_eigenvalues_of_the_whole_circuit_from_token_to_token(toy: PreTrainedModel, values_of: Callable) -> None:
    """As vocabulary × vocabulary, which has the same eigenvalues but for zeros, from the model's own modules."""
    toy = toy.double()
    computed = values_of(toy, torch.arange(20)[None])
    gpt2 = toy.config.model_type == "gpt2"
    final, embedding, unembedding = (
        (toy.base_model.ln_f if gpt2 else toy.base_model.norm).weight,
        toy.get_input_embeddings().weight,
        toy.get_output_embeddings().weight,
    )
    centre = torch.eye(embedding.shape[1]).double() - (1 / embedding.shape[1] if gpt2 else 0)
    for values, block in zip(computed, toy.base_model.h if gpt2 else toy.base_model.layers, strict=True):
        norm = (block.ln_1 if gpt2 else block.input_layernorm).weight
        into = block.attn.c_attn.weight[:, -32:] if gpt2 else block.self_attn.v_proj.weight.T
        out = block.attn.c_proj.weight if gpt2 else block.self_attn.o_proj.weight.T
        dim = 8 if gpt2 else 12
        for head, score in enumerate(values["ov_copying"][0, :, 0]):
            read = into[:, (head if gpt2 else head // 3) * dim :][:, :dim]
            write = out[head * dim :][:dim]
            whole = embedding @ centre @ (norm[:, None] * read) @ write @ centre @ (final[:, None] * unembedding.T)
            eigenvalues = torch.linalg.eigvals(whole)
            assert score == pytest.approx((eigenvalues.sum().real / eigenvalues.abs().sum()).item(), abs=1e-6)


def test_repeated_tokens_are_scored_from_the_second_copy_on(toy: PreTrainedModel, eager: Callable) -> None:
    toy, piece = toy.double(), torch.arange(1, 21)
    tokens = torch.stack([torch.cat([torch.zeros(1, dtype=torch.int64), *[piece.roll(turn)] * 3]) for turn in range(2)])
    modules, sums = measures.discover(measures.REPEATED), ShardSums(3, toy.config.num_attention_heads)
    measure_windows(toy, tokens, sums, modules)
    assert set(sums.stats) == REPEATED_IDS | {f"{name}_chance" for name in REPEATED_IDS}
    for index, layer in enumerate(eager(toy, tokens)):
        expected = expected_of(layer, tokens)
        for name, (n, total, _) in sums.stats.items():
            values = expected[name.replace("_repeated", "")][..., 20:]
            assert n[index].tolist() == [2 * 40] * len(n[index])
            assert total[index] == pytest.approx(values.sum((0, 2)).numpy(), rel=1e-6)


def test_a_layer_of_one_head_has_no_other_to_be_compared_with(gpt2_maker: Callable, windows: Callable, values_of: Callable) -> None:
    for values in values_of(gpt2_maker(heads=1), windows(2, 30)):
        assert torch.equal(values["activation_pct_without_loudest"], values["activation_pct"])


def test_a_head_that_writes_nothing_has_no_share_beyond_the_sink_and_no_top_dimensions(
    gpt2_maker: Callable, windows: Callable, values_of: Callable
) -> None:
    model = gpt2_maker()
    with torch.no_grad():
        model.transformer.h[1].attn.c_proj.weight[8:16] = 0
    values = values_of(model, windows(2, 40))[1]
    for name in ("non_sink_share", "top_output_dimensions", "ov_copying", "output_norm"):
        assert not values[name][:, 1].any() and values[name][:, 0].any(), name
