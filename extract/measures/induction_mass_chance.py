"""Chance level of induction_mass: the number of such positions over i + 1. Share in [0, 1]. The same for all heads."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

MEASURE = Measure(
    id="induction_mass_chance",
    title="Chance level of attention on what followed earlier copies of the token",
    unit="share",
    low=0.0,
    high=1.0,
    definition="What a head with uniform attention would pay to what followed earlier copies of the token; the first token of a window"
    " is left out.",
    source="This project: the same queries, uniform attention over all keys that they see.",
    chance_of="induction_mass",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """Such positions over the positions that the query sees."""
    counts = heads.tokens.after_same.counts(heads.scoring.window)[:, 1:]
    return heads.uniform(counts)
