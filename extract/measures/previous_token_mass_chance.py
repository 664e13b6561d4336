"""Chance level of previous_token_mass: 1 / (i + 1) for i ≥ 2, what a uniform head pays the token before.

Share in [0, 1]. The same for all heads."""

import torch
from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import previous_token_mass

MEASURE = previous_token_mass.MEASURE.chance()


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """1 / (i + 1) per query from 2 on."""
    return MEASURE.pick(heads.uniform(torch.ones_like(heads.visible)[None]))
