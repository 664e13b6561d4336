"""Nemotron: Llama's projections behind a LayerNorm that multiplies by one more than its weight, partial rotary positions."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from extract.families.gemma import final_norm_weight, norm_weight
from extract.families.llama import (
    attending,
    attention,
    attention_norm,
    blocks,
    embedding_norm_weight,
    mended,
    output_bias,
    output_module,
    output_projection,
    post_norm,
    shape,
    unmeasurable,
    value_projection,
    value_projection_bias,
)

MODEL_TYPES = ("nemotron",)
CENTRED = True
OPTIONS: tuple[str, ...] = ()


def norm_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """LayerNorm's bias."""
    return cast(nn.LayerNorm, block.input_layernorm).bias
