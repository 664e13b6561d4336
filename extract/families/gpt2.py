"""GPT-2: LayerNorm before attention, one fused projection for queries, keys and values, a bias everywhere, learned positions."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from extract.families import HeadShape, llama

LIKE = llama
MODEL_TYPES = ("gpt2",)
CENTRED = True


def shape(config: PreTrainedConfig) -> HeadShape:
    """Sizes of a GPT-2 configuration; every query head has its own key-value head."""
    heads = config.n_head
    return HeadShape(config.n_layer, heads, heads, config.n_embd // heads, config.n_embd, config.n_positions)


def unmeasurable(config: PreTrainedConfig) -> str | None:
    """Options that rescale the scores or work them out in another precision than the measuring function."""
    for option in ("scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn"):
        if getattr(config, option, False):
            return option
    return None


def blocks(model: PreTrainedModel) -> list[nn.Module]:
    """The layers, in order."""
    return list(cast(nn.ModuleList, model.base_model.h))


def attention(block: nn.Module) -> nn.Module:
    """The module that calls the attention function."""
    return cast(nn.Module, block.attn)


def attention_norm(block: nn.Module) -> nn.LayerNorm:
    """The norm whose output the attention reads."""
    return cast(nn.LayerNorm, block.ln_1)


def norm_weight(block: nn.Module) -> Float[Tensor, " d_model"]:
    """LayerNorm's weight."""
    return attention_norm(block).weight


def norm_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """LayerNorm's bias."""
    return attention_norm(block).bias


def final_norm_weight(model: PreTrainedModel) -> Float[Tensor, " d_model"]:
    """The weight of the norm before the unembedding."""
    return cast(nn.LayerNorm, model.base_model.ln_f).weight


def value_projection(block: nn.Module) -> Float[Tensor, "kv_head d_model head_dim"]:
    """Conv1D keeps its weight as [in, out]; the last third of the fused projection makes the values."""
    weight = cast(Tensor, _fused(block).weight)
    return weight.chunk(3, 1)[2].view(weight.shape[0], _heads(block), -1).transpose(0, 1)


def value_projection_bias(block: nn.Module) -> Float[Tensor, "kv_head head_dim"]:
    """The last third of the fused projection's bias."""
    return cast(Tensor, _fused(block).bias).chunk(3)[2].view(_heads(block), -1)


def output_module(block: nn.Module) -> nn.Module:
    """The module that sums what the heads write."""
    return cast(nn.Module, attention(block).c_proj)


def output_projection(block: nn.Module) -> Float[Tensor, "head head_dim d_model"]:
    """Conv1D keeps its weight as [in, out]: the rows of head h are its slice."""
    weight = cast(Tensor, output_module(block).weight)
    return weight.view(_heads(block), -1, weight.shape[1])


def output_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """The output projection's bias."""
    return cast(Tensor, output_module(block).bias)


def _fused(block: nn.Module) -> nn.Module:
    return cast(nn.Module, attention(block).c_attn)


def _heads(block: nn.Module) -> int:
    return cast(int, attention(block).num_heads)
