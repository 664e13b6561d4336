"""BLOOM: GPT-NeoX's fused projection, LayerNorm, a bias everywhere; no positions but ALiBi's, which lower a score with its distance.

Its attention calls no function that could be replaced: a forward of the module is kept here, proved equal to its own in the tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from extract.families import HeadShape, Measuring, llama
from extract.families.gpt2 import blocks as blocks
from extract.families.gpt2 import final_norm_weight as final_norm_weight
from extract.families.gpt_neox import norm_bias as norm_bias
from extract.families.gpt_neox import norm_weight as norm_weight
from extract.families.llama import bias_of, columns_of_heads, head_dim_of

LIKE = llama
MODEL_TYPES = ("bloom",)
CENTRED = True

# ALiBi has no greatest position; this is the length that BLOOM was trained on, which its configuration does not hold.
_CONTEXT = 2048


def shape(config: PreTrainedConfig) -> HeadShape:
    """Sizes of a configuration; every query head has its own key-value head."""
    heads, width = config.n_head, config.hidden_size
    return HeadShape(config.n_layer, heads, heads, width // heads, width, getattr(config, "seq_length", _CONTEXT))


def unmeasurable(config: PreTrainedConfig) -> str | None:
    """Options that put something else than the sum of the heads into the stream."""
    if config.apply_residual_connection_post_layernorm:
        return "apply_residual_connection_post_layernorm"
    return "slow_but_exact" if config.slow_but_exact and config.pretraining_tp > 1 else None


def attention(block: nn.Module) -> nn.Module:
    """The module that works out the attention, and adds the residual stream to it."""
    return cast(nn.Module, block.self_attention)


@contextmanager
def attending(attention: nn.Module, measure: Measuring) -> Iterator[None]:
    """While open, this one module runs the forward below. Its mask is left out: windows are full, so it is the causal one."""

    def forward(
        hidden_states: Tensor, residual: Tensor, alibi: Tensor, _mask: Tensor | None = None, **_options: object
    ) -> tuple[Tensor, None]:
        split = cast(Callable[[Tensor], tuple[Tensor, Tensor, Tensor]], attention._reshape)
        query, key, value = split(cast(nn.Linear, attention.query_key_value)(hidden_states))
        # Each window of the batch has the same biases.
        bias = alibi.view(query.shape[0], query.shape[1], -1)[0]
        z, _ = measure(attention, query, key, value, None, scaling=cast(float, attention.inv_norm_factor), key_bias=bias)
        return cast(nn.Linear, attention.dense)(z.flatten(2)) + residual, None

    with replaced(attention, forward):
        yield


@contextmanager
def replaced(attention: nn.Module, forward: Callable[..., tuple[Tensor, None]]) -> Iterator[None]:
    """While open, the module has this forward; accelerate may have given it another than its class's before."""
    before = vars(attention).get("forward")
    vars(attention)["forward"] = forward
    try:
        yield
    finally:
        if before is None:
            del vars(attention)["forward"]
        else:
            vars(attention)["forward"] = before


def embedding_norm_weight(model: PreTrainedModel) -> Float[Tensor, " d_model"]:
    """BLOOM norms its embeddings."""
    return cast(nn.LayerNorm, model.base_model.word_embeddings_layernorm).weight


def value_projection(block: nn.Module) -> Float[Tensor, "kv_head d_model head_dim"]:
    """The last third of each head's rows."""
    fused = cast(nn.Linear, attention(block).query_key_value)
    return fused.weight.view(_heads(block), 3, -1, fused.in_features)[:, 2].mT


def value_projection_bias(block: nn.Module) -> Float[Tensor, "kv_head head_dim"]:
    """The last third of each head's biases."""
    return bias_of(cast(nn.Linear, attention(block).query_key_value)).view(_heads(block), 3, -1)[:, 2]


def output_module(block: nn.Module) -> nn.Linear:
    """The module that sums what the heads write."""
    return cast(nn.Linear, attention(block).dense)


def output_projection(block: nn.Module) -> Float[Tensor, "head head_dim d_model"]:
    """The columns of head h are its slice."""
    return columns_of_heads(output_module(block), head_dim_of(attention(block)))


def output_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """The output projection's bias."""
    return bias_of(output_module(block))


def _heads(block: nn.Module) -> int:
    return cast(int, attention(block).num_heads)
