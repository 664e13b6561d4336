"""Nemotron: Llama's projections behind a LayerNorm that multiplies by one more than its weight, partial rotary positions."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from extract.families import llama
from extract.families.gemma import final_norm_weight as final_norm_weight
from extract.families.gemma import norm_weight as norm_weight

LIKE = llama
MODEL_TYPES = ("nemotron",)
CENTRED = True


def norm_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """LayerNorm's bias."""
    return cast(nn.LayerNorm, block.input_layernorm).bias
