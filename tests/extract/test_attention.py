"""The measuring attention: the model's own results, its own attention given back, refusals, and the start-up self-test."""

import copy
import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from transformers import PreTrainedModel

from extract import families, measures
from extract.attention import NAME, mean_outputs, measure_windows, visit_layers
from extract.blocked import Scoring
from extract.errors import ModelRefusal, NumericRefusal
from extract.layer_heads import LayerHeads
from extract.measures import output_norm, sink_mass
from extract.self_test import self_test
from extract.sums import ShardSums

MODULES = measures.discover(measures.NATURAL, measures.HELD_OUT, measures.WEIGHTS)


def ignore(_heads: LayerHeads) -> None:
    """A receiver that wants nothing."""


def test_the_model_computes_what_it_always_did(toy: PreTrainedModel, windows: Callable) -> None:
    tokens, ends = windows(2, 60), []
    with torch.inference_mode():
        plain = toy.base_model(tokens, use_cache=False).last_hidden_state
    hook = toy.base_model.register_forward_hook(lambda _module, _args, output: ends.append(output.last_hidden_state))
    visit_layers(toy, tokens, ignore, last=3)
    hook.remove()
    assert torch.allclose(ends[0], plain, rtol=0, atol=1e-5)


def hooks_of(model: PreTrainedModel) -> int:
    return sum(len(module._forward_pre_hooks) for module in model.modules())


@pytest.mark.parametrize("own", ["sdpa", "eager"])
def test_the_model_has_its_own_attention_back_whatever_happened(toy: PreTrainedModel, windows: Callable, own: str) -> None:
    def fail(_heads: LayerHeads) -> None:
        raise ValueError("on purpose")

    toy.set_attn_implementation(own)
    precision, hooks = torch.get_float32_matmul_precision(), hooks_of(toy)
    visit_layers(toy, windows(1, 20), ignore)
    assert toy.config._attn_implementation == own
    with pytest.raises(ValueError, match="on purpose"):
        visit_layers(toy, windows(1, 20), fail)
    assert toy.config._attn_implementation == own and hooks_of(toy) == hooks
    assert torch.get_float32_matmul_precision() == precision


def test_matrix_products_keep_all_of_float32_while_a_model_is_measured(toy: PreTrainedModel, windows: Callable) -> None:
    before = torch.get_float32_matmul_precision()
    seen: list[str] = []
    torch.set_float32_matmul_precision("medium")
    try:
        visit_layers(toy, windows(1, 20), lambda _heads: seen.append(torch.get_float32_matmul_precision()))
        assert seen == ["highest"] * 3 and torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_dropout_is_off_and_no_gradient_is_kept(toy: PreTrainedModel, windows: Callable) -> None:
    toy.train()
    kept: list[LayerHeads] = []
    visit_layers(toy, windows(1, 20), kept.append)
    assert not toy.training and not any(heads.z.requires_grad for heads in kept)


def mlp_calls(model: PreTrainedModel) -> list[int]:
    blocks = families.find(model.config).blocks(model)
    calls: list[int] = []
    for index, block in enumerate(blocks):
        block.mlp.register_forward_hook(lambda *_, index=index: calls.append(index))
    return calls


def test_the_forward_is_left_after_the_last_attention_that_is_wanted(toy: PreTrainedModel, windows: Callable) -> None:
    calls, seen = mlp_calls(toy), []
    visit_layers(toy, windows(1, 20), lambda heads: seen.append(heads.layer))
    assert seen == [0, 1, 2] and calls == [0, 1]
    visit_layers(toy, windows(1, 20), lambda heads: seen.append(heads.layer), last=1)
    assert seen == [0, 1, 2, 0, 1] and calls == [0, 1, 0]


def test_an_attention_mask_is_refused_never_dropped(toy: PreTrainedModel, windows: Callable, ask_blocks_for: Callable) -> None:
    if toy.config.model_type == "gpt2":
        for block in toy.base_model.h:
            # GPT-2 hands its mask to a block by position.
            block.attn.register_forward_pre_hook(
                lambda _module, args, given: (args, given | {"attention_mask": torch.zeros(1, 1, 20, 20)}), with_kwargs=True
            )
    else:
        ask_blocks_for(toy, attention_mask=torch.zeros(1, 1, 20, 20))
    with pytest.raises(ModelRefusal, match=r"attention with attention_mask cannot be measured exactly \((GPT2|Llama)Attention\)"):
        visit_layers(toy, windows(1, 20), ignore)


