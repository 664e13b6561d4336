"""The measuring attention function: fused attention and log-sum-exp, one layer at a time, at nearly the price of a plain forward pass.

While a model is visited, its layers attend through `_measuring_attention`, which hands each layer's heads to a receiver and gives the
model what it would have had anyway. Afterwards the model has its own attention back."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import cast
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from extract import families, kernels, measures, probes
from extract.errors import ModelRefusal
from extract.families import Family
from extract.layer_heads import LayerHeads, LayerWeights, layer_weights
from extract.sums import ShardSums
from extract.tally import Tally

NAME = "headcount"

Receiver = Callable[[LayerHeads], None]


def measure_windows(model: PreTrainedModel, tokens: Int[Tensor, "batch window"], sums: ShardSums) -> None:
    """One forward over full windows: every measure of every head is added to `sums`, which stay as they were where anything is refused.

    Raises ModelRefusal for a model whose heads cannot be measured exactly, NumericRefusal for a value that is not finite."""
    tally = Tally(measures.discover())
    visit_layers(model, tokens, tally.take)
    tally.add_to(sums)


def self_test(model: PreTrainedModel, tokens: Int[Tensor, "1 window"]) -> str:
    """Prove the extraction on one window before anything is stored; returns the name of the attention kernel.

    Against the model's own eager attention: as many layers and heads as configured, rows that sum to one, nothing above the diagonal,
    the same weights as ours. On the device and type in use: everything finite, the kernel equal to a plain reference, heads' outputs
    that add up to the layer's output. Raises ModelRefusal or NumericRefusal."""
    family = families.find(model.config)
    own = _own_attention(model, tokens[:, : probes.PATTERN])
    probes.check_pattern(own, family.shape(model.config))
    blocks = family.blocks(model)
    probe = probes.LayerProbe(family, blocks, own)
    with ExitStack() as hooks:
        for block in blocks:
            hooks.callback(family.attention(block).register_forward_hook(probe.check_written).remove)
        visit_layers(model, tokens, probe.check_heads, last=len(blocks))
    return probe.kernel


def visit_layers(model: PreTrainedModel, tokens: Int[Tensor, "batch window"], receive: Receiver, last: int | None = None) -> None:
    """Run a forward that hands each layer's heads, in order, to `receive`.

    It ends after the attention of layer `last`, by default the final one; with a `last` beyond that, the model runs to its end."""
    family = families.find(model.config)
    blocks = family.blocks(model)
    last = len(blocks) - 1 if last is None else last
    taps = [_Tap(layer, weights, receive, layer == last) for layer, weights in enumerate(_model_weights(model, family))]
    model.eval()
    with torch.inference_mode(), _full_precision(), _tapped(family, blocks, taps), _attending(model, NAME), suppress(_Enough):
        model.base_model(input_ids=tokens.to(model.device), use_cache=False)
    if not all(tap.reached for tap in taps[: last + 1]):
        raise ModelRefusal(
            "a layer did not attend through the measuring function", type(model).__name__, "choose a model of a listed family"
        )


class _Enough(Exception):
    """Leaves the forward after the last attention that is wanted: nothing later is needed."""


@dataclass
class _Tap:
    """One layer's place in one forward: where its residual stream waits for its heads, and where both go."""

    layer: int
    weights: LayerWeights
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
    query: kernels.Queries,
    key: kernels.Keys,
    value: kernels.Keys,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **options: object,
) -> tuple[Float[Tensor, "batch query head dim"], None]:
    """What a model calls for its attention. Anything but plain causal attention over full windows is refused, never dropped."""
    asked = {"attention_mask": attention_mask, "dropout": dropout or None} | {name: options.get(name) for name in _NOT_PLAIN}
    odd = [name for name, setting in asked.items() if setting is not None]
    if odd or module not in _taps:
        what = f"attention with {odd[0]}" if odd else "attention outside the family's layers"
        raise ModelRefusal(f"{what} cannot be measured exactly", type(module).__name__, "choose a model with plain causal attention")
    tap = _taps[module]
    z, lse = kernels.attend(query, key, value, scaling)
    if tap.residual is None:
        raise ModelRefusal("attention ran outside its layer", type(module).__name__, "choose a model of a listed family")
    tap.receive(LayerHeads(tap.layer, query, key, value, z, lse, scaling, tap.residual, tap.weights))
    tap.residual, tap.reached = None, True
    if tap.is_last:
        raise _Enough
    return z.transpose(1, 2), None


# Options by which transformers asks an attention function for something else.
_NOT_PLAIN = ("sliding_window", "softcap", "s_aux", "position_bias", "cache")


@contextmanager
def _tapped(family: Family, blocks: list[nn.Module], taps: list[_Tap]) -> Iterator[None]:
    """Each block's attention finds its tap, each tap its residual stream, until the end of the block."""
    with ExitStack() as stack:
        for block, tap in zip(blocks, taps, strict=True):
            stack.callback(block.register_forward_pre_hook(tap.keep_residual, with_kwargs=True).remove)
            attention = family.attention(block)
            _taps[attention] = tap
            stack.callback(_taps.pop, attention)
        yield


@contextmanager
def _attending(model: PreTrainedModel, name: str) -> Iterator[None]:
    """The model attends through the function of this name, then through its own again."""
    AttentionInterface.register(NAME, _measuring_attention)
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


@contextmanager
def _full_precision() -> Iterator[None]:
    """No TensorFloat-32: a score near 300 would be off by a tenth."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _own_attention(model: PreTrainedModel, tokens: Int[Tensor, "1 window"]) -> list[Float[Tensor, "head query key"]]:
    """The attention weights that the model's own eager implementation returns, on the host."""
    model.eval()
    with torch.inference_mode(), _full_precision(), _attending(model, "eager"):
        patterns = model.base_model(input_ids=tokens.to(model.device), use_cache=False, output_attentions=True).attentions
    return [pattern[0].cpu() for pattern in patterns or ()]


_weights: "WeakKeyDictionary[nn.Module, tuple[tuple[int, ...], list[LayerWeights]]]" = WeakKeyDictionary()


def _model_weights(model: PreTrainedModel, family: Family) -> list[LayerWeights]:
    """Each layer's weights for the measures, worked out once per model, and again when its weights have changed."""
    blocks = family.blocks(model)
    parameters = itertools.chain.from_iterable(block.parameters() for block in blocks)
    state = tuple(number for p in parameters for number in (p.data_ptr(), 0 if p.is_inference() else p._version))
    if model not in _weights or _weights[model][0] != state:
        with torch.inference_mode():
            _weights[model] = state, [layer_weights(family, block) for block in blocks]
    return _weights[model][1]
