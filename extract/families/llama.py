"""Llama and models of its layout, SmolLM among them: RMSNorm without a bias, rotary positions, keys and values shared by heads."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from extract.families import HeadShape

MODEL_TYPES = ("llama",)
CENTRED = False


def shape(config: PreTrainedConfig) -> HeadShape:
    """Sizes of a Llama configuration; `head_dim` may be given apart from the width."""
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


def value_bias(block: nn.Module) -> Float[Tensor, "kv_head head_dim"]:
    """The value projection's bias where the configuration has `attention_bias`; RMSNorm adds none."""
    projection = cast(nn.Linear, attention(block).v_proj)
    bias = projection.weight.new_zeros(projection.out_features) if projection.bias is None else projection.bias
    return bias.view(-1, _head_dim(block))


def output_projection(block: nn.Module) -> Float[Tensor, "head head_dim d_model"]:
    """Linear keeps its weight as [out, in]: the columns of head h are its slice."""
    weight = cast(nn.Linear, attention(block).o_proj).weight
    return weight.T.view(-1, _head_dim(block), weight.shape[0])


def output_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """The output projection's bias, zero where there is none."""
    projection = cast(nn.Linear, attention(block).o_proj)
    return projection.weight.new_zeros(projection.out_features) if projection.bias is None else projection.bias


def _head_dim(block: nn.Module) -> int:
    return cast(int, attention(block).head_dim)
