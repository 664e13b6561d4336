"""Previous-token mass: p_{i,i−1} for i ≥ 2. Share in [0, 1]. Leaves out queries 0 and 1: before query 1 stands only the sink."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

MEASURE = Measure(
    id="previous_token_mass",
    title="Attention on the previous token",
    unit="share",
    low=0.0,
    high=1.0,
    definition="Attention that a token pays to the token before it; the first two tokens of a window are left out.",
    source="Previous-token heads as in Elhage et al., A Mathematical Framework for Transformer Circuits (2021).",
    position_low=2,
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """p_{i,i−1} per query from 2 on."""
    return heads.previous_key_mass
