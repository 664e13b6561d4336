"""An account, in float64, of what the heads of a toy do, from the model's own modules; and how far the measuring forward is from it.

Each layer's attention is given again, in the model's eager forward, the very input that it had in the measured one. Queries, keys and
values are caught where the model's own code has made them; patterns, outputs and biases are worked out here, one head at a time, by
running the model's own output projection. Family files are asked for nothing but what is being compared."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from functools import cache

import torch
from family_toys import TOYS, VOCABULARY, Toy
from torch import Tensor, nn
from transformers import PreTrainedModel

from extract import families
from extract.attention import visit_layers
from extract.layer_heads import LayerHeads
from extract.layer_weights import model_weights

WINDOW = 40


@dataclass(frozen=True)
class Proof:
    """Greatest differences over all layers, relative to the greatest value compared.

    pattern: attention from this account. eager: this account's attention from the model's eager weights. mixed: heads' outputs before the
    output projection from what the model's eager attention hands to it. values: W_V and its biases from the values caught. written:
    lengths, products and energies of what each head writes, and its length over the stream's. total: the heads' sum from the output
    projection's own output. joined: that sum after a norm, where there is one, from what the norm gave to the stream. stream: what leaves
    the measured forward from what leaves the model's."""

    pattern: float
    eager: float
    mixed: float
    values: float
    written: float
    total: float
    joined: float
    stream: float


@dataclass
class Seen:
    """What hooks saw of one layer in one forward."""

    stream: Tensor | None = None
    q: Tensor | None = None
    k: Tensor | None = None
    v: Tensor | None = None
    attention_input: Tensor | None = None
    output_input: Tensor | None = None
    output: Tensor | None = None
    joined: Tensor | None = None


@cache
@torch.no_grad()
def prove(name: str) -> Proof:
    """Measure one toy and hold it against its account."""
    toy = TOYS[name]
    model = toy.make().double()
    tokens = torch.randint(0, VOCABULARY, (2, WINDOW), generator=torch.Generator().manual_seed(5))
    heads: list[LayerHeads] = []
    with _seeing(toy, model) as seen:
        end = visit_layers(model, tokens, heads.append, last=3)
    own = model.base_model(input_ids=tokens, use_cache=False).last_hidden_state
    eager, patterns = _replay(toy, model, tokens, [layer.attention_input for layer in seen])
    constant, _ = _replay(toy, model, tokens, [_norm_bias(toy, block, seen[0]) for block in toy.blocks_of(model)])
    layers = [
        _layer_proof(toy, model, layer, *parts) for layer, parts in enumerate(zip(heads, seen, eager, constant, patterns, strict=True))
    ]
    greatest = {key.name: max(proof[key.name] for proof in layers) for key in fields(Proof) if key.name != "stream"}
    return Proof(**greatest, stream=_error(end, own))


def _layer_proof(
    toy: Toy, model: PreTrainedModel, layer: int, heads: LayerHeads, seen: Seen, eager: Seen, constant: Seen, own_pattern: Tensor
) -> dict[str, float]:
    block = toy.blocks_of(model)[layer]
    family, weights = families.find(model.config), model_weights(model, families.find(model.config))[layer]
    p = account_of_pattern(toy, layer, eager.q, eager.k)
    # transformers' eager Falcon adds ALiBi's biases twice.
    twice = toy.alibi and toy.model_class.startswith("Falcon")
    output = block.get_submodule(toy.attention).get_submodule(toy.output)
    z, steady = p @ _each(eager.v, p.shape[1]), _each(constant.v, p.shape[1])[:1, :, :1]
    written = _written(toy, model, block, output, z, steady)
    values = seen.attention_input[:, None] @ family.value_projection(block) + family.value_projection_bias(block)[:, None]
    total = torch.einsum("bhqd,hdm->bqm", heads.z, family.output_projection(block)) + family.output_bias(block)
    joined = total
    if toy.post_norm:
        norm = family.post_norm(block)
        joined = norm.weight * total * weights.before_norm.factor(heads.z)[..., None]
    ours = torch.cat([nn.functional.pad(rows, (0, WINDOW - rows.shape[-1])) for _, rows in heads.attention_blocks()], 2)
    scored, stream = written[:, :, 1:], seen.stream[:, 1:]
    stream = stream - stream.mean(-1, keepdim=True) if toy.centred else stream
    return {
        "pattern": _error(ours, p),
        "eager": _error(account_of_pattern(toy, layer, eager.q, eager.k, 2.0) if twice else p, own_pattern),
        "mixed": 0.0 if twice else _error(heads.z.transpose(1, 2).flatten(2), eager.output_input),
        "values": max(_error(values, _each(eager.v, values.shape[1])), _error(weights.value_bias[None, :, None], steady)),
        "written": max(
            _error(heads.output_norm, scored.norm(dim=-1)),
            _error(heads.written @ heads.written.mT, scored @ scored.mT),
            _error(heads.output_energy, scored.square().sum(2)),
            _error(heads.residual_share, scored.norm(dim=-1) / stream.norm(dim=-1)[:, None]),
        ),
        "total": _error(total, seen.output),
        "joined": _error(joined, seen.joined) if toy.post_norm else 0.0,
    }


