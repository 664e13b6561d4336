"""Induction mass: Σ p_ij over j ≤ i − 1 whose predecessor is the same token as i. Share in [0, 1]. Leaves out query 0.

An immediate repeat, whose successor is the query itself, is not induction. On natural text content confounds it: a head may look there for
another reason."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

MEASURE = Measure(
    id="induction_mass",
    title="Attention on what followed earlier copies of the token",
    unit="share",
    low=0.0,
    high=1.0,
    definition="Attention that a token pays to earlier positions that come right after a position with the same token; the first token"
    " of a window is left out.",
    source="Induction heads as in Olsson et al., In-context Learning and Induction Heads, arXiv 2209.11895; here on natural text.",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """Σ p_ij over the positions that followed earlier copies, per scored query."""
    return heads.after_same_token_mass
