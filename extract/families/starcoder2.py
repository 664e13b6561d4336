"""StarCoder2: Llama's projections with a bias behind LayerNorm; sliding windows where the configuration has them."""

from extract.families.gpt_neox import norm_bias, norm_weight
from extract.families.llama import (
    attending,
    attention,
    attention_norm,
    blocks,
    embedding_norm_weight,
    final_norm_weight,
    mended,
    output_bias,
    output_module,
    output_projection,
    post_norm,
    shape,
    unmeasurable,
    value_projection,
    value_projection_bias,
)

MODEL_TYPES = ("starcoder2",)
CENTRED = True
OPTIONS = ("sliding_window",)