def account_of_pattern(toy: Toy, layer: int, q: Tensor, k: Tensor, times: float = 1.0) -> Tensor:
    """Softmax in float64 over the keys that the toy's layout lets a query see."""
    scores = q.double() @ _each(k.double(), q.shape[1]).mT * toy.scale
    if toy.softcap is not None:
        scores = toy.softcap * torch.tanh(scores / toy.softcap)
    position = torch.arange(q.shape[2])
    if toy.alibi:
        scores = scores + times * _alibi(toy, q.shape[1])[:, None]
    distance = position[:, None] - position
    seen = (distance >= 0) & (distance < (toy.windows[layer] or WINDOW))
    return scores.masked_fill(~seen, -torch.inf).softmax(-1)


def _alibi(toy: Toy, heads: int) -> Tensor:
    """slope · key: slopes are powers of 2^(−8/n) for n heads, n a power of two, the rest every second one of the next n's."""
    whole = 2 ** int(math.log2(heads))
    slopes = torch.tensor(
        [2 ** (-8 * (i + 1) / whole) for i in range(whole)] + [2 ** (-4 * (2 * i + 1) / whole) for i in range(heads - whole)]
    )
    position = torch.arange(WINDOW)
    if toy.model_class.startswith("Falcon"):
        # Rounded to bfloat16 whatever the model's type, and scaled as the products are.
        return (slopes.bfloat16()[:, None] * position).double() * toy.scale
    return (slopes[:, None] * position).double()


def _written(toy: Toy, model: PreTrainedModel, block: nn.Module, output: nn.Module, z: Tensor, steady: Tensor) -> Tensor:
    """What each head writes, [batch, head, query, d_model]: the model's own projection of that head's numbers alone."""
    batch, count, window, dim = z.shape
    alone = torch.zeros(batch, count, window, count, dim, dtype=z.dtype)
    for head in range(count):
        alone[:, head, :, head] = (z - steady)[:, head]
    alone = alone.flatten(3)
    written = output(alone) - output(torch.zeros_like(alone))
    if toy.post_norm:
        total = output(z.transpose(1, 2).flatten(2))
        weight = block.get_submodule(toy.post_norm).weight + (1 if toy.one_more else 0)
        written = written * weight / (total.square().mean(-1) + model.config.rms_norm_eps).sqrt()[:, None, :, None]
    return written - written.mean(-1, keepdim=True) if toy.centred else written


def _norm_bias(toy: Toy, block: nn.Module, seen: Seen) -> Tensor:
    """The part of the attention's input that is the same at every token, in the shape of the input."""
    bias = getattr(block.get_submodule(toy.norm), "bias", None) if toy.norm else None
    constant = torch.zeros_like(seen.attention_input)
    return constant if bias is None else constant + bias.detach()


@contextmanager
def _seeing(toy: Toy, model: PreTrainedModel, inputs: list[Tensor] | None = None) -> Iterator[list[Seen]]:
    """Hooks on each layer, kept while open; attention is given `inputs` where there are some, instead of its own."""
    seen = [Seen() for _ in toy.blocks_of(model)]
    with ExitStack() as hooks:
        for layer, block in enumerate(toy.blocks_of(model)):
            hooks.callback(block.register_forward_pre_hook(_keep_stream(seen[layer]), with_kwargs=True).remove)
            attention, given = block.get_submodule(toy.attention), None if inputs is None else inputs[layer]
            hooks.callback(attention.register_forward_pre_hook(_keep_input(seen[layer], given), with_kwargs=True).remove)
            hooks.callback(attention.get_submodule(toy.output).register_forward_hook(_keep_output(seen[layer])).remove)
            if toy.post_norm:
                hooks.callback(block.get_submodule(toy.post_norm).register_forward_hook(_keep_joined(seen[layer])).remove)
        yield seen


