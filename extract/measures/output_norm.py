"""Output norm: ‖õ_i‖, õ_i = Σ_j p_ij ṽ_j W̃_O^h. A norm ≥ 0 in the units of the residual stream.

ṽ is the value without its constant part, W̃ is centred where the stream feeds LayerNorms. Leaves out query 0 and the projection's bias."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import MAX, Measure

MEASURE = Measure(
    id="output_norm",
    title="Output norm",
    unit="1",
    low=0.0,
    high=MAX,
    definition="Norm of what the head writes into the residual stream, its constant part folded out, centred where the stream feeds "
    "LayerNorms; the first token of a window is left out.",
    source="Head output norms as in Sandoval-Segura et al., arXiv 2504.03889; biases folded out, centred.",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """‖õ_i‖ per scored query."""
    return heads.output_norm
