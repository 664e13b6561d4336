"""Activation without the loudest head: ‖õ_i‖ over the mean that leaves out the head with the largest mean norm in that window.

≥ 0, without a unit, binned; in % at a threshold. A check on activation_pct, whose mean one loud head can raise for its whole layer. A layer
of one head keeps that head's own mean. Leaves out query 0."""

import torch
from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads, relative
from extract.measures import Measure

MEASURE = Measure(
    id="activation_pct_without_loudest",
    title="Activation, the layer's loudest head left out of the mean",
    unit="%",
    low=0.0,
    high=100.0,
    definition="As activation, but the mean over the layer leaves out the head that writes most in that window; the first token of a "
    "window is left out.",
    source="This project: a check on activation_pct.",
    histogram_kind="relative_norm_without_loudest",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """‖õ_i‖ over the mean of the other heads, per scored query."""
    per_head = heads.output_norm.mean(-1, dtype=torch.float64)
    if per_head.shape[1] == 1:
        return heads.relative_norm
    others = (per_head.sum(1) - per_head.amax(1)) / (per_head.shape[1] - 1)
    return relative(heads.output_norm, others)
