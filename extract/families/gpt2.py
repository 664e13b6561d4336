"""GPT-2: LayerNorm before attention, one fused projection for queries, keys and values, a bias everywhere, learned positions."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from extract.families import HeadShape

MODEL_TYPES = ("gpt2",)
CENTRED = True


def shape(config: PreTrainedConfig) -> HeadShape:
    """Sizes of a GPT-2 configuration; every query head has its own key-value head."""
    heads = config.n_head
    return HeadShape(config.n_layer, heads, heads, config.n_embd // heads, config.n_embd, config.n_positions)


def unmeasurable(config: PreTrainedConfig) -> str | None:
    """Options that rescale the scores or work them out in another precision than the fused kernel."""
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


def value_bias(block: nn.Module) -> Float[Tensor, "kv_head head_dim"]:
    """LayerNorm's bias through the value projection, plus the projection's own bias: the same at every token."""
    projection = cast(nn.Module, attention(block).c_attn)
    weight, bias = cast(Tensor, projection.weight), cast(Tensor, projection.bias)
    norm_bias = cast(Tensor, cast(nn.Module, block.ln_1).bias)
    d_model = weight.shape[0]
    folded = norm_bias.double() @ weight[:, 2 * d_model :].double() + bias[2 * d_model :].double()
    return folded.view(_heads(block), -1)


def output_projection(block: nn.Module) -> Float[Tensor, "head head_dim d_model"]:
    """Conv1D keeps its weight as [in, out]: the rows of head h are its slice."""
    weight = cast(Tensor, cast(nn.Module, attention(block).c_proj).weight)
    return weight.view(_heads(block), -1, weight.shape[1])


def output_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """The output projection's bias."""
    return cast(Tensor, cast(nn.Module, attention(block).c_proj).bias)


def _heads(block: nn.Module) -> int:
    return cast(int, attention(block).num_heads)
