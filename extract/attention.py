"""The measuring attention function: a model's own forward, in which each layer's heads are handed over as they attend.

While a model is visited, its layers attend through `_measuring_attention`, which hands each layer's heads to a receiver and gives the
model what it would have had anyway. Afterwards the model has its own attention back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from typing import cast
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from extract import blocked, families
from extract.blocked import Scoring
from extract.errors import ModelRefusal
from extract.families import Family
from extract.layer_heads import LayerHeads
from extract.layer_weights import LayerWeights, model_weights
from extract.measures import MeasureModule
from extract.placement import entrance, together
from extract.same_token import SameTokens
from extract.sums import ShardSums
from extract.tally import Tally

NAME = "headcount"

Receiver = Callable[[LayerHeads], None]
MeanOutputs = Float[Tensor, "layer head rank"]


def measure_windows(
    model: PreTrainedModel,
    tokens: Int[Tensor, "batch window"],
    sums: ShardSums,
    modules: tuple[MeasureModule, ...],
    *,
    mean_outputs: MeanOutputs | None = None,
    also: Sequence[Receiver] = (),
) -> None:
    """One forward over full windows: these measures of every head are added to `sums`, which stay as they were where anything is refused.

    `also` are handed each layer's heads too; `mean_outputs` is what deviation is measured from. Raises ModelRefusal for a model whose heads
    cannot be measured exactly, NumericRefusal for a value that is not finite."""
    tally = Tally(modules)

    def receive(heads: LayerHeads) -> None:
        for take in (tally.take, *also):
            take(heads)

    visit_layers(model, tokens, receive, mean_outputs=mean_outputs)
    tally.add_to(sums)


def mean_outputs(model: PreTrainedModel, tokens: Int[Tensor, "batch window"]) -> Float64[Tensor, "layer head rank"]:
    """What each head writes on average over all queries but each window's first, in the coordinates of `LayerHeads.written`."""
    layers: list[Tensor] = []
    visit_layers(model, tokens, lambda heads: layers.append(heads.written.mean((0, 2), dtype=torch.float64)))
    return together(layers)


def visit_layers(
    model: PreTrainedModel,
    tokens: Int[Tensor, "batch window"],
    receive: Receiver,
    last: int | None = None,
    mean_outputs: MeanOutputs | None = None,
) -> Float[Tensor, "batch window d_model"] | None:
    """Run a forward that hands each layer's heads, in order, to `receive`.

    It ends after the attention of layer `last`, by default the final one; with a `last` beyond that, the model runs to its end, and what
    it gives, the stream after its final norm, is returned."""
    family = families.find(model.config)
    blocks = family.blocks(model)
    last = len(blocks) - 1 if last is None else last
    tokens = tokens.to(entrance(model))
    # Once on each device that holds a layer.
    same = cache(lambda device: SameTokens(tokens.to(device)))
    means = [None] * len(blocks) if mean_outputs is None else list(mean_outputs)
    layers = enumerate(zip(model_weights(model, family), means, strict=True))
    taps = [_Tap(layer, weights, same, mean, receive, layer == last) for layer, (weights, mean) in layers]
    stream = None
    model.eval()
    with torch.inference_mode(), full_precision(), _tapped(family, blocks, taps), _measured(model, family), suppress(_Enough):
        stream = model.base_model(input_ids=tokens, use_cache=False).last_hidden_state
    if not all(tap.reached for tap in taps[: last + 1]):
        raise ModelRefusal(
            "a layer did not attend through the measuring function", type(model).__name__, "choose a model of a listed family"
        )
    return stream


class _Enough(Exception):
    """Leaves the forward after the last attention that is wanted: nothing later is needed."""


@dataclass
class _Tap:
    """One layer's place in one forward: where its residual stream waits for its heads, and where both go."""

    layer: int
    weights: LayerWeights
    tokens_on: Callable[[torch.device], SameTokens]
    mean_written: Float[Tensor, "head rank"] | None
    receive: Receiver
    is_last: bool
    residual: Tensor | None = None
    reached: bool = False

    def keep_residual(self, _block: nn.Module, args: tuple[object, ...], options: dict[str, object]) -> None:
        """Forward-pre-hook of the block: what enters it is the residual stream."""
        self.residual = cast(Tensor, args[0] if args else options["hidden_states"])


