"""Chance level of sink_mass: 1 / (i + 1), what a uniform head pays the first position. Share in [0, 1]. The same for all heads."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import sink_mass

MEASURE = sink_mass.MEASURE.chance()


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """1 / (i + 1) per scored query."""
    return heads.uniform(heads.sees_first)
