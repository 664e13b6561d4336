"""Activation by position: r_i of activation_pct at queries 64 … 255: still relative to the mean over all of the window.

In %. Leaves out every other query."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import activation_pct

MEASURE = activation_pct.MEASURE.between(64, 256)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """r per query of those positions."""
    return MEASURE.pick(heads.relative_norm)
