"""GPT-Neo and GPT-J: blocks as in GPT-2, a matrix for each projection, and attention through a method of their own.

GPT-Neo does not scale its scores, and every other layer sees only the last `window_size` keys; GPT-J has attention and MLP side by
side, rotary positions and no biases."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig

from extract.families import HeadShape, Measuring, llama
from extract.families.gpt2 import attention_norm as attention_norm
from extract.families.gpt2 import blocks as blocks
from extract.families.gpt2 import final_norm_weight as final_norm_weight
from extract.families.gpt2 import norm_bias as norm_bias
from extract.families.gpt2 import norm_weight as norm_weight
from extract.families.llama import bias_of, columns_of_heads, head_dim_of, values_of_heads

LIKE = llama
MODEL_TYPES = ("gpt_neo", "gptj")
CENTRED = True


def shape(config: PreTrainedConfig) -> HeadShape:
    """Sizes of a configuration; every query head has its own key-value head."""
    heads, width = config.num_attention_heads, config.hidden_size
    return HeadShape(config.num_hidden_layers, heads, heads, width // heads, width, config.max_position_embeddings)


def unmeasurable(config: PreTrainedConfig) -> str | None:
    """Nothing beyond what no family may have."""
    return None


def attention(block: nn.Module) -> nn.Module:
    """The module that works out the attention; GPT-Neo has it inside one that chooses its kind."""
    chosen = cast(nn.Module, block.attn)
    return cast(nn.Module, getattr(chosen, "attention", chosen))


@contextmanager
def attending(attention: nn.Module, measure: Measuring) -> Iterator[None]:
    """While open, the method `_attn` of this one module measures.

    The mask that it is given is left out: it is the causal one for full windows, and GPT-Neo's own one for local layers."""
    scale = 1 / cast(float, getattr(attention, "scale_attn", 1.0))
    window = cast(PreTrainedConfig, attention.config).window_size if getattr(attention, "attention_type", "global") == "local" else None

    def attend(query: Tensor, key: Tensor, value: Tensor, _mask: Tensor | None = None) -> tuple[Tensor, None]:
        z, _ = measure(attention, query, key, value, None, scaling=scale, sliding_window=window)
        return z.transpose(1, 2), None

    vars(attention)["_attn"] = attend
    try:
        yield
    finally:
        del vars(attention)["_attn"]


def value_projection(block: nn.Module) -> Float[Tensor, "kv_head d_model head_dim"]:
    """The rows of a head are its slice."""
    return values_of_heads(cast(nn.Linear, attention(block).v_proj), head_dim_of(attention(block)))


def value_projection_bias(block: nn.Module) -> Float[Tensor, "kv_head head_dim"]:
    """Zeros: there is none."""
    return bias_of(cast(nn.Linear, attention(block).v_proj)).view(-1, head_dim_of(attention(block)))


def output_module(block: nn.Module) -> nn.Linear:
    """The module that sums what the heads write."""
    return cast(nn.Linear, attention(block).out_proj)


def output_projection(block: nn.Module) -> Float[Tensor, "head head_dim d_model"]:
    """The columns of head h are its slice."""
    return columns_of_heads(output_module(block), head_dim_of(attention(block)))


def output_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """The output projection's bias, zero where there is none."""
    return bias_of(output_module(block))
