"""Start-up probes: the checks that a model must pass on one window before any of its numbers is stored."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from extract import kernels
from extract.errors import ModelRefusal, NumericRefusal
from extract.families import Family, HeadShape
from extract.layer_heads import LayerHeads

PATTERN = 64
"""Positions of the window on which whole attention patterns are compared."""

Pattern = Float[Tensor, "head query key"]

# Largest error allowed, relative to the greatest value; half-precision kernels round their outputs and exponentials.
_TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-5}
_HALF_TOLERANCE = 2e-2
# Two implementations in float32 drift apart over the layers; a wrong mask or scale is off by far more.
_DRIFT = 1e-2


def check_pattern(patterns: list[Pattern], shape: HeadShape) -> None:
    """The model's own attention: one pattern per layer and head, rows that sum to one, nothing above the diagonal."""
    if len(patterns) != shape.layers:
        raise ModelRefusal(
            f"{len(patterns)} layers attended, {shape.layers} are configured", "attention", "check the model's configuration"
        )
    for layer, pattern in enumerate(patterns):
        if pattern.shape[0] != shape.heads:
            raise ModelRefusal(
                f"{pattern.shape[0]} heads, {shape.heads} are configured", f"layer {layer}", "check the model's configuration"
            )
        _require_finite(pattern, "attention", layer)
        if pattern.triu(1).any():
            raise ModelRefusal("the model is not causal: it attends to later tokens", f"layer {layer}", "choose a causal language model")
        if _error(pattern.double().sum(-1), torch.ones(())) > _HALF_TOLERANCE:
            raise ModelRefusal("attention rows do not sum to one", f"layer {layer}", "choose a model with plain softmax attention")


class LayerProbe:
    """Checks each layer of one measured forward as it passes."""

    def __init__(self, family: Family, blocks: list[nn.Module], patterns: list[Pattern]) -> None:
        self._family, self._blocks, self._patterns = family, blocks, patterns
        self._heads: LayerHeads | None = None
        self.kernel = ""

    def check_heads(self, heads: LayerHeads) -> None:
        """Receiver of one layer: finite, the kernel as the plain reference, rows that sum to one, weights as the model's own."""
        for name, values in (("residual stream", heads.residual), ("attention output", heads.z), ("log-sum-exp", heads.lse)):
            _require_finite(values, name, heads.layer)
        pattern = _pattern(heads)
        where, fix = f"layer {heads.layer}", "choose a model with plain softmax attention"
        if _error(pattern.sum(-1), torch.ones(())) > _tolerance(heads):
            raise NumericRefusal("recomputed attention rows do not sum to one", where, "use another dtype or device")
        self._check_kernel(heads)
        own = self._patterns[heads.layer]
        # Eager attention rounds half-precision scores, so there its weights are no reference.
        if heads.q.dtype in _TOLERANCE and _error(pattern, own.to(pattern.device)) > _DRIFT:
            raise ModelRefusal("attention is not as the model's own", where, fix)
        self._heads = heads

    def check_written(self, attention: nn.Module, _args: object, output: tuple[Tensor, None]) -> None:
        """Forward hook of the attention: heads' outputs and the output bias add up to what the layer writes."""
        heads = self._heads
        if heads is None:
            raise ModelRefusal("attention ran outside its layer", type(attention).__name__, "choose a model of a listed family")
        block = self._blocks[heads.layer]
        working = torch.promote_types(heads.z.dtype, torch.float32)
        parts = torch.einsum("bhqd,hdm->bqm", heads.z.to(working), self._family.output_projection(block).to(working))
        if _error(parts + self._family.output_bias(block).to(working), output[0].to(working)) > _tolerance(heads):
            raise ModelRefusal(
                "heads' outputs do not add up to the layer's output", f"layer {heads.layer}", "choose a model of a listed family"
            )

    def _check_kernel(self, heads: LayerHeads) -> None:
        self.kernel = kernels.choose(heads.q.device.type, heads.q.dtype, heads.q.shape[-1]).name
        z, lse = kernels.blockwise(heads.q, heads.k, heads.v, heads.scale)
        _require_finite(heads.key_means, "second attention pass", heads.layer)
        # Keys and positions apart: a position is a hundred times as large.
        (keys, positions), (plain_keys, plain_positions) = (
            means.tensor_split([heads.q.shape[-1]], -1) for means in (heads.key_means, heads.second_pass(kernels.blockwise))
        )
        first = max(_error(heads.lse, lse), _error(heads.z, z))
        second = max(_error(keys, plain_keys), _error(positions, plain_positions))
        if max(first, second) > _tolerance(heads):
            kernel = self.kernel if first > _tolerance(heads) else "the second attention pass"
            what = f"{kernel} on {heads.q.device.type} disagrees with its plain reference"
            raise NumericRefusal(what, f"layer {heads.layer}", "use another dtype or device")


def _pattern(heads: LayerHeads) -> Pattern:
    """Attention weights of the first window's first positions, recomputed from the log-sum-exp as the measures do."""
    q, k = heads.q[0, :, :PATTERN].double(), heads.k[0, :, :PATTERN].double()
    k = k.repeat_interleave(q.shape[0] // k.shape[0], 0)
    return (heads.scale * q @ k.mT - heads.lse[0, :, :PATTERN, None].double()).exp().tril()


def _tolerance(heads: LayerHeads) -> float:
    return _TOLERANCE.get(heads.q.dtype, _HALF_TOLERANCE)


def _error(values: Float[Tensor, "..."], reference: Float[Tensor, "..."]) -> float:
    """Greatest difference, relative to the greatest value of the reference."""
    return float((values - reference).abs().max() / reference.abs().max().clamp(min=torch.finfo(reference.dtype).tiny))


def _require_finite(values: Float[Tensor, "..."], name: str, layer: int) -> None:
    if not values.isfinite().all():
        raise NumericRefusal(f"{name} is not finite", f"layer {layer}", "check the weights for NaN and infinity, or use another dtype")
