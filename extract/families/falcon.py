"""Falcon: LayerNorm, attention and MLP side by side, keys and values shared by all heads or by groups; rotary positions or ALiBi.

Its attention calls no function that could be replaced: a forward of the module is kept here, proved equal to its own in the tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig
from transformers.models.falcon.modeling_falcon import apply_rotary_pos_emb

from extract.families import HeadShape, Measuring, llama
from extract.families.bloom import attention as attention
from extract.families.bloom import output_bias as output_bias
from extract.families.bloom import output_module as output_module
from extract.families.bloom import output_projection as output_projection
from extract.families.bloom import replaced
from extract.families.gpt2 import blocks as blocks
from extract.families.gpt2 import final_norm_weight as final_norm_weight
from extract.families.llama import bias_of, head_dim_of

LIKE = llama
MODEL_TYPES = ("falcon",)
CENTRED = True
OPTIONS = ("alibi",)

Queries = Float[Tensor, "batch head query head_dim"]
Keys = Float[Tensor, "batch kv_head query head_dim"]


def shape(config: PreTrainedConfig) -> HeadShape:
    """Sizes of a configuration, in which `multi_query` means one key-value head for all, unless the architecture is the new one."""
    heads, width = config.num_attention_heads, config.hidden_size
    kv_heads = 1 if config.multi_query and not config.new_decoder_architecture else config.num_kv_heads
    return HeadShape(config.num_hidden_layers, heads, kv_heads, width // heads, width, config.max_position_embeddings)


def unmeasurable(config: PreTrainedConfig) -> str | None:
    """Nothing beyond what no family may have."""
    return None


@contextmanager
def attending(attention: nn.Module, measure: Measuring) -> Iterator[None]:
    """While open, this one module runs the forward below. Its mask is left out: windows are full, so it is the causal one."""
    factor = cast(float, attention.inv_norm_factor)

    def forward(
        hidden_states: Tensor, alibi: Tensor | None = None, position_embeddings: tuple[Tensor, Tensor] | None = None, **_options: object
    ) -> tuple[Tensor, None]:
        query, key, value = _split(attention, cast(nn.Module, attention.query_key_value)(hidden_states))
        bias = None
        if alibi is not None:
            # Each window of the batch has the same biases, and they are scaled as the products are.
            bias = alibi.view(query.shape[0], query.shape[1], -1)[0].to(torch.promote_types(alibi.dtype, torch.float32)) * factor
        elif position_embeddings is not None:
            query, key = apply_rotary_pos_emb(query, key, *position_embeddings)
        z, _ = measure(attention, query, key, value, None, scaling=factor, key_bias=bias)
        return cast(nn.Module, attention.dense)(z.flatten(2)), None

    with replaced(attention, forward):
        yield


@contextmanager
def mended(attention: nn.Module) -> Iterator[None]:
    """transformers adds ALiBi's biases to the mask, for fused kernels, and adds them again where it is eager: this leaves the first out."""

    def leave_out(_module: nn.Module, args: tuple[object, ...], options: dict[str, object]) -> tuple[tuple[object, ...], dict[str, object]]:
        if options.get("alibi") is None:
            return args, options
        mask = cast(Tensor, options["attention_mask"])
        return args, options | {"attention_mask": torch.where(mask == torch.finfo(mask.dtype).min, mask, 0.0)}

    hook = attention.register_forward_pre_hook(leave_out, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def _split(attention: nn.Module, fused: Float[Tensor, "batch query out"]) -> tuple[Queries, Keys, Keys]:
    """The module's own split, of keys and values shared by a group only one."""
    split = cast(Callable[[Tensor], tuple[Tensor, Tensor, Tensor]], attention._split_heads)
    query, key, value = (x.transpose(1, 2) for x in split(fused))
    each = key.shape[1] // cast(int, attention.num_kv_heads)
    return query, key[:, ::each], value[:, ::each]


def attention_norm(block: nn.Module) -> nn.LayerNorm:
    """The norm whose output the attention reads: of its own, or shared with the MLP."""
    return cast(nn.LayerNorm, block.ln_attn if hasattr(block, "ln_attn") else block.input_layernorm)


def norm_weight(block: nn.Module) -> Float[Tensor, " d_model"]:
    """LayerNorm's weight."""
    return attention_norm(block).weight


def norm_bias(block: nn.Module) -> Float[Tensor, " d_model"]:
    """LayerNorm's bias."""
    return attention_norm(block).bias


def value_projection(block: nn.Module) -> Float[Tensor, "kv_head d_model head_dim"]:
    """The last head of each key-value head's part of the fused projection."""
    weight = cast(nn.Linear, attention(block).query_key_value).weight
    return _values(block, weight).mT


def value_projection_bias(block: nn.Module) -> Float[Tensor, "kv_head head_dim"]:
    """The last head of each key-value head's part of the biases, zero where there are none."""
    return _values(block, bias_of(cast(nn.Linear, attention(block).query_key_value)))


def _values(block: nn.Module, rows: Float[Tensor, "out *in_features"]) -> Float[Tensor, "kv_head head_dim *in_features"]:
    """In each layout a part is the queries of its heads, one key, one value."""
    module = attention(block)
    return rows.view(cast(int, module.num_kv_heads), -1, head_dim_of(module), *rows.shape[1:])[:, -1]