@pytest.mark.parametrize(("option", "value"), [("s_aux", 8), ("position_bias", 8), ("cache", 8), ("is_causal", False)])
def test_an_attention_that_is_something_else_is_refused(
    llama_maker: Callable, windows: Callable, ask_blocks_for: Callable, option: str, value: object
) -> None:
    model = llama_maker()
    ask_blocks_for(model, **{option: value})
    what = "later tokens" if option == "is_causal" else option
    with pytest.raises(ModelRefusal, match=f"attention with {what} cannot be measured exactly"):
        visit_layers(model, windows(1, 20), ignore)


@pytest.mark.parametrize(("option", "scoring"), [("sliding_window", {"window": 8}), ("softcap", {"softcap": 8.0})])
def test_what_the_model_asks_of_its_scores_is_what_is_measured(
    llama_maker: Callable, windows: Callable, ask_blocks_for: Callable, option: str, scoring: dict[str, float]
) -> None:
    model, seen = llama_maker(), []
    ask_blocks_for(model, **{option: next(iter(scoring.values()))})
    visit_layers(model, windows(1, 20), lambda heads: seen.append(heads.scoring))
    assert seen == [Scoring(12**-0.5, **scoring)] * 3


def test_the_measuring_attention_is_of_no_use_outside_a_visit(toy: PreTrainedModel, windows: Callable) -> None:
    visit_layers(toy, windows(1, 20), ignore)
    toy.set_attn_implementation(NAME)
    with pytest.raises(ModelRefusal, match="attention outside the family's layers"):
        toy(windows(1, 20), use_cache=False)


def test_changed_weights_are_seen_by_the_next_visit(gpt2_maker: Callable, windows: Callable) -> None:
    model, norms = gpt2_maker(), []
    visit_layers(model, windows(1, 20), lambda heads: norms.append(heads.output_norm), last=0)
    with torch.no_grad():
        model.transformer.h[0].attn.c_proj.weight.mul_(2)
    visit_layers(model, windows(1, 20), lambda heads: norms.append(heads.output_norm), last=0)
    assert torch.allclose(norms[1], 2 * norms[0])


def test_gpt2_xls_own_shape_of_48_layers_of_25_heads_is_measured(gpt2_maker: Callable, windows: Callable) -> None:
    model = gpt2_maker(layers=48, heads=25, width=100, context=64)
    assert self_test(model, windows(1, 48)) == "blocks of rows"
    sums = ShardSums(48, 25)
    measure_windows(model, windows(2, 48), sums, MODULES, mean_outputs=mean_outputs(model, windows(1, 48)))
    assert sums.histograms["relative_norm"].sum((0, 1, 2)) == 48 * 25 * 2 * 47
    assert all(n.shape == (48, 25) for n, _, _ in sums.stats.values())


def test_a_value_that_is_not_finite_is_refused_before_anything_is_added(toy: PreTrainedModel, windows: Callable) -> None:
    sums = ShardSums(3, toy.config.num_attention_heads)
    blocks = families.find(toy.config).blocks(toy)
    with torch.no_grad():
        next(blocks[0].mlp.parameters()).fill_(torch.nan)
    with pytest.raises(NumericRefusal, match=r"is not finite \(L1H0\)"):
        measure_windows(toy, windows(1, 20), sums, (sink_mass, output_norm))
    assert not sums.stats and not sums.histograms


def test_two_models_do_not_share_what_was_worked_out_for_one(gpt2_maker: Callable, windows: Callable) -> None:
    one, norms = gpt2_maker(), []
    other = copy.deepcopy(one)
    with torch.no_grad():
        other.transformer.h[0].attn.c_proj.weight.mul_(3)
    for model in (one, other, one):
        visit_layers(model, windows(1, 20), lambda heads: norms.append(heads.output_norm), last=0)
    assert torch.equal(norms[0], norms[2]) and torch.allclose(norms[1], 3 * norms[0])


def test_others_are_handed_the_heads_in_the_same_forward(toy: PreTrainedModel, windows: Callable) -> None:
    seen: list[int] = []
    sums = ShardSums(3, toy.config.num_attention_heads)
    measure_windows(toy, windows(1, 20), sums, (sink_mass,), also=[lambda heads: seen.append(heads.layer)])
    assert seen == [0, 1, 2] and list(sums.stats) == ["sink_mass"]


def test_deviation_without_means_is_an_error_not_a_number(toy: PreTrainedModel, windows: Callable) -> None:
    with pytest.raises(ValueError, match="give mean_outputs to measure_windows"):
        measure_windows(toy, windows(1, 20), ShardSums(3, toy.config.num_attention_heads), MODULES)


def test_a_measured_model_can_be_freed(gpt2_maker: Callable, windows: Callable) -> None:
    """What was worked out for a model is forgotten with it, the circuit that copying asks for among it."""
    model = gpt2_maker()
    measure_windows(model, windows(1, 20), ShardSums(3, 4), MODULES, mean_outputs=mean_outputs(model, windows(1, 20)))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
