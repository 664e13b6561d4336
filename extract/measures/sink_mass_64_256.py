"""Sink mass by position: p_i0 at queries 64 … 255. Share in [0, 1]. Leaves out every other query."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import sink_mass

MEASURE = sink_mass.MEASURE.between(64, 256)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """p_i0 per query of those positions."""
    return MEASURE.pick(heads.first_key_mass)
