"""Duplicate-token mass: Σ p_ij over j < i with the same token as i. Share in [0, 1]. Leaves out query 0."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

MEASURE = Measure(
    id="duplicate_token_mass",
    title="Attention on earlier copies of the token",
    unit="share",
    low=0.0,
    high=1.0,
    definition="Attention that a token pays to earlier positions of its window that hold the same token; the first token of a window "
    "is left out.",
    source="Duplicate-token heads as in Wang et al., Interpretability in the Wild, arXiv 2211.00593; here on natural text.",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """Σ p_ij over earlier copies, per scored query."""
    return heads.same_token_mass
