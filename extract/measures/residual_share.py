"""Residual share: ‖õ_i‖ / ‖x_i‖, x_i the residual stream that enters the layer. A ratio ≥ 0, without a unit. Leaves out query 0."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import MAX, Measure

MEASURE = Measure(
    id="residual_share",
    title="Residual share",
    unit="1",
    low=0.0,
    high=MAX,
    definition="Norm of what the head writes, its constant part folded out, divided by the norm of the residual stream that enters the"
    " layer; both are centred where the stream feeds LayerNorms, and the first token of a window is left out.",
    source="This project: head output norms relative to the stream they join.",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """‖õ_i‖ / ‖x_i‖ per scored query."""
    return heads.residual_share
