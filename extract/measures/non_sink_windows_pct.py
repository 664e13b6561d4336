"""Non-sink windows: 100 where the window's mean of p_i0 over its scored queries is ≤ 0.3, else 0. In %. Source: arXiv 2410.10781.

Their own variant scores query 0 as well, which always attends to itself alone; here it is left out."""

import torch
from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

SINK_ABOVE = 0.3

MEASURE = Measure(
    id="non_sink_windows_pct",
    title="Windows not dominated by the first position",
    unit="%",
    low=0.0,
    high=100.0,
    definition="Percentage of windows in which the head's mean attention on the first position is at most 0.3; the first token is left"
    " out of the mean.",
    source="Threshold of Gu et al., arXiv 2410.10781; they score the first token as well.",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """0 or 100, one value per window."""
    mean = heads.first_key_mass.mean(-1, keepdim=True, dtype=torch.float64)
    return 100.0 * (mean <= SINK_ABOVE).double()
