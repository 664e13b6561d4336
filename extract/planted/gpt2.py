"""The planted GPT-2: LayerNorm with weights and biases, biases everywhere, learned positions."""

import math
from typing import cast

import torch
from jaxtyping import Float64
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel
from transformers.models.gpt2.modeling_gpt2 import GPT2Block

from extract.planted import AFTER_SAME, FIRST, HEADS, HEADS_PER_LAYER, ITSELF, KINDS, LAYERS, PREVIOUS, SAME
from extract.planted.stream import GAP, Stream, entering, gain, size

Reading = tuple[Float64[Tensor, "number width"], Float64[Tensor, " number"]]


def plant(window: int) -> PreTrainedModel:
    """The planted GPT-2, in float64, for windows of up to `window` tokens and as many different ones."""
    stream, head_dim = Stream(window, positions=True), size(window) + 2
    width = HEADS_PER_LAYER * head_dim
    if stream.used > width:
        raise ValueError(f"windows of {window} tokens need {stream.used} numbers, the heads have {width}")
    config = GPT2Config(
        n_layer=LAYERS,
        n_head=HEADS_PER_LAYER,
        n_embd=width,
        n_inner=1,
        n_positions=window,
        vocab_size=window,
        bos_token_id=None,
        eos_token_id=None,
    )
    with torch.device("cpu"):
        model = GPT2LMHeadModel(config).double().eval()
    with torch.no_grad():
        model.transformer.wte.weight.copy_(stream.token_embedding(width))
        model.transformer.wpe.weight.copy_(stream.position_embedding(width))
        _set_norm(model.transformer.ln_f, stream)
        for layer, block in enumerate(model.transformer.h):
            _set_norm(block.ln_1, stream)
            _silence_mlp(block)
            _set_attention(block, stream, layer, gain(block.ln_1, block.ln_1.bias, entering(model, layer)))
    return cast(PreTrainedModel, model)


def _set_norm(norm: nn.LayerNorm, stream: Stream) -> None:
    """Weights and biases that all differ, but for the channel that embedding and unembedding share."""
    width = norm.weight.shape[0]
    norm.weight.copy_(torch.linspace(0.5, 2, width))
    norm.weight[stream.channels["token"].start : stream.channels["token"].end] = 1.5
    norm.bias.copy_(torch.linspace(0.4, -0.6, width))


def _silence_mlp(block: GPT2Block) -> None:
    block.mlp.c_fc.bias.fill_(0.3)
    block.mlp.c_proj.weight.zero_()
    block.mlp.c_proj.bias.zero_()


def _set_attention(block: GPT2Block, stream: Stream, layer: int, gains: Float64[Tensor, " width"]) -> None:
    """Queries, keys and values read through the norm; what its bias and the value bias add is taken back by the output bias."""
    projection, output, width = block.attn.c_attn, block.attn.c_proj, len(gains)
    for parameter in (projection.weight, projection.bias, output.weight, output.bias):
        parameter.zero_()
    head_dim, sharp = width // HEADS_PER_LAYER, GAP * _softer_than_a_match(layer) * math.sqrt(width // HEADS_PER_LAYER)
    for planted in HEADS:
        if planted.layer != layer:
            continue
        (queries, constant), keys = _attention(stream, KINDS[planted.kind].looks, width)
        at = planted.head * head_dim
        for first, reading in ((at, sharp * queries), (width + at, keys), (2 * width + at, stream.values(width))):
            projection.weight[:, first : first + len(reading)] = reading.mT / gains[:, None]
        projection.bias[at : at + len(constant)] = sharp * constant
        written = stream.written(planted.kind, width)
        output.weight[at : at + len(written)] = written
    projection.bias[: 2 * width] -= block.ln_1.bias @ projection.weight[:, : 2 * width]
    projection.bias[2 * width :] = torch.linspace(-1, 1, width)
    everywhere = block.ln_1.bias @ projection.weight[:, 2 * width :] + projection.bias[2 * width :]
    output.bias.copy_(-everywhere @ output.weight)


def _softer_than_a_match(layer: int) -> int:
    """In the second layer a key that is looked at where nothing matches scores half a match."""
    return 1 + layer


def _attention(stream: Stream, looks: str, width: int) -> tuple[Reading, Float64[Tensor, "number width"]]:
    """What queries and keys read, number by number, and the constant part of the query."""
    identity, length = torch.eye(width, dtype=torch.float64), size(stream.window)
    code = {name: identity[channel.code] for name, channel in stream.channels.items()}
    nothing, none = torch.zeros(length, width, dtype=torch.float64), torch.zeros(length, dtype=torch.float64)
    if looks == AFTER_SAME:
        asked = torch.cat([code["token"], nothing[:1]])
        return (asked, torch.eye(length + 1, dtype=torch.float64)[length]), stream.keys_after_same(width)
    if looks == FIRST:
        return (nothing, torch.eye(length, dtype=torch.float64)[0]), code["here"]
    queries = {PREVIOUS: code["behind"], ITSELF: code["here"], SAME: code["token"]}.get(looks, nothing)
    return (queries, none), code["token" if looks == SAME else "here"]
