"""Llama and models of its layout: RMSNorm, rotary positions, a matrix for each projection, keys and values shared by heads."""

from contextlib import AbstractContextManager
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from extract.families import HeadShape, Measuring, PostNorm

MODEL_TYPES = ("llama", "arcee", "helium", "seed_oss")
CENTRED = False
OPTIONS: tuple[str, ...] = ()


def shape(config: PreTrainedConfig) -> HeadShape:
    """Sizes of a configuration; `head_dim` may be given apart from the width."""
    heads = config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    kv_heads = config.num_key_value_heads
    return HeadShape(config.num_hidden_layers, heads, kv_heads, head_dim, config.hidden_size, config.max_position_embeddings)


def unmeasurable(config: PreTrainedConfig) -> str | None:
    """Nothing beyond what no family may have."""
    return None


def blocks(model: PreTrainedModel) -> list[nn.Module]:
    """The layers, in order."""
    return list(cast(nn.ModuleList, model.base_model.layers))


def attention(block: nn.Module) -> nn.Module:
    """The module that calls the attention function."""
    return cast(nn.Module, block.self_attn)


def attending(attention: nn.Module, measure: Measuring) -> AbstractContextManager[None] | None:
    """Through transformers' own attention interface."""
    return None


def mended(attention: nn.Module) -> AbstractContextManager[None] | None:
    """Eager attention is what the model computes."""
    return None


def attention_norm(block: nn.Module) -> nn.Module | None:
    """The norm whose output the attention reads."""
    return cast(nn.Module, block.input_layernorm)


def norm_weight(block: nn.Module) -> Float[Tensor, " d_model"]:
    """The norm's weight, as it multiplies."""
    return cast(Tensor, cast(nn.Module, block.input_layernorm).weight)


def norm_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """RMSNorm adds none."""
    projection = cast(nn.Linear, attention(block).v_proj)
    return projection.weight.new_zeros(projection.in_features)


def embedding_norm_weight(model: PreTrainedModel) -> Float[Tensor, " d_model"] | None:
    """The embedding enters the stream as it is."""
    return None


def final_norm_weight(model: PreTrainedModel) -> Float[Tensor, " d_model"]:
    """The weight of the norm before the unembedding, as it multiplies."""
    return cast(Tensor, cast(nn.Module, model.base_model.norm).weight)


def value_projection(block: nn.Module) -> Float[Tensor, "kv_head d_model head_dim"]:
    """The rows of a key-value head are its slice."""
    return values_of_heads(cast(nn.Linear, attention(block).v_proj), head_dim_of(attention(block)))


def value_projection_bias(block: nn.Module) -> Float[Tensor, "kv_head head_dim"]:
    """The value projection's bias, zero where there is none."""
    return bias_of(cast(nn.Linear, attention(block).v_proj)).view(-1, head_dim_of(attention(block)))


def output_module(block: nn.Module) -> nn.Linear:
    """The module that sums what the heads write."""
    return cast(nn.Linear, attention(block).o_proj)


def output_projection(block: nn.Module) -> Float[Tensor, "head head_dim d_model"]:
    """The columns of head h are its slice."""
    return columns_of_heads(output_module(block), head_dim_of(attention(block)))


def output_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """The output projection's bias, zero where there is none."""
    return bias_of(output_module(block))


def post_norm(block: nn.Module) -> PostNorm | None:
    """What the attention writes joins the stream as it is."""
    return None


def head_dim_of(attention: nn.Module) -> int:
    """Numbers per head."""
    return cast(int, attention.head_dim)


def bias_of(projection: nn.Linear) -> Float[Tensor, " out"]:
    """A projection's bias, zero where there is none."""
    return projection.weight.new_zeros(projection.out_features) if projection.bias is None else projection.bias


def values_of_heads(projection: nn.Linear, head_dim: int) -> Float[Tensor, "kv_head d_model head_dim"]:
    """A value projection by head: Linear keeps its weight as [out, in]."""
    return projection.weight.view(-1, head_dim, projection.in_features).mT


def columns_of_heads(projection: nn.Linear, head_dim: int) -> Float[Tensor, "head head_dim d_model"]:
    """An output projection by head: Linear keeps its weight as [out, in]."""
    return projection.weight.T.view(-1, head_dim, projection.out_features)
