"""Deviation activation: activation of ‖õ_i − mean õ‖, over its mean over the layer's heads and the window's scored tokens.

≥ 0, without a unit, binned; in % at a threshold. The means come from held-out windows of the same text. A head that writes the same vector
at every token is always active by activation_pct and never by this. Leaves out query 0 and any comparison between layers."""

import torch
from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads, relative
from extract.measures import Measure

MEASURE = Measure(
    id="deviation_activation_pct",
    title="Activation beyond the head's mean",
    unit="%",
    low=0.0,
    high=100.0,
    definition="Percentage of tokens on which what the head writes differs from what it writes on average by at least a threshold "
    "times the mean of such differences over its layer's heads and the window's tokens; averages come from held-out "
    "windows, and the first token of a window is left out.",
    source="This project: companion of activation_pct that a constant output does not count for.",
    histogram_kind="relative_deviation",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """Deviation over the layer's mean deviation, per scored query."""
    norm = heads.deviation_norm
    return relative(norm, norm.mean((1, 2), dtype=torch.float64))
