"""OPT: LayerNorm before attention, a matrix for each projection with a bias, learned positions; queries arrive scaled."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from extract.families import llama
from extract.families.gpt_neox import shape as shape
from extract.families.llama import attention, bias_of, columns_of_heads, head_dim_of

LIKE = llama
MODEL_TYPES = ("opt",)
CENTRED = True


def unmeasurable(config: PreTrainedConfig) -> str | None:
    """The layout of the 350M model: its norms stand after the addition, so a head's output never stands in the stream as it was written."""
    if not config.do_layer_norm_before:
        return "do_layer_norm_before = False (norms after each addition)"
    if config.word_embed_proj_dim != config.hidden_size:
        return f"word_embed_proj_dim = {config.word_embed_proj_dim} beside hidden_size = {config.hidden_size}"
    return None


def blocks(model: PreTrainedModel) -> list[nn.Module]:
    """The layers, in order."""
    return list(cast(nn.ModuleList, _decoder(model).layers))


def attention_norm(block: nn.Module) -> nn.LayerNorm:
    """The norm whose output the attention reads."""
    return cast(nn.LayerNorm, block.self_attn_layer_norm)


def norm_weight(block: nn.Module) -> Float[Tensor, " d_model"]:
    """LayerNorm's weight, one where it has none."""
    return _or(attention_norm(block).weight, block, 1.0)


def norm_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """LayerNorm's bias, zero where it has none."""
    return _or(attention_norm(block).bias, block, 0.0)


def final_norm_weight(model: PreTrainedModel) -> Float[Tensor, " d_model"]:
    """The weight of the norm before the unembedding, one where there is no norm or it has none."""
    norm = cast(nn.LayerNorm | None, _decoder(model).final_layer_norm)
    return _or(None if norm is None else norm.weight, blocks(model)[0], 1.0)


def output_module(block: nn.Module) -> nn.Linear:
    """The module that sums what the heads write."""
    return cast(nn.Linear, attention(block).out_proj)


def output_projection(block: nn.Module) -> Float[Tensor, "head head_dim d_model"]:
    """The columns of head h are its slice."""
    return columns_of_heads(output_module(block), head_dim_of(attention(block)))


def output_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """The output projection's bias, zero where there is none."""
    return bias_of(output_module(block))


def _or(parameter: Float[Tensor, " d_model"] | None, block: nn.Module, constant: float) -> Float[Tensor, " d_model"]:
    projection = output_module(block)
    return projection.weight.new_full([projection.out_features], constant) if parameter is None else parameter


def _decoder(model: PreTrainedModel) -> nn.Module:
    return cast(nn.Module, model.base_model.decoder)
