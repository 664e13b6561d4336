"""Self mass: p_ii. Share in [0, 1]. Leaves out query 0, which can only attend to itself."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

MEASURE = Measure(
    id="self_mass",
    title="Attention on the token itself",
    unit="share",
    low=0.0,
    high=1.0,
    definition="Attention that a token pays to itself; the first token of a window is left out.",
    source="This project: the diagonal of the attention pattern.",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """p_ii per scored query."""
    return heads.self_mass
