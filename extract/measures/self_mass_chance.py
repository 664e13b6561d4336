"""Chance level of self_mass: 1 / (i + 1), what a uniform head pays the token itself. Share in [0, 1]. The same for all heads."""

import torch
from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

MEASURE = Measure(
    id="self_mass_chance",
    title="Chance level of attention on itself",
    unit="share",
    low=0.0,
    high=1.0,
    definition="What a head with uniform attention would pay to the token itself; the first token of a window is left out.",
    source="This project: the same queries, uniform attention over all keys that they see.",
    chance_of="self_mass",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """1 / (i + 1) per scored query."""
    return heads.uniform(torch.ones_like(heads.visible)[None])