def _keep_stream(seen: Seen) -> Callable:
    def hook(_module: nn.Module, args: tuple, options: dict) -> None:
        seen.stream = args[0] if args else options["hidden_states"]

    return hook


def _keep_input(seen: Seen, given: Tensor | None) -> Callable:
    def hook(_module: nn.Module, args: tuple, options: dict) -> tuple[tuple, dict]:
        seen.attention_input = args[0] if args else options["hidden_states"]
        if given is None:
            return args, options
        return ((given, *args[1:]), options) if args else (args, options | {"hidden_states": given})

    return hook


def _keep_output(seen: Seen) -> Callable:
    def hook(_module: nn.Module, args: tuple, output: Tensor) -> None:
        seen.output_input, seen.output = args[0], output

    return hook


def _keep_joined(seen: Seen) -> Callable:
    def hook(_module: nn.Module, _args: tuple, output: Tensor) -> None:
        seen.joined = output

    return hook


def _replay(toy: Toy, model: PreTrainedModel, tokens: Tensor, inputs: list[Tensor]) -> tuple[list[Seen], list[Tensor]]:
    """The model's eager forward with these inputs to its attentions: what was caught, and the attention weights that it returns."""
    before, switched = model.config._attn_implementation, model._can_set_attn_implementation()
    model.set_attn_implementation("eager") if switched else setattr(model.config, "_attn_implementation", "eager")
    with _seeing(toy, model, inputs) as seen, _catching(toy, model, seen):
        patterns = model.base_model(input_ids=tokens, use_cache=False, output_attentions=True).attentions
    model.set_attn_implementation(before) if switched else setattr(model.config, "_attn_implementation", before)
    return seen, list(patterns)


@contextmanager
def _catching(toy: Toy, model: PreTrainedModel, seen: list[Seen]) -> Iterator[None]:
    """Queries, keys and values of each layer, caught in the functions of the model's own file."""
    attentions = [block.get_submodule(toy.attention) for block in toy.blocks_of(model)]
    code = sys.modules[type(model).__module__]
    names = [name for name in ("eager_attention_forward", "apply_rotary_pos_emb") if hasattr(code, name)]
    originals = {name: getattr(code, name) for name in names}
    methods = [name for name in ("_attn", "_reshape", "_split_heads") if hasattr(attentions[0], name)]

    def eager(module: nn.Module, q: Tensor, k: Tensor, v: Tensor, *args: object, **options: object) -> object:
        layer = seen[attentions.index(module)]
        layer.q, layer.k, layer.v = q, k, v
        return originals["eager_attention_forward"](module, q, k, v, *args, **options)

    def falcon_rotary(q: Tensor, k: Tensor, *args: object) -> tuple[Tensor, Tensor]:
        layer = next(layer for layer in reversed(seen) if layer.v is not None)
        layer.q, layer.k = originals["apply_rotary_pos_emb"](q, k, *args)
        return layer.q, layer.k

    def method(layer: Seen, original: Callable, name: str) -> Callable:
        def call(*args: object) -> object:
            result = original(*args)
            if name == "_attn":
                layer.q, layer.k, layer.v = args[:3]
            elif len(result) == 3:
                layer.q, layer.k, layer.v = result if name == "_reshape" else (part.transpose(1, 2) for part in result)
            return result

        return call

    try:
        if "eager_attention_forward" in names:
            code.eager_attention_forward = eager
        elif toy.model_class.startswith("Falcon"):
            code.apply_rotary_pos_emb = falcon_rotary
        for layer, attention in zip(seen, attentions, strict=True):
            for name in methods:
                setattr(attention, name, method(layer, getattr(attention, name), name))
        yield
    finally:
        for name, original in originals.items():
            setattr(code, name, original)
        for attention in attentions:
            for name in methods:
                delattr(attention, name)


def _each(x: Tensor, heads: int) -> Tensor:
    """Key-value heads once per query head: neighbours share one. Heads that are there once each already stay as they are."""
    if x.shape[1] >= heads:
        return x[:, :: x.shape[1] // heads]
    return x.repeat_interleave(heads // x.shape[1], 1)


def _error(values: Tensor, reference: Tensor) -> float:
    assert values.shape == torch.broadcast_shapes(values.shape, reference.shape)
    return float((values - reference).abs().max() / reference.abs().max().clamp(min=1e-300))
