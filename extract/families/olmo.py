"""OLMo, the first: Llama's projections behind a LayerNorm that has neither weight nor bias."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from extract.families import llama
from extract.families.llama import attention, blocks

LIKE = llama
MODEL_TYPES = ("olmo",)
CENTRED = True


def unmeasurable(config: PreTrainedConfig) -> str | None:
    """Clipped values no longer have a constant part that could be folded out."""
    return None if config.clip_qkv is None else f"clip_qkv = {config.clip_qkv}"


def norm_weight(block: nn.Module) -> Float[Tensor, " d_model"]:
    """Ones."""
    projection = cast(nn.Linear, attention(block).v_proj)
    return projection.weight.new_ones(projection.in_features)


def final_norm_weight(model: PreTrainedModel) -> Float[Tensor, " d_model"]:
    """Ones."""
    return norm_weight(blocks(model)[0])
