"""Chance level of previous_token_mass: 1 / (i + 1) for i ≥ 2, what a uniform head pays the token before.

Share in [0, 1]. The same for all heads."""

import torch
from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

MEASURE = Measure(
    id="previous_token_mass_chance",
    title="Chance level of attention on the previous token",
    unit="share",
    low=0.0,
    high=1.0,
    definition="What a head with uniform attention would pay to the token before; the first two tokens of a window are left out.",
    source="This project: the same queries, uniform attention over all keys that they see.",
    position_low=2,
    chance_of="previous_token_mass",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """1 / (i + 1) per query from 2 on."""
    return heads.uniform(torch.ones_like(heads.visible)[None])[..., 1:]
