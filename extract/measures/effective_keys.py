"""Effective keys: 1 / Σ_j p_ij². In keys, ≥ 1: how many equally attended keys would give the same sum. Leaves out query 0."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import MAX, Measure

MEASURE = Measure(
    id="effective_keys",
    title="Effective number of keys",
    unit="keys",
    low=1.0,
    high=MAX,
    definition="One over the sum of a token's squared attention: the number of positions it would attend to if it attended to each "
    "alike; the first token of a window is left out.",
    source="Inverse participation ratio (Hill number of order two) of the attention row.",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """1 / Σ p² per scored query."""
    return heads.sum_of_squares.reciprocal().clamp(min=1)
