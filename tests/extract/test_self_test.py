"""The start-up self-test: sound models pass, and each kind of fault is refused by its own sentence."""

from collections.abc import Callable
from dataclasses import fields, replace

import pytest
import torch
from transformers import PreTrainedModel

from extract import blocked, families
from extract.blocked import Rows, attend
from extract.errors import ModelRefusal, NumericRefusal
from extract.self_test import self_test


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_sound_model_passes_the_self_test(toy: PreTrainedModel, windows: Callable, dtype: torch.dtype) -> None:
    tokens = windows(1, 150)
    assert self_test(toy.to(dtype), tokens) == "blocks of rows"
    assert toy.config._attn_implementation == "sdpa"
    # The first time, transformers leaves hooks of its own.
    hooks = hooks_of(toy)
    self_test(toy, tokens)
    assert hooks_of(toy) == hooks


def hooks_of(model: PreTrainedModel) -> int:
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in model.modules())


def test_the_self_test_refuses_weights_that_are_not_finite(toy: PreTrainedModel, windows: Callable) -> None:
    with torch.no_grad():
        next(iter(toy.parameters()))[:, 0] = torch.nan
    with pytest.raises(NumericRefusal, match=r"attention is not finite \(layer 0\)"):
        self_test(toy, windows(1, 40))


def test_the_self_test_refuses_a_model_that_attends_to_later_tokens(
    llama_maker: Callable, windows: Callable, ask_blocks_for: Callable
) -> None:
    model = llama_maker()
    ask_blocks_for(model, attention_mask=None)
    with pytest.raises(ModelRefusal, match=r"the model is not causal: it attends to later tokens \(layer 0\)"):
        self_test(model, windows(1, 40))


def test_the_self_test_refuses_a_model_whose_own_attention_is_another(llama_maker: Callable, windows: Callable) -> None:
    """A window of four keys in a mask that only the model's own attention is given."""
    model = llama_maker()
    near = torch.full((40, 40), -torch.inf).masked_fill(torch.ones(40, 40).tril().triu(-3).bool(), 0.0)[None, None]

    def limit(module: torch.nn.Module, args: tuple, given: dict) -> tuple[tuple, dict]:
        return args, given | ({"attention_mask": near} if module.self_attn.config._attn_implementation == "eager" else {})

    for block in model.model.layers:
        block.register_forward_pre_hook(limit, with_kwargs=True)
    with pytest.raises(ModelRefusal, match=r"attention is not as the model's own \(layer 0\)"):
        self_test(model, windows(1, 40))


def test_the_self_test_counts_the_layers(gpt2_maker: Callable, windows: Callable) -> None:
    model = gpt2_maker()
    model.transformer.h = model.transformer.h[:2]
    with pytest.raises(ModelRefusal, match="2 layers attended, 3 are configured"):
        self_test(model, windows(1, 40))


def test_the_self_test_counts_the_heads(gpt2_maker: Callable, windows: Callable) -> None:
    model = gpt2_maker()
    model.config.n_head = 8
    with pytest.raises(ModelRefusal, match=r"4 heads, 8 are configured \(layer 0\)"):
        self_test(model, windows(1, 40))


def test_the_self_test_refuses_heads_that_do_not_add_up(toy: PreTrainedModel, windows: Callable) -> None:
    blocks = families.find(toy.config).blocks(toy)
    projection = blocks[1].attn.c_proj if toy.config.model_type == "gpt2" else blocks[1].self_attn.o_proj
    projection.register_forward_hook(lambda _module, _args, output: output + 1e-3)
    with pytest.raises(ModelRefusal, match=r"heads' outputs do not add up to the layer's output \(layer 1\)"):
        self_test(toy, windows(1, 40))


@pytest.mark.parametrize("spoiled", [field.name for field in fields(Rows) if field.name != "means"])
def test_the_self_test_refuses_row_statistics_that_are_off(
    toy: PreTrainedModel, windows: Callable, monkeypatch: pytest.MonkeyPatch, spoiled: str
) -> None:
    """One statistic off by a thousandth of what it can be, in the second half of the window alone."""

    def off(*args: object) -> Rows:
        rows = attend(*args)
        values = getattr(rows, spoiled).clone()
        scale = values.shape[2] if spoiled == "distance" else values.abs().max() if spoiled == "z" else 1
        values[:, :, 100:] += 1e-3 * scale
        return replace(rows, **{spoiled: values})

    monkeypatch.setattr(blocked, "attend", off)
    what = "recomputed attention rows do not sum to one" if spoiled == "lse" else f"{spoiled} of the rows of attention disagrees"
    with pytest.raises(NumericRefusal, match=what):
        self_test(toy, windows(1, 150))


@pytest.mark.parametrize("spoiled", ["entropy", "distance", "same"])
def test_the_self_test_refuses_row_statistics_that_are_no_numbers(
    toy: PreTrainedModel, windows: Callable, monkeypatch: pytest.MonkeyPatch, spoiled: str
) -> None:
    def lost(*args: object) -> Rows:
        rows = attend(*args)
        return replace(rows, **{spoiled: torch.full_like(getattr(rows, spoiled), torch.nan)})

    monkeypatch.setattr(blocked, "attend", lost)
    with pytest.raises(NumericRefusal, match=f"{spoiled} of the rows of attention disagrees"):
        self_test(toy, windows(1, 50))


def test_the_self_test_refuses_a_model_that_ends_in_no_number(gpt2_maker: Callable, windows: Callable) -> None:
    """An overflow after the last attention, which no head's measure would show."""
    model = gpt2_maker()
    with torch.no_grad():
        model.transformer.h[-1].mlp.c_proj.bias[3] = torch.inf
    with pytest.raises(NumericRefusal, match="the model's own last stream is not finite"):
        self_test(model, windows(1, 50))


def test_the_self_test_refuses_a_forward_that_ends_elsewhere(llama_maker: Callable, windows: Callable) -> None:
    """A sliding window longer than the patterns that are compared, and known to the model's own attention alone."""
    model = llama_maker()
    far = torch.full((150, 150), -torch.inf).masked_fill(torch.ones(150, 150).tril().triu(-80).bool(), 0.0)[None, None]

    def limit(module: torch.nn.Module, args: tuple, given: dict) -> tuple[tuple, dict]:
        return args, given | ({"attention_mask": far} if module.self_attn.config._attn_implementation == "sdpa" else {})

    for block in model.model.layers:
        block.register_forward_pre_hook(limit, with_kwargs=True)
    with pytest.raises(ModelRefusal, match="the measured forward does not end where the model's own does"):
        self_test(model, windows(1, 150))


def test_the_self_test_refuses_attention_whose_rows_do_not_sum_to_one(gpt2_maker: Callable, windows: Callable) -> None:
    """As with a sink that takes its part of every row and is no key."""
    model = gpt2_maker()
    for block in model.transformer.h:
        block.attn.register_forward_hook(lambda _module, _args, output: (output[0], None if output[1] is None else 0.9 * output[1]))
    with pytest.raises(ModelRefusal, match=r"attention rows do not sum to one \(layer 0\)"):
        self_test(model, windows(1, 40))
