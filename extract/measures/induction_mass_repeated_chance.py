"""Chance level of induction_mass_repeated: the number of such positions over i + 1. Share in [0, 1]. The same for all heads."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import induction_mass_repeated

MEASURE = induction_mass_repeated.MEASURE.chance()


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """Such positions over the positions that the query sees."""
    counts = heads.tokens.after_same.counts(heads.scoring.window)[:, 1:]
    return heads.uniform(counts)[..., heads.tokens.first_repeat - 1 :]
