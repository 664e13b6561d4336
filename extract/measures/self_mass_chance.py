"""Chance level of self_mass: 1 / (i + 1), what a uniform head pays the token itself. Share in [0, 1]. The same for all heads."""

import torch
from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import self_mass

MEASURE = self_mass.MEASURE.chance()


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """1 / (i + 1) per scored query."""
    return heads.uniform(torch.ones_like(heads.visible)[None])