# The attention function learns which module calls it and nothing else: this is how it finds the forward it belongs to.
_taps: WeakKeyDictionary[nn.Module, _Tap] = WeakKeyDictionary()


def _measuring_attention(
    module: nn.Module,
    query: blocked.Queries,
    key: blocked.Keys,
    value: blocked.Keys,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    key_bias: Float[Tensor, "head key"] | None = None,
    **options: object,
) -> tuple[Float[Tensor, "batch query head dim"], None]:
    """What a model calls for its attention. What is not causal softmax attention over full windows is refused, never dropped."""
    later = options.get("is_causal") is False or getattr(module, "is_causal", True) is False
    asked: dict[str, object] = {"attention_mask": attention_mask, "dropout": dropout or None, "later tokens": later or None}
    asked |= {name: value for name, value in options.items() if name not in _WITHOUT_EFFECT}
    odd = [name for name, setting in asked.items() if setting is not None]
    if odd or module not in _taps:
        what = f"attention with {odd[0]}" if odd else "attention outside the family's layers"
        raise ModelRefusal(f"{what} cannot be measured exactly", type(module).__name__, "choose a model of a listed family")
    return hand_over(module, query, key, value, Scoring(scaling, softcap, sliding_window, key_bias)), None


def hand_over(
    module: nn.Module, query: blocked.Queries, key: blocked.Keys, value: blocked.Keys, scoring: Scoring
) -> Float[Tensor, "batch query head dim"]:
    """Attend, and hand the layer's heads to who visits the model; gives what the attention module goes on with."""
    tap = _taps[module]
    if tap.residual is None:
        raise ModelRefusal("attention ran outside its layer", type(module).__name__, "choose a model of a listed family")
    # The residual stream and the tokens may come from a layer on another device.
    here, tokens = query.device, tap.tokens_on(query.device)
    rows = blocked.attend(query, key, value, scoring, tokens, LayerHeads.value_norms(value, tap.weights))
    tap.receive(LayerHeads(tap.layer, query, key, value, rows, scoring, tap.residual.to(here), tokens, tap.weights, tap.mean_written))
    tap.residual, tap.reached = None, True
    if tap.is_last:
        raise _Enough
    return rows.z.to(query.dtype).transpose(1, 2)


# What models hand along that changes no attention over one whole window: positions are in q and k already.
_WITHOUT_EFFECT = frozenset({"position_ids", "cache_position", "use_cache", "output_attentions", "output_hidden_states", "is_causal"})


@contextmanager
def _tapped(family: Family, blocks: list[nn.Module], taps: list[_Tap]) -> Iterator[None]:
    """Each block's attention finds its tap, each tap its residual stream, until the end of the block."""
    with ExitStack() as stack:
        for block, tap in zip(blocks, taps, strict=True):
            stack.callback(block.register_forward_pre_hook(tap.keep_residual, with_kwargs=True).remove)
            attention = family.attention(block)
            _taps[attention] = tap
            stack.callback(_taps.pop, attention, None)
        yield


@contextmanager
def _measured(model: PreTrainedModel, family: Family) -> Iterator[None]:
    """The model attends through `_measuring_attention`, reached as its family can be, then through its own again."""
    with ExitStack() as stack:
        if asks(model, family):
            stack.enter_context(attending(model, NAME))
        for block in family.blocks(model):
            stack.enter_context(family.attending(family.attention(block), _measuring_attention) or nullcontext())
        yield


def asks(model: PreTrainedModel, family: Family) -> bool:
    """Whether the model asks transformers which function to call for its attention."""
    return all(family.attending(family.attention(block), _measuring_attention) is None for block in family.blocks(model))


@contextmanager
def attending(model: PreTrainedModel, name: str) -> Iterator[None]:
    """The model attends through the function of this name, then through its own again."""
    AttentionInterface.register(NAME, _measuring_attention)
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


@contextmanager
def full_precision() -> Iterator[None]:
    """No TensorFloat-32: a score near 300 would be off by a tenth."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
