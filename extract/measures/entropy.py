"""Entropy: −Σ_j p_ij ln p_ij / ln(keys that query i sees). Share in [0, 1] of the largest possible there.

Leaves out query 0."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

MEASURE = Measure(
    id="entropy",
    title="Entropy of attention",
    unit="share",
    low=0.0,
    high=1.0,
    definition="Entropy of a token's attention over itself and all earlier positions, as a share of the largest possible there; the "
    "first token of a window is left out.",
    source="Shannon entropy, normalised by the number of positions that can be attended to.",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """Normalised entropy per scored query."""
    # A query that sees one key alone has no choice, and so no entropy.
    return (heads.entropy / heads.visible.clamp(min=2).log()).clamp(max=1)
