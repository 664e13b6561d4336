"""The start-up self-test: a model's measurement is proved on one window before anything is stored."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from extract import families, placement, probes
from extract.attention import asks, attending, full_precision, visit_layers
from extract.families import Family


def self_test(model: PreTrainedModel, tokens: Int[Tensor, "1 window"]) -> str:
    """Prove the extraction on one window before anything is stored; returns what computed the attention.

    Against the model's own eager attention: as many layers and heads as configured, rows that sum to one, nothing above the diagonal,
    the same weights as ours. On the device and type in use: everything finite, heads' outputs that add up to the layer's output, and at
    the end of the whole window the same stream as the model's own forward. Raises ModelRefusal or NumericRefusal."""
    family = families.find(model.config)
    own = _own_attention(model, family, tokens[:, : probes.PATTERN])
    probes.check_pattern(own, family.shape(model.config))
    blocks = family.blocks(model)
    probe = probes.LayerProbe(family, blocks, own)
    with ExitStack() as hooks:
        for block in blocks:
            hooks.callback(family.output_module(block).register_forward_hook(probe.check_written).remove)
        measured = visit_layers(model, tokens, probe.check_heads, last=len(blocks))
    model.eval()
    with torch.inference_mode(), full_precision():
        stream = model.base_model(input_ids=tokens.to(placement.entrance(model)), use_cache=False).last_hidden_state
    # Over the whole window, which the attention patterns are not: a mask that transformers dropped would show here.
    probes.check_stream(measured, stream)
    return "blocks of rows"


@contextmanager
def _configured(model: PreTrainedModel, name: str) -> Iterator[None]:
    """As `attention.attending`, for a model that transformers will not switch: it looks the name up in its configuration, if anywhere."""
    before = model.config._attn_implementation
    model.config._attn_implementation = name
    try:
        yield
    finally:
        model.config._attn_implementation = before


def _own_attention(model: PreTrainedModel, family: Family, tokens: Int[Tensor, "1 window"]) -> list[Float[Tensor, "head query key"]]:
    """The attention weights that the model's own eager implementation returns, on the host."""
    model.eval()
    eager = attending if asks(model, family) else _configured
    with ExitStack() as stack, torch.inference_mode(), full_precision(), eager(model, "eager"):
        for block in family.blocks(model):
            stack.enter_context(family.mended(family.attention(block)) or nullcontext())
        patterns = model.base_model(input_ids=tokens.to(placement.entrance(model)), use_cache=False, output_attentions=True).attentions
    return [pattern[0].cpu() for pattern in patterns or ()]
