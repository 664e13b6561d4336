"""Start-up probes: the checks that a model must pass on one window before any of its numbers is stored."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from extract.errors import ModelRefusal, NumericRefusal
from extract.families import Family, HeadShape
from extract.layer_heads import LayerHeads
from extract.placement import materialised

PATTERN = 64
"""Positions of the window on which whole attention patterns are compared."""

ROWS = 16
"""Rows of attention, spread over the whole window, that are worked out one by one."""

Pattern = Float[Tensor, "head query key"]

# Largest error allowed, relative to the greatest value; half-precision kernels round their outputs and exponentials.
_TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-5}
_HALF_TOLERANCE = 2e-2
# Two implementations drift apart over the layers; a wrong mask or scale is off by far more.
_DRIFT, _HALF_DRIFT = 1e-2, 2.5e-1
_STREAM_DRIFT = {torch.float64: 1e-6, torch.float32: 1e-2}
_HALF_STREAM_DRIFT = 2e-1


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
        if not _error(pattern.double().sum(-1), torch.ones(())) <= _HALF_TOLERANCE:
            raise ModelRefusal("attention rows do not sum to one", f"layer {layer}", "choose a model with plain softmax attention")


class LayerProbe:
    """Checks each layer of one measured forward as it passes."""

    def __init__(self, family: Family, blocks: list[nn.Module], patterns: list[Pattern]) -> None:
        self._family, self._blocks, self._patterns = family, blocks, patterns
        self._heads: LayerHeads | None = None

    def check_heads(self, heads: LayerHeads) -> None:
        """Receiver of one layer: finite, rows that sum to one, weights as the model's own."""
        for name, values in (("residual stream", heads.residual), ("attention output", heads.z), ("log-sum-exp", heads.lse)):
            _require_finite(values, name, heads.layer)
        pattern = _pattern(heads)
        where, fix = f"layer {heads.layer}", "choose a model with plain softmax attention"
        _check_rows(heads, where)
        own = self._patterns[heads.layer]
        # Eager attention rounds half-precision scores: there its weights only tell another mask or scale.
        if not _error(pattern, own.to(pattern.device)) <= (_DRIFT if heads.q.dtype in _TOLERANCE else _HALF_DRIFT):
            raise ModelRefusal("attention is not as the model's own", where, fix)
        self._heads = heads

    def check_written(self, output_module: nn.Module, _args: object, output: Float[Tensor, "batch query d_model"]) -> None:
        """Forward hook of the output projection: heads' outputs and the output bias add up to what it gives."""
        heads = self._heads
        if heads is None:
            raise ModelRefusal("attention ran outside its layer", type(output_module).__name__, "choose a model of a listed family")
        block = self._blocks[heads.layer]
        working = torch.promote_types(heads.z.dtype, torch.float32)
        with materialised(block):
            parts = torch.einsum("bhqd,hdm->bqm", heads.z.to(working), self._family.output_projection(block).to(working))
            parts += self._family.output_bias(block).to(working)
        if not _error(parts, output.to(working)) <= _tolerance(heads.q.dtype):
            raise ModelRefusal(
                "heads' outputs do not add up to the layer's output", f"layer {heads.layer}", "choose a model of a listed family"
            )


