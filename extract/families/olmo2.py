"""OLMo 2 and 3, EXAONE 4: attention reads the stream itself, and a norm stands between what it writes and the stream."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from extract.families import PostNorm, llama

LIKE = llama
MODEL_TYPES = ("exaone4", "olmo2", "olmo3")
OPTIONS = ("sliding_window",)


def attention_norm(block: nn.Module) -> None:
    """There is none."""
    return None


def norm_weight(block: nn.Module) -> Float[Tensor, " d_model"]:
    """Ones: what the attention reads is not normed."""
    weight = cast(Tensor, cast(nn.Module, block.post_attention_layernorm).weight)
    return weight.new_ones(weight.shape)


def post_norm(block: nn.Module) -> PostNorm:
    """The norm of what the attention writes."""
    norm = cast(nn.Module, block.post_attention_layernorm)
    return PostNorm(cast(Tensor, norm.weight), cast(float, norm.variance_epsilon))
