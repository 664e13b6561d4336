"""Changing what heads write: against removal by hand in float64, on every family, on planted heads, and by finite differences."""

from collections.abc import Callable

import pytest
import torch
from family_toys import TOYS
from torch import Tensor
from transformers import PreTrainedModel

from extract import families
from extract.calibration.editing import Edit, edited_logits
from extract.calibration.observed import Means, Observed, means, observe
from extract.calibration.predictions import Clean
from extract.planted import HEADS, plant

HAND = ("llama", "olmo2", "gpt2")


def looked_at(model: PreTrainedModel, tokens: Tensor) -> tuple[Means, Observed]:
    found = means(model, tokens[:-1])
    return found, observe(model, tokens[-1:], found)


def some_pairs(seen: Observed) -> Tensor:
    return (torch.rand(seen.norm.shape, generator=torch.Generator().manual_seed(1)) < 0.4).to(seen.norm)


def own_z(model: PreTrainedModel, layer: int, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """z̃ [head, query, head_dim] of one layer, from eager attention and the values its own projection makes; and W_O by head."""
    attention = families.find(model.config).attention(families.find(model.config).blocks(model)[layer])
    heads = model.config.num_attention_heads
    fused = model.config.model_type == "gpt2"
    projection, caught = attention.c_attn if fused else attention.v_proj, {}
    handle = projection.register_forward_hook(lambda _module, args, out: caught.update(input=args[0], out=out))
    model.set_attn_implementation("eager")
    with torch.no_grad():
        patterns = model(input_ids=tokens, use_cache=False, output_attentions=True).attentions[layer][0]
    model.set_attn_implementation("sdpa")
    handle.remove()
    values = caught["out"][0].chunk(3, -1)[2] if fused else caught["out"][0]
    if fused:
        block = model.transformer.h[layer]
        constant = (block.ln_1.bias @ projection.weight + projection.bias).chunk(3)[2]
    else:
        constant = values.new_zeros(values.shape[-1]) if projection.bias is None else projection.bias
    values = (values - constant).unflatten(-1, (-1, attention.head_dim)).transpose(0, 1)
    weight = attention.c_proj.weight if fused else attention.o_proj.weight.T
    return patterns @ values.repeat_interleave(heads // len(values), 0), weight.unflatten(0, (heads, -1))


def sums_written(model: PreTrainedModel, layer: int, tokens: Tensor, edits: list[Edit]) -> Tensor:
    """What the module that sums a layer's heads gives."""
    family, caught = families.find(model.config), []
    module = family.output_module(family.blocks(model)[layer])
    handle = module.register_forward_hook(lambda _module, _args, out: caught.append(out[0]))
    edited_logits(model, tokens, edits)
    handle.remove()
    return caught[0]


@pytest.mark.parametrize("name", HAND)
def test_zeroed_pairs_take_from_the_layers_sum_what_they_wrote_but_its_constant_part(name: str, windows: Callable[..., Tensor]) -> None:
    model, tokens = TOYS[name].make().double(), windows(3, 24)
    found, seen = looked_at(model, tokens)
    chosen = some_pairs(seen)
    for layer in range(len(chosen)):
        # One layer at a time: all before it, and so its own input, stay as they were.
        alone = torch.zeros_like(chosen)
        alone[layer] = chosen[layer]
        before, after = (sums_written(model, layer, tokens[-1:], edits) for edits in ([], [Edit(alone, found.constant)]))
        with torch.no_grad():
            z, weight = own_z(model, layer, tokens[-1:])
            removed = torch.einsum("hq,hqd,hdm->qm", chosen[layer], z[:, 1:], weight)
        assert removed.abs().max() > 0.1
        # Families work their norms, and eager its softmax, out in float32.
        torch.testing.assert_close((before - after)[1:], removed, rtol=0, atol=2e-5)
        assert torch.equal(before[0], after[0])


@pytest.mark.parametrize("name", sorted(TOYS))
def test_with_every_pair_zeroed_no_token_hears_of_another(name: str, windows: Callable[..., Tensor]) -> None:
    model, tokens = TOYS[name].make(), windows(3, 20)
    found, seen = looked_at(model, tokens)
    other = tokens[-1:].clone()
    other[0, 5] = (other[0, 5] + 1) % 101
    everything = Edit(torch.ones_like(seen.norm), found.constant)
    first, second = (edited_logits(model, window, [everything])[0] for window in (tokens[-1:], other))
    assert (first[5] - second[5]).abs().max() > 1e-3
    for position in (0, 1, 4, 6, 19):
        torch.testing.assert_close(first[position], second[position], rtol=0, atol=1e-5)
    heard = (edited_logits(model, tokens[-1:], [])[0] - edited_logits(model, other, [])[0])[6:].abs().max()
    assert heard > 1e-3


def test_edits_made_together_are_the_edits_made_alone(toy: PreTrainedModel, windows: Callable[..., Tensor]) -> None:
    model, tokens = toy.double(), windows(3, 24)
    found, seen = looked_at(model, tokens)
    edits = [Edit(some_pairs(seen), found.constant), Edit(some_pairs(seen) / 3, found.constant), Edit(some_pairs(seen), found.z)]
    together = edited_logits(model, tokens[-1:], edits)
    for edit, logits in zip(edits, together, strict=True):
        torch.testing.assert_close(logits, edited_logits(model, tokens[-1:], [edit])[0], rtol=0, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-2 < (together[0] - together[2]).abs().max()


def test_an_unchanged_model_loses_nothing(toy: PreTrainedModel, windows: Callable[..., Tensor]) -> None:
    found, seen = looked_at(toy, windows(3, 24))
    tokens = windows(3, 24)[-1:]
    clean = Clean(seen.logits, tokens[0])
    nothing = Edit(torch.zeros_like(seen.norm), found.constant)
    effect = clean.effect(edited_logits(toy, tokens, [nothing])[0])
    assert (effect.kl, effect.top_changed, effect.cross_entropy) == (0, 0, clean.cross_entropy)
    assert effect.bins[0] == clean.tokens == effect.bins.sum() == 22


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_planted_heads_cost_what_they_do(family: str) -> None:
    """On a piece of distinct tokens twice over, the induction head raises the right token; the dead and the constant head write nothing
    that tells tokens apart, so that zeroing the first and replacing the second by its mean changes no prediction."""
    model = plant(family, 41)
    tokens = torch.cat([torch.zeros(1, dtype=torch.long), torch.arange(1, 21), torch.arange(1, 21)])[None]
    found, seen = looked_at(model, tokens.repeat(2, 1))
    clean = Clean(seen.logits, tokens[0])

    def effect(kind: str, target: str) -> tuple[float, float]:
        head = next((planted.layer, planted.head) for planted in HEADS if planted.kind == kind)
        alone = torch.zeros_like(seen.norm)
        alone[head] = 1
        told = clean.effect(edited_logits(model, tokens, [Edit(alone, getattr(found, target))])[0])
        return told.kl, told.cross_entropy - clean.cross_entropy

    assert effect("dead", "constant")[0] < 1e-9
    assert effect("constant", "z")[0] < 1e-9
    assert effect("induction", "constant")[1] > 1
    assert effect("negative induction", "constant")[1] < -1


def test_attribution_is_the_slope_of_the_loss_towards_the_replacement(
    gpt2_maker: Callable[..., PreTrainedModel], windows: Callable[..., Tensor]
) -> None:
    model, tokens = gpt2_maker().double(), windows(3, 24)
    found, seen = looked_at(model, tokens)
    clean = Clean(seen.logits, tokens[-1])
    step = 1e-4
    for layer, head, query in [(0, 0, 4), (1, 3, 20), (2, 1, 9)]:
        for targets, slopes in ((found.constant, seen.to_zero), (found.z, seen.to_mean)):
            rises = []
            for sign in (1, -1):
                alone = torch.zeros_like(seen.norm)
                alone[layer, head, query] = sign * step
                rises.append(clean.effect(edited_logits(model, tokens[-1:], [Edit(alone, targets)])[0]).cross_entropy)
            assert (rises[0] - rises[1]) / (2 * step) == pytest.approx(float(slopes[layer, head, query]), rel=1e-5, abs=1e-8)
    assert all(parameter.requires_grad for parameter in model.parameters())
