"""Methods: ways to run one model over one batch of windows. Each is made ready once and then gives a forward that can be timed.

plain is the limit: the model's own forward without the output embedding. The lines of headcount are what a run does, with fewer or more
measures. eager and transformer_lens read whole attention patterns and reduce them (whole_patterns.py)."""

import copy
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from extract import families, measures
from extract.attention import mean_outputs, measure_windows, visit_layers
from extract.bench.cases import Case
from extract.bench.whole_patterns import PatternTally
from extract.examples import Examples
from extract.layer_heads import LayerHeads
from extract.layer_weights import model_weights
from extract.measures import MeasureModule
from extract.reservoir import Reservoirs
from extract.sums import ShardSums
from extract.tally import Tally

Windows = Int[Tensor, "batch window"]
Forward = Callable[[Windows], object]

PLAIN, EAGER, LENS = "plain", "eager", "transformer_lens"
INSTALL_LENS = "transformer_lens is not installed, so it is left out; to time it too: pip install -c constraints.txt -e '.[bench]'"
# What stands on lines of its own; a run measures them too, and keeps examples.
_APART = ("effective_keys", "deviation_activation_pct")


@dataclass(frozen=True)
class Chosen:
    """A line of headcount: measures beyond the usual ones, and whether examples are kept."""

    beyond: tuple[str, ...] = ()
    examples: bool = False


HEADCOUNT = {
    "headcount": Chosen(),
    "headcount + effective_keys": Chosen(("effective_keys",)),
    "headcount + deviation": Chosen(("deviation_activation_pct",)),
    "headcount + examples": Chosen(examples=True),
    "headcount, all": Chosen(_APART, examples=True),
}
METHODS = (PLAIN, *HEADCOUNT, EAGER, LENS)
BRIEF = (PLAIN, "headcount", EAGER, LENS)


def lens_is_here() -> bool:
    """Whether TransformerLens is installed."""
    return importlib.util.find_spec("transformer_lens") is not None


def prepare(method: str, model: PreTrainedModel, case: Case, held_out: Windows, *, alone: bool = False) -> Forward:
    """A forward that does what the method does and returns what it found, None for plain.

    `held_out` is what deviation's means are worked out on; `alone` says that no other method uses this model object."""
    if method == PLAIN:
        return lambda tokens: _plain(model, tokens)
    # Worked out once per model, before anything is timed.
    model_weights(model, families.find(model.config))
    if method == EAGER:
        return lambda tokens: _eager(model, tokens)
    if method == LENS:
        return _lens(model, alone)
    return _headcount(model, case, HEADCOUNT[method], held_out)


def _plain(model: PreTrainedModel, tokens: Windows) -> None:
    with torch.inference_mode():
        model.base_model(input_ids=tokens.to(model.device), use_cache=False)


def _headcount(model: PreTrainedModel, case: Case, chosen: Chosen, held_out: Windows) -> Forward:
    modules = usual_measures(chosen.beyond)
    shape = families.shape(model.config)
    means = mean_outputs(model, held_out) if "deviation_activation_pct" in chosen.beyond else None
    kept = Examples(0, Reservoirs.empty(shape.layers, shape.heads, model.device)) if chosen.examples else None
    seen = 0

    def forward(tokens: Windows) -> ShardSums:
        nonlocal seen
        also = () if kept is None else (kept.taking(seen),)
        seen += len(tokens)
        sums = ShardSums(shape.layers, shape.heads)
        if not case.cut_short:
            measure_windows(model, tokens, sums, modules, mean_outputs=means, also=also)
            return sums
        tally = Tally(modules)

        def receive(heads: LayerHeads) -> None:
            for take in (tally.take, *also):
                take(heads)

        visit_layers(model, tokens, receive, last=shape.layers, mean_outputs=means)
        tally.add_to(sums)
        return sums

    return forward


def usual_measures(beyond: tuple[str, ...] = ()) -> tuple[MeasureModule, ...]:
    """The measures on natural text, without those that are asked for apart unless they are named."""
    left_out = set(_APART) - set(beyond)
    return tuple(module for module in measures.discover(measures.NATURAL) if module.MEASURE.id not in left_out)


def _eager(model: PreTrainedModel, tokens: Windows) -> PatternTally:
    """Patterns are reduced as they come, though output_attentions keeps them all to the end."""
    family = families.find(model.config)
    tokens = tokens.to(model.device)
    tally = PatternTally(tokens, model_weights(model, family))
    heads = family.shape(model.config).heads
    with ExitStack() as hooks, _eagerly(model), torch.inference_mode():
        for layer, block in enumerate(family.blocks(model)):
            reducer = _Reducer(tally, layer, heads)
            attention = family.attention(block)
            hooks.callback(_projection(attention, family.output_projection(block)).register_forward_pre_hook(reducer.keep).remove)
            hooks.callback(attention.register_forward_hook(reducer.reduce).remove)
        model.base_model(input_ids=tokens, use_cache=False, output_attentions=True)
    return tally


class _Reducer:
    """Keeps what enters a layer's output projection until its attention pattern comes."""

    def __init__(self, tally: PatternTally, layer: int, heads: int) -> None:
        self._tally, self._layer, self._heads = tally, layer, heads
        self._joined: Tensor | None = None

    def keep(self, _projection: nn.Module, args: tuple[Tensor, ...]) -> None:
        """Forward-pre-hook of the output projection."""
        self._joined = args[0]

    def reduce(self, _attention: nn.Module, _args: object, output: tuple[Tensor, Tensor]) -> None:
        """Forward hook of the attention."""
        if self._joined is not None:
            self._tally.take(self._layer, output[1], self._joined.view(*self._joined.shape[:2], self._heads, -1).transpose(1, 2))


@contextmanager
def _eagerly(model: PreTrainedModel) -> Iterator[None]:
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _projection(attention: nn.Module, weight: Float[Tensor, "head head_dim d_model"]) -> nn.Module:
    """The module whose weight the output projection is: a family tells the weight alone."""
    return next(
        part
        for part in attention.modules()
        if isinstance(own := getattr(part, "weight", None), Tensor) and own.data_ptr() == weight.data_ptr()
    )


def _lens(model: PreTrainedModel, alone: bool) -> Forward:
    """TransformerLens around the same weights, nothing folded or centred, and its cache of patterns, heads' outputs and streams."""
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    weights = model_weights(model, families.find(model.config))
    # It rebuilds the model that it is given.
    inner = model if alone else copy.deepcopy(model)
    # It has no forward without an output embedding, so that is made as narrow as it can be.
    inner.set_output_embeddings(nn.Linear(inner.config.hidden_size, 1, bias=False, dtype=inner.dtype, device=inner.device))
    bridge = build_bridge_from_module(inner, type(model).__name__, hf_config=inner.config)
    wanted = ("attn.hook_pattern", "attn.hook_z")

    def forward(tokens: Windows) -> PatternTally:
        tokens = tokens.to(inner.device)
        tally = PatternTally(tokens, weights)
        with torch.inference_mode():
            _, cache = bridge.run_with_cache(tokens, names_filter=lambda name: name.endswith(wanted), return_type=None)
            for layer in range(len(weights)):
                pattern, z = (cast(Tensor, cache[f"blocks.{layer}.{name}"]) for name in wanted)
                tally.take(layer, pattern, z.transpose(1, 2))
        return tally

    return forward
