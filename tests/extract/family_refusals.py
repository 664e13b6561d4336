"""Configurations that must be refused, each with what the refusal says of it."""

from family_toys import TOYS
from transformers import (
    BertConfig,
    BloomConfig,
    CTRLConfig,
    Gemma3Config,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    OlmoConfig,
    OPTConfig,
    PreTrainedConfig,
    T5Config,
)


def _with(config: PreTrainedConfig, **options: object) -> PreTrainedConfig:
    """Options that the configuration's class does not ask for itself are set afterwards."""
    for name, value in options.items():
        setattr(config, name, value)
    return config


REFUSED_TYPES: list[tuple[PreTrainedConfig, str]] = [
    (BertConfig(), "bert is not causal"),
    (T5Config(), "no causal self-attention heads in t5"),
    (MambaConfig(), "no causal self-attention heads in mamba"),
    (Gemma3Config(), "gemma3 reads more than text"),
    (CTRLConfig(), "no family file for ctrl"),
]

REFUSED_OPTIONS: list[tuple[PreTrainedConfig, str]] = [
    (_with(LlamaConfig(), sliding_window=256), "sliding_window = 256"),
    (_with(LlamaConfig(), attention_chunk_size=64), "attention_chunk_size = 64"),
    (_with(LlamaConfig(), attn_logit_softcapping=50.0), "attn_logit_softcapping = 50.0"),
    (_with(LlamaConfig(), alibi=True), "alibi = True"),
    (_with(LlamaConfig(), layer_types=["full_attention", "sliding_attention"]), "layer_types with sliding_attention"),
    (_with(MistralConfig(), layer_types=["sliding_attention", "chunked_attention"]), "layer_types with chunked_attention"),
    (_with(LlamaConfig(), is_causal=False), "attention to later tokens"),
    (_with(TOYS["gemma3_text"].make().config, use_bidirectional_attention=True), "attention to later tokens"),
    (_with(LlamaConfig(), auto_map={"AutoModel": "code.py"}), "code shipped with the repository (auto_map)"),
    (GPT2Config(add_cross_attention=True), "cross-attention"),
    (GPT2Config(scale_attn_by_inverse_layer_idx=True), "scale_attn_by_inverse_layer_idx"),
    (GPT2Config(reorder_and_upcast_attn=True), "reorder_and_upcast_attn"),
    (OPTConfig(do_layer_norm_before=False), "do_layer_norm_before = False (norms after each addition)"),
    (OPTConfig(word_embed_proj_dim=512), "word_embed_proj_dim = 512 beside hidden_size = 768"),
    (OlmoConfig(clip_qkv=8.0), "clip_qkv = 8.0"),
    (BloomConfig(apply_residual_connection_post_layernorm=True), "apply_residual_connection_post_layernorm"),
    (BloomConfig(slow_but_exact=True, pretraining_tp=2), "slow_but_exact"),
]
