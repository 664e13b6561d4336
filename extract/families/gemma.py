"""Gemma, Gemma 2 and 3 (text): Llama's projections behind a norm that multiplies by one more than its weight.

Gemma 2 and 3 have a second norm between what the attention writes and the stream, and sliding windows in some layers; Gemma 2 caps its
scores softly, Gemma 3 has norms on queries and keys."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from extract.families import PostNorm, llama

LIKE = llama
MODEL_TYPES = ("gemma", "gemma2", "gemma3_text")
OPTIONS = ("attn_logit_softcapping", "sliding_window")


def norm_weight(block: nn.Module) -> Float[Tensor, " d_model"]:
    """One more than the norm's weight."""
    return _multiplier(cast(nn.Module, block.input_layernorm))


def final_norm_weight(model: PreTrainedModel) -> Float[Tensor, " d_model"]:
    """One more than the weight of the norm before the unembedding."""
    return _multiplier(cast(nn.Module, model.base_model.norm))


def post_norm(block: nn.Module) -> PostNorm | None:
    """From Gemma 2 on; what is called so in Gemma stands before the MLP."""
    if not hasattr(block, "pre_feedforward_layernorm"):
        return None
    norm = cast(nn.Module, block.post_attention_layernorm)
    return PostNorm(_multiplier(norm), cast(float, norm.eps))


def _multiplier(norm: nn.Module) -> Float[Tensor, " d_model"]:
    # Added as the model adds it: in float32 whatever the weight's type.
    weight = cast(Tensor, norm.weight)
    return 1 + (weight.float() if weight.itemsize < 4 else weight)
