"""GPT-NeoX and Pythia: one fused projection, its rows in the order head, then query, key and value; LayerNorm, rotary positions."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from extract.families import HeadShape, llama
from extract.families.gpt_neo import unmeasurable as unmeasurable
from extract.families.llama import bias_of, columns_of_heads

LIKE = llama
MODEL_TYPES = ("gpt_neox",)
CENTRED = True


def shape(config: PreTrainedConfig) -> HeadShape:
    """Sizes of a configuration; every query head has its own key-value head."""
    heads, width = config.num_attention_heads, config.hidden_size
    return HeadShape(config.num_hidden_layers, heads, heads, width // heads, width, config.max_position_embeddings)


def attention(block: nn.Module) -> nn.Module:
    """The module that calls the attention function."""
    return cast(nn.Module, block.attention)


def norm_weight(block: nn.Module) -> Float[Tensor, " d_model"]:
    """LayerNorm's weight."""
    return cast(nn.LayerNorm, block.input_layernorm).weight


def norm_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """LayerNorm's bias."""
    return cast(nn.LayerNorm, block.input_layernorm).bias


def final_norm_weight(model: PreTrainedModel) -> Float[Tensor, " d_model"]:
    """The weight of the norm before the unembedding."""
    return cast(nn.LayerNorm, model.base_model.final_layer_norm).weight


def value_projection(block: nn.Module) -> Float[Tensor, "kv_head d_model head_dim"]:
    """The last third of each head's rows."""
    fused, heads = _fused(block)
    return fused.weight.view(heads, 3, -1, fused.in_features)[:, 2].mT


def value_projection_bias(block: nn.Module) -> Float[Tensor, "kv_head head_dim"]:
    """The last third of each head's biases, zero where there are none."""
    fused, heads = _fused(block)
    return bias_of(fused).view(heads, 3, -1)[:, 2]


def output_module(block: nn.Module) -> nn.Linear:
    """The module that sums what the heads write."""
    return cast(nn.Linear, attention(block).dense)


def output_projection(block: nn.Module) -> Float[Tensor, "head head_dim d_model"]:
    """The columns of head h are its slice."""
    return columns_of_heads(output_module(block), cast(int, attention(block).head_size))


def output_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """The output projection's bias, zero where there is none."""
    return bias_of(output_module(block))


def _fused(block: nn.Module) -> tuple[nn.Linear, int]:
    fused = cast(nn.Linear, attention(block).query_key_value)
    return fused, fused.in_features // cast(int, attention(block).head_size)
