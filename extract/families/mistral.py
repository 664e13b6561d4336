"""Mistral and Mixtral: Llama's layout, and each query sees only the last `sliding_window` keys where the configuration has that."""

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

MODEL_TYPES = ("ministral", "mistral", "mixtral")
CENTRED = False
OPTIONS = ("sliding_window",)
