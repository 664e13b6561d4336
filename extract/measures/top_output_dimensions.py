"""Top output dimensions: share of Σ_i ‖õ_i‖² that lies in the three dimensions of the stream where the head writes most in that window.

Share in [0, 1], one value per window; 0 where the head writes nothing. A check on activation_pct: a norm may be made by a few dimensions.
Measured on the held-out windows alone, since it costs as much as all other norms together. Leaves out query 0."""

import torch
from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import HELD_OUT, Measure

TOP = 3

MEASURE = Measure(
    id="top_output_dimensions",
    title="Share of the output in its top three dimensions",
    unit="share",
    low=0.0,
    high=1.0,
    definition="Share of the squared norm of what the head writes over a window that lies in the three dimensions of the residual "
    "stream where it is largest; the first token of a window is left out.",
    source="This project: a check on activation_pct; outlier dimensions as in Kovaleva et al., arXiv 2105.06990.",
    condition=HELD_OUT,
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """One share per window."""
    energy = heads.output_energy
    top = energy.topk(min(TOP, energy.shape[-1]), -1).values.sum(-1)
    total = energy.sum(-1)
    return (top / torch.where(total > 0, total, 1.0))[..., None]
