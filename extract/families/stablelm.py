"""StableLM: Llama's projections behind LayerNorm, partial rotary positions, attention and MLP side by side or not."""

from extract.families import llama
from extract.families.gpt_neox import norm_bias as norm_bias
from extract.families.gpt_neox import norm_weight as norm_weight

LIKE = llama
MODEL_TYPES = ("stablelm",)
CENTRED = True
