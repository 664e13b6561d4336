"""Local mass: Σ p_ij over the eight tokens before query i and i itself. Share in [0, 1]. Leaves out query 0."""

import torch
from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

NEAR = 8

MEASURE = Measure(
    id="local_mass",
    title="Attention on the token and the eight before it",
    unit="share",
    low=0.0,
    high=1.0,
    definition="Attention that a token pays to itself and to the eight tokens before it; the first token of a window is left out.",
    source="Local heads as in Voita et al., arXiv 1905.09418, with a window of fixed width.",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """Σ p_ij over i − 8 ≤ j ≤ i per scored query."""
    parts = []
    for first_query, p in heads.attention_blocks():
        # Rows begin at first_query and columns at key 0: what lies below this diagonal is farther back than eight tokens.
        parts.append(p.triu(first_query - NEAR).sum(-1))
    return torch.cat(parts, -1)[..., 1:].clamp(max=1)
