"""Residual activation: ‖õ_i‖ / ‖x_i‖ ≥ a threshold, x_i the residual stream that enters the layer; the twin that compares over depth.

Share ≥ 0, without a unit, binned; the measure is the percentage of scored tokens at or above the threshold. Leaves out query 0 and the
constant part of the head's output; x keeps all it holds, centred where it feeds LayerNorms."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

MEASURE = Measure(
    id="residual_activation_pct",
    title="Residual activation",
    unit="%",
    low=0.0,
    high=100.0,
    definition="Percentage of tokens on which the norm of what the head writes, its constant part folded out, is at least a threshold "
    "times the norm of the residual stream that enters the layer; the first token of a window is left out.",
    source="This project: the depth-comparable twin of activation.",
    histogram_kind="residual_share",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """‖õ_i‖ / ‖x_i‖ per scored query."""
    return heads.residual_share
