"""Sink mass: p_i0, the attention on the window's first position. Share in [0, 1]. Source: arXiv 2410.10781. Leaves out query 0."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

MEASURE = Measure(
    id="sink_mass",
    title="Attention on the first position",
    unit="share",
    low=0.0,
    high=1.0,
    definition="Attention that a token pays to the first position of its window; the first token itself is left out.",
    source="Gu et al., arXiv 2410.10781.",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """p_i0 per scored query."""
    return heads.first_key_mass
