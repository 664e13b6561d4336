"""Changing what heads write, in a model's own forward: at the input of the module that sums a layer's heads, whatever the family.

That input is z, head by head. A pair – a head at a token – is moved from what it is towards a target: the constant part of z (its
bias-folded output becomes zero), or its mean. Query 0 is never touched."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from extract import families
from extract.attention import full_precision

Amounts = Float[Tensor, "layer head scored"]
Targets = Float[Tensor, "layer head head_dim"]
Logits = Float[Tensor, "batch window vocabulary"]


@dataclass(frozen=True)
class Edit:
    """How far each pair is moved to its head's target: 0 leaves it, 1 replaces it; in between, part of the way."""

    amounts: Amounts
    targets: Targets


def edited_logits(model: PreTrainedModel, tokens: Int[Tensor, "1 window"], edits: list[Edit]) -> Logits:
    """The logits of one window under each edit, all in one forward; of an empty list, those of the model as it is."""
    family = families.find(model.config)
    model.eval()
    with torch.inference_mode(), full_precision(), ExitStack() as hooks:
        for layer, block in enumerate(family.blocks(model)):
            touched = [edit.amounts[layer] for edit in edits]
            if any(bool(amounts.any()) for amounts in touched):
                hook = _moving(torch.stack(touched), torch.stack([edit.targets[layer] for edit in edits]))
                hooks.callback(family.output_module(block).register_forward_pre_hook(hook).remove)
        batch = tokens.to(model.device).repeat(max(1, len(edits)), 1)
        logits: Tensor = model(input_ids=batch, use_cache=False).logits
    return logits


def _moving(
    amounts: Float[Tensor, "batch head scored"], targets: Float[Tensor, "batch head head_dim"]
) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]:
    def move(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        z = args[0].view(*args[0].shape[:2], amounts.shape[1], -1)
        weight = amounts.to(z).transpose(1, 2)[..., None]
        moved = torch.cat([z[:, :1], torch.lerp(z[:, 1:], targets.to(z)[:, None].expand_as(z[:, 1:]), weight)], 1)
        return (moved.flatten(2), *args[1:])

    return move


@dataclass(frozen=True)
class Gradients:
    """One unchanged forward and its backward: z and ∂L/∂z for queries 1 … T−1, by layer, L the window's summed cross-entropy."""

    logits: Float[Tensor, "window vocabulary"]
    z: list[Float[Tensor, "head scored head_dim"]]
    gradient: list[Float[Tensor, "head scored head_dim"]]


def gradients(model: PreTrainedModel, tokens: Int[Tensor, "1 window"], loss: Callable[[Logits], Float[Tensor, ""]]) -> Gradients:
    """The derivative of `loss`, of the logits, with respect to what every head mixes, along every path to the end of the model."""
    family = families.find(model.config)
    heads = family.shape(model.config).heads
    taken: list[tuple[Tensor, Tensor]] = []

    def take(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        # A sum with nothing: its derivative is that of z, and no weight needs one.
        nothing = torch.zeros_like(args[0]).requires_grad_()
        taken.append((args[0].detach(), nothing))
        return (args[0] + nothing, *args[1:])

    model.eval()
    with torch.enable_grad(), full_precision(), _frozen(model), ExitStack() as hooks:
        for block in family.blocks(model):
            hooks.callback(family.output_module(block).register_forward_pre_hook(take).remove)
        logits = model(input_ids=tokens.to(model.device), use_cache=False).logits
        slopes = torch.autograd.grad(loss(logits), [nothing for _, nothing in taken])
    by_head = [[_by_head(z, heads), _by_head(slope, heads)] for (z, _), slope in zip(taken, slopes, strict=True)]
    return Gradients(logits.detach()[0], [z for z, _ in by_head], [slope for _, slope in by_head])


def _by_head(z: Float[Tensor, "1 window all_head_dims"], heads: int) -> Float[Tensor, "head scored head_dim"]:
    return z[0, 1:].view(z.shape[1] - 1, heads, -1).transpose(0, 1)


@contextmanager
def _frozen(model: PreTrainedModel) -> Iterator[None]:
    """No weight asks for a derivative: what would be kept for theirs is most of a backward's memory."""
    asking = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in asking:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)
