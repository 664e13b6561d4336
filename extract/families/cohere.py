"""Cohere's Command R: Llama's projections behind a LayerNorm without a bias, attention and MLP side by side."""

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

MODEL_TYPES = ("cohere", "cohere2")
CENTRED = True
OPTIONS = ("sliding_window",)
