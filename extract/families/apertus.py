"""Apertus: Llama's projections, norms on queries and keys; its norms have other names."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from extract.families import llama

LIKE = llama
MODEL_TYPES = ("apertus",)


def attention_norm(block: nn.Module) -> nn.Module:
    """The norm whose output the attention reads."""
    return cast(nn.Module, block.attention_layernorm)


def norm_weight(block: nn.Module) -> Float[Tensor, " d_model"]:
    """Its weight."""
    return cast(Tensor, attention_norm(block).weight)
