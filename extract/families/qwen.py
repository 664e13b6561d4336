"""Qwen 2 and 3: Llama's layout with biases on queries, keys and values or norms on queries and keys; sliding windows in some layers."""

from extract.families.llama import (
    attending,
    attention,
    attention_norm,
    blocks,
    embedding_norm_weight,
    final_norm_weight,
    mended,
    norm_bias,
    norm_weight,
    output_bias,
    output_module,
    output_projection,
    post_norm,
    shape,
    unmeasurable,
    value_projection,
    value_projection_bias,
)

MODEL_TYPES = ("qwen2", "qwen3", "qwen3_moe")
CENTRED = False
OPTIONS = ("sliding_window",)
