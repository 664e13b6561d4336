"""GLM and GLM-4: Llama's projections, partial rotary positions; GLM-4 has a second norm behind its attention."""

from typing import cast

from torch import Tensor, nn

from extract.families import PostNorm, llama

LIKE = llama
MODEL_TYPES = ("glm", "glm4")


def post_norm(block: nn.Module) -> PostNorm | None:
    """GLM-4's norm of what the attention writes; what is called a post-attention norm stands before the MLP."""
    if not hasattr(block, "post_self_attn_layernorm"):
        return None
    norm = cast(nn.Module, block.post_self_attn_layernorm)
    return PostNorm(cast(Tensor, norm.weight), cast(float, norm.variance_epsilon))
