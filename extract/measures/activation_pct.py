"""Activation: r_i = ‖õ_i‖ / mean of ‖õ‖ over the layer's heads and the window's scored tokens; active where r_i ≥ a figure's threshold.

r ≥ 0, without a unit, binned; the measure is the percentage of scored tokens at or above the threshold. Source: arXiv 2504.03889, applied
at every query. Leaves out query 0, the constant part of the head's output, and any comparison between layers: r averages 1 in each."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

MEASURE = Measure(
    id="activation_pct",
    title="Activation",
    unit="%",
    low=0.0,
    high=100.0,
    definition="Percentage of tokens on which the norm of what the head writes, its constant part folded out, is at least a threshold "
    "times the mean over its layer's heads and the window's tokens; the first token of a window is left out.",
    source="Head output norms as in Sandoval-Segura et al., arXiv 2504.03889; here at every token, biases folded out, centred.",
    histogram_kind="relative_norm",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """r per scored query."""
    return heads.relative_norm
