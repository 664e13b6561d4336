"""Where each millisecond goes: processor time per layer of the parts of a plain forward and of what measuring adds to it.

Timed from outside: linear layers by hooks on them, everything else by running it again on what a visit of the model hands over. What
several measures share is worked out first and told apart (output norms); of the rest, a measure that comes first in the order of the names
pays for what the later ones find ready."""

import dataclasses
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from statistics import fmean, median

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from extract import blocked, measures
from extract.attention import mean_outputs, visit_layers
from extract.bench.methods import usual_measures
from extract.layer_heads import LayerHeads
from extract.same_token import SameTokens
from extract.tally import bins_per_head, sums_per_head

MODEL, ADDED, APART = "the model", "measuring", "asked for apart"

Times = defaultdict[tuple[str, str], list[float]]


def break_down(model: PreTrainedModel, tokens: Int[Tensor, "batch window"], repeats: int) -> list[dict[str, object]]:
    """A record per part: group, part, cpu_ms per layer. On a CPU only."""
    layers: list[Times] = []
    means = mean_outputs(model, tokens)

    def receive(heads: LayerHeads) -> None:
        layers.append(_time_layer(heads, repeats))

    visit_layers(model, tokens, receive, mean_outputs=means)
    parts = {key: fmean(median(times[key]) for times in layers) for key in layers[0]}
    whole, linear = _time_plain(model, tokens, repeats)
    kernel = parts.pop((MODEL, "attention"))
    found = {(MODEL, "linear layers"): linear / len(layers), (MODEL, "attention, by the model's own kernel"): kernel}
    found[MODEL, "norms, activations, additions, embedding"] = whole / len(layers) - linear / len(layers) - kernel
    same = median(_ms(lambda: SameTokens(tokens).same) for _ in range(repeats)) / len(layers)
    alone, together = parts.pop((ADDED, "attention alone")), parts.pop((ADDED, "attention"))
    found[ADDED, "attention in blocks, beyond the model's kernel"] = alone - kernel
    found[ADDED, "attention to the same token: finding and picking"] = same + together - alone
    return [{"group": group, "part": part, "cpu_ms": ms} for (group, part), ms in (found | parts).items()]


def _time_layer(heads: LayerHeads, repeats: int) -> Times:
    times: Times = defaultdict(list)
    usual = {module.MEASURE.id for module in usual_measures()}
    for _ in range(repeats):
        for key, ms in _time_attention(heads).items():
            times[key].append(ms)
        # A copy has none of what the original has worked out.
        fresh = dataclasses.replace(heads)
        times[ADDED, "output norms"].append(_ms(partial(getattr, fresh, "output_norm")))
        sums = histograms = 0.0
        for module in measures.discover(measures.NATURAL):
            name = module.MEASURE.id
            compute = _ms(partial(module.compute, fresh))
            values = module.compute(fresh)
            adding = _ms(partial(sums_per_head, values)) if values.shape[2] else 0.0
            binning = _ms(partial(bins_per_head, values)) if values.shape[2] and module.MEASURE.histogram_kind else 0.0
            if name in usual:
                sums, histograms = sums + adding, histograms + binning
                times[ADDED, f"measure {name}"].append(compute)
            else:
                times[APART, f"measure {name}, summed and binned"].append(compute + adding + binning)
        times[ADDED, "sums per head"].append(sums)
        times[ADDED, "histograms per head"].append(histograms)
    return times


def _time_attention(heads: LayerHeads) -> dict[tuple[str, str], float]:
    """The model's kernel on the same queries and keys, ours with and without repeated tokens, and the columns that ours is given."""
    shared = heads.q.shape[1] > heads.k.shape[1]
    columns = heads.value_norms(heads.v, heads.weights)
    window = heads.q.shape[2]
    unlike = SameTokens(torch.arange(window, device=heads.q.device).expand(heads.q.shape[0], -1))
    kernel = partial(F.scaled_dot_product_attention, is_causal=True, scale=heads.scoring.scale, enable_gqa=shared)
    ours = partial(blocked.attend, heads.q, heads.k, heads.v, heads.scoring)
    return {
        (MODEL, "attention"): _ms(partial(kernel, heads.q, heads.k, heads.v)),
        (ADDED, "attention alone"): _ms(partial(ours, unlike, columns)),
        (ADDED, "attention"): _ms(partial(ours, heads.tokens, columns)),
        (ADDED, "norms of values"): _ms(partial(heads.value_norms, heads.v, heads.weights)),
    }


def _time_plain(model: PreTrainedModel, tokens: Int[Tensor, "batch window"], repeats: int) -> tuple[float, float]:
    """Milliseconds of a whole plain forward, and of its linear layers."""
    linear, begun = 0.0, 0.0

    def begin(_module: nn.Module, _args: object) -> None:
        nonlocal begun
        begun = time.process_time()

    def end(_module: nn.Module, _args: object, _output: object) -> None:
        nonlocal linear
        linear += 1000 * (time.process_time() - begun)

    def forward() -> None:
        with torch.inference_mode():
            model.base_model(input_ids=tokens, use_cache=False)

    forward()
    wholes = [_ms(forward) for _ in range(repeats)]
    modules = [module for module in model.base_model.modules() if isinstance(module, nn.Linear | Conv1D)]
    hooks = [hook for module in modules for hook in (module.register_forward_pre_hook(begin), module.register_forward_hook(end))]
    sums = []
    for _ in range(repeats):
        linear = 0.0
        forward()
        sums.append(linear)
    for hook in hooks:
        hook.remove()
    return median(wholes), median(sums)


def _ms(work: Callable[[], object]) -> float:
    """Processor time in milliseconds."""
    start = time.process_time()
    with torch.inference_mode():
        work()
    return 1000 * (time.process_time() - start)
