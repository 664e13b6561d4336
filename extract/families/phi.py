"""Phi: attention and MLP side by side behind one LayerNorm, a matrix for each projection with a bias, partial rotary positions."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from extract.families import llama
from extract.families.gpt_neox import norm_bias as norm_bias
from extract.families.gpt_neox import norm_weight as norm_weight
from extract.families.llama import attention, bias_of, columns_of_heads, head_dim_of

LIKE = llama
MODEL_TYPES = ("phi",)
CENTRED = True


def final_norm_weight(model: PreTrainedModel) -> Float[Tensor, " d_model"]:
    """The weight of the norm before the unembedding."""
    return cast(nn.LayerNorm, model.base_model.final_layernorm).weight


def output_module(block: nn.Module) -> nn.Linear:
    """The module that sums what the heads write."""
    return cast(nn.Linear, attention(block).dense)


def output_projection(block: nn.Module) -> Float[Tensor, "head head_dim d_model"]:
    """The columns of head h are its slice."""
    return columns_of_heads(output_module(block), head_dim_of(attention(block)))


def output_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """The output projection's bias."""
    return bias_of(output_module(block))
