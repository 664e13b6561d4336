"""Phi 3: Llama's layout with one fused projection, its rows in the order queries, keys, values; a sliding window in some sizes."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from extract.families import llama
from extract.families.llama import attention, head_dim_of

LIKE = llama
MODEL_TYPES = ("phi3",)
OPTIONS = ("sliding_window",)


def norm_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """RMSNorm adds none."""
    fused = _fused(block)
    return fused.weight.new_zeros(fused.in_features)


def value_projection(block: nn.Module) -> Float[Tensor, "kv_head d_model head_dim"]:
    """The last rows of the fused projection."""
    fused, rows = _fused(block), _kv_heads(block) * head_dim_of(attention(block))
    return fused.weight[-rows:].view(_kv_heads(block), -1, fused.in_features).mT


def value_projection_bias(block: nn.Module) -> Float[Tensor, "kv_head head_dim"]:
    """There is none."""
    return _fused(block).weight.new_zeros(_kv_heads(block), head_dim_of(attention(block)))


def _fused(block: nn.Module) -> nn.Linear:
    return cast(nn.Linear, attention(block).qkv_proj)


def _kv_heads(block: nn.Module) -> int:
    return cast(int, attention(block).num_key_value_heads)
