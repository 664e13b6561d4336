"""Mean distance: Σ_j p_ij (i − j). In tokens, ≥ 0. Leaves out query 0."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import MAX, Measure

MEASURE = Measure(
    id="mean_distance",
    title="Mean attention distance",
    unit="tokens",
    low=0.0,
    high=MAX,
    definition="How many tokens back a token attends, averaged with its attention as weights; the first token of a window is left out.",
    source="Mean attention distance as in Vig and Belinkov, arXiv 1906.04284.",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """Mean distance per scored query."""
    return heads.mean_distance