def _check_rows(heads: LayerHeads, where: str) -> None:
    """Some rows over the whole window, each recomputed on its own from the log-sum-exp: they sum to one, and hold what the blocks said."""
    tolerance = _row_tolerance(heads)
    count, window = heads.q.shape[1], heads.q.shape[2]
    query = torch.linspace(0, window - 1, min(ROWS, window), device=heads.q.device).round().long()
    head = torch.arange(count, device=heads.q.device).repeat_interleave(len(query))
    p = heads.attention_of(torch.zeros_like(head), head, query.repeat(count)).double().view(count, -1, window)
    if not _error(p.sum(-1), torch.ones(())) <= tolerance:
        raise NumericRefusal("recomputed attention rows do not sum to one", where, "use another dtype or device")
    rows, values = heads.rows, heads.v[0].double().repeat_interleave(count // heads.v.shape[1], 0)
    offset = query[:, None] - torch.arange(window, device=query.device)
    same = (heads.tokens.tokens[0, query][:, None] == heads.tokens.tokens[0]) & (offset > 0)
    after_same = F.pad(same, (1, -1)) & (offset > 0)
    plain = {
        "z": (p @ values, values.abs().amax().item()),
        "entropy": (-torch.xlogy(p, p).sum(-1), 1.0),
        "squares": (p.square().sum(-1), p.square().sum(-1)),
        "distance": ((p * offset).sum(-1), float(window)),
        "first": (p[..., 0], 1.0),
        **{name: ((p * keys).sum(-1), 1.0) for name, keys in (("own", offset == 0), ("previous", offset == 1))},
        **{name: ((p * keys).sum(-1), 1.0) for name, keys in (("same", same), ("after_same", after_same))},
    }
    for name, (expected, scale) in plain.items():
        error = (getattr(rows, name)[0][:, query] - expected).abs() / torch.as_tensor(scale, device=p.device).clamp(min=1e-30)
        if not float(error.max()) <= tolerance:
            what = f"{name} of the rows of attention disagrees with its plain reference on {heads.q.device.type}"
            raise NumericRefusal(what, where, "use another dtype or device")


def check_stream(measured: Float[Tensor, "1 window d_model"] | None, own: Float[Tensor, "1 window d_model"]) -> None:
    """The measured forward ends where the model's own does, at every position of the window."""
    if not own.isfinite().all():
        raise NumericRefusal("the model's own last stream is not finite", "last layer", "check the weights, or use another dtype")
    allowed = _STREAM_DRIFT.get(own.dtype, _HALF_STREAM_DRIFT)
    # Position by position: one number of the stream is often hundreds of times as large as all others.
    if measured is None or not float(_distance(measured.double(), own.double()).max()) <= allowed:
        what = "the measured forward does not end where the model's own does"
        raise ModelRefusal(what, "last layer", "use another dtype or device, or choose a model of a listed family")


def _pattern(heads: LayerHeads) -> Pattern:
    """Attention weights of the first window's first positions, recomputed from the log-sum-exp."""
    count = min(PATTERN, heads.q.shape[2])
    query = torch.arange(count, device=heads.q.device).repeat(heads.q.shape[1])
    head = torch.arange(heads.q.shape[1], device=heads.q.device).repeat_interleave(count)
    return heads.attention_of(torch.zeros_like(head), head, query)[:, :count].view(-1, count, count).double()


def _distance(values: Float[Tensor, "1 window d_model"], reference: Float[Tensor, "1 window d_model"]) -> Float[Tensor, "1 window"]:
    """Length of the difference at each position, relative to the reference's."""
    difference = torch.linalg.vector_norm(values - reference, dim=-1)
    return torch.div(difference, torch.linalg.vector_norm(reference, dim=-1).clamp(min=torch.finfo(reference.dtype).tiny))


def _tolerance(dtype: torch.dtype) -> float:
    return _TOLERANCE.get(dtype, _HALF_TOLERANCE)


def _row_tolerance(heads: LayerHeads) -> float:
    """A weight is known no better than its score: float32 has a score of 300 to 3e-5, and the errors measured are up to twice that."""
    norms = (torch.linalg.vector_norm(x, dim=-1).max().item() for x in (heads.q.to(heads.lse.dtype), heads.k.to(heads.lse.dtype)))
    known: float = 4 * torch.finfo(heads.lse.dtype).eps * abs(heads.scoring.scale) * math.prod(norms)
    return max(_tolerance(heads.lse.dtype), known)


def _error(values: Float[Tensor, "..."], reference: Float[Tensor, "..."]) -> float:
    """Greatest difference, relative to the greatest value of the reference."""
    return float((values - reference).abs().max() / reference.abs().max().clamp(min=torch.finfo(reference.dtype).tiny))


def _require_finite(values: Float[Tensor, "..."], name: str, layer: int) -> None:
    if not values.isfinite().all():
        raise NumericRefusal(f"{name} is not finite", f"layer {layer}", "check the weights for NaN and infinity, or use another dtype")
