"""Attention on what followed earlier copies, on seeded repeated random tokens: Σ p_ij over j ≤ i − 1 whose predecessor is the same token as
i. Share in [0, 1]. Leaves out the start token and the first copy: only queries of the second and later copies are scored."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import REPEATED, Measure

MEASURE = Measure(
    id="induction_mass_repeated",
    title="Attention on what followed earlier copies, repeated random tokens",
    unit="share",
    low=0.0,
    high=1.0,
    definition="Attention that a token of the second or a later copy of a piece of random tokens pays to earlier positions that come "
    "right after a position with the same token; the start token and the first copy are left out.",
    source="Induction heads as in Olsson et al., arXiv 2209.11895, on repeated random tokens.",
    condition=REPEATED,
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """Σ p_ij per query of the second and later copies."""
    return heads.after_same_token_mass[..., heads.tokens.first_repeat - 1 :]
