"""The planted Llama: RMSNorm without a bias, rotary positions, two query heads to a key-value head.

A rotary head knows positions by turning pairs of numbers ("planes"), each plane at its own speed. Here a quarter of the planes turn, from
one radian per position downwards, and the others stand still over a window: the first tell positions apart, the others compare codes. All
heads read the same keys and values; what a head looks at is up to its queries:

- at distance m: every turning plane asks for m, so that the score is Σ cos θ(d − m) over the planes, greatest at d = m alone;
- at the first token: one slow plane, whose score sin θ(d − half a window) grows with the distance d over the whole window;
- at tokens: the planes that stand still, where the score is that of the codes."""

import math
from typing import cast

import torch
from jaxtyping import Float64
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm

from extract.planted import AFTER_SAME, EVERYWHERE, FIRST, HEADS, HEADS_PER_LAYER, ITSELF, KINDS, LAYERS, PREVIOUS, SAME
from extract.planted.stream import GAP, Stream, entering, gain, size

KV_HEADS = 3
BASE = 1e30
# The slow plane may turn so far over a window: between its ends the sine stays steep.
TURN = 1.6


def plant(window: int) -> PreTrainedModel:
    """The planted Llama, in float64, for windows of up to `window` tokens and as many different ones."""
    stream, head_dim = Stream(window, positions=False), 2 * planes(window)
    width = HEADS_PER_LAYER * math.ceil(stream.used / HEADS_PER_LAYER)
    config = LlamaConfig(
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS_PER_LAYER,
        num_key_value_heads=KV_HEADS,
        head_dim=head_dim,
        hidden_size=width,
        intermediate_size=1,
        vocab_size=window,
        max_position_embeddings=window,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        rope_parameters={"rope_type": "default", "rope_theta": BASE},
    )
    with torch.device("cpu"):
        model = LlamaForCausalLM(config).double().eval()
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(stream.token_embedding(width))
        _set_norm(model.model.norm, stream)
        for layer, block in enumerate(model.model.layers):
            _set_norm(block.input_layernorm, stream)
            block.mlp.down_proj.weight.zero_()
            _set_attention(block, stream, layer, gain(block.input_layernorm, 0.0, entering(model, layer)))
    return cast(PreTrainedModel, model)


def planes(window: int) -> int:
    """Planes of a head: those that turn, and one that stands still for each number of a code and for the first token's half."""
    still = size(window) + 1
    return still + turning(window)


def turning(window: int) -> int:
    """How many planes turn: a quarter of all, so that the fastest of the others takes 10^7.5 positions for one radian."""
    return math.ceil((size(window) + 1) / 3)


def speeds(window: int) -> Float64[Tensor, " plane"]:
    """Radians per position of the planes that turn."""
    exponent = torch.arange(turning(window), dtype=torch.float64) / planes(window)
    return torch.tensor(BASE, dtype=torch.float64) ** -exponent


def score_at(window: int, looks: str) -> Float64[Tensor, " distance"]:
    """The score, in units of a match, that a head which looks at a place gives a key so many positions back."""
    queries = positional_query(window, looks)
    angle = torch.arange(window)[:, None] * speeds(window)
    return angle.cos() @ queries[0] - angle.sin() @ queries[1]


def positional_query(window: int, looks: str) -> Float64[Tensor, "two plane"]:
    """What a head that looks at a place asks of the planes that turn, where every key holds (1, 0)."""
    speed = speeds(window)
    if looks == FIRST:
        slow = int((speed * (window - 1) <= TURN).nonzero()[0])
        phase = -speed * (window - 1) / 2 - math.pi / 2
        return torch.stack([phase.cos(), phase.sin()]) * (torch.arange(len(speed)) == slow)
    distance = {PREVIOUS: 1.0, ITSELF: 0.0}.get(looks)
    return (
        torch.zeros(2, len(speed), dtype=torch.float64)
        if distance is None
        else torch.stack([(speed * distance).cos(), -(speed * distance).sin()])
    )


def sharpness(window: int, looks: str) -> float:
    """How many nats a match is worth, so that what is looked at stands GAP above everything else."""
    if looks in (SAME, EVERYWHERE):
        return GAP
    if looks == AFTER_SAME:
        return 2 * GAP
    score = score_at(window, looks)
    if looks == FIRST:
        return GAP / float(score.diff().min())
    aimed = {PREVIOUS: 1, ITSELF: 0}[looks]
    others = torch.arange(window) != aimed
    return GAP / float(score[aimed] - score[others].max())


def _set_norm(norm: LlamaRMSNorm, stream: Stream) -> None:
    """Weights that all differ, but for the channel that embedding and unembedding share."""
    norm.weight.copy_(torch.linspace(0.5, 2, norm.weight.shape[0]))
    norm.weight[stream.channels["token"].start : stream.channels["token"].end] = 1.5


def _set_attention(block: LlamaDecoderLayer, stream: Stream, layer: int, gains: Float64[Tensor, " width"]) -> None:
    attention, head_dim, width = block.self_attn, block.self_attn.head_dim, len(gains)
    keys, values = _keys(stream, layer, width), stream.values(width)
    for projection, reading in ((attention.k_proj, keys), (attention.v_proj, values)):
        projection.weight.zero_()
        for first in range(0, KV_HEADS * head_dim, head_dim):
            projection.weight[first : first + len(reading)] = reading / gains
    attention.q_proj.weight.zero_()
    attention.o_proj.weight.zero_()
    for planted in HEADS:
        if planted.layer != layer:
            continue
        looks, at = KINDS[planted.kind].looks, planted.head * head_dim
        sharp = sharpness(stream.window, looks) * math.sqrt(head_dim)
        attention.q_proj.weight[at : at + head_dim] = sharp * _queries(stream, looks, width) / gains
        written = stream.written(planted.kind, width)
        attention.o_proj.weight[:, at : at + len(written)] = written.mT


def _keys(stream: Stream, layer: int, width: int) -> Float64[Tensor, "number width"]:
    """(1, 0) in every plane that turns; in those that stand still a code: the token's, or in the second layer that of the token before."""
    keys, fast = torch.zeros(2 * planes(stream.window), width, dtype=torch.float64), turning(stream.window)
    keys[:fast] = stream.constant(width)
    code = stream.keys_after_same(width) if layer else torch.eye(width, dtype=torch.float64)[stream.channels["token"].code]
    keys[fast : fast + len(code)] = code
    return keys


def _queries(stream: Stream, looks: str, width: int) -> Float64[Tensor, "number width"]:
    """What a head asks of the keys."""
    fast, length, half = turning(stream.window), size(stream.window), planes(stream.window)
    queries = torch.zeros(2 * half, width, dtype=torch.float64)
    constant = stream.constant(width)
    first, second = positional_query(stream.window, looks)
    queries[:fast] = first[:, None] * constant
    queries[half : half + fast] = second[:, None] * constant
    if looks in (SAME, AFTER_SAME):
        queries[fast : fast + length] = torch.eye(width, dtype=torch.float64)[stream.channels["token"].code]
    if looks == AFTER_SAME:
        queries[fast + length] = constant
    return queries
