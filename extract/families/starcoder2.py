"""StarCoder2: Llama's projections with a bias behind LayerNorm; sliding windows where the configuration has them."""

from extract.families import llama
from extract.families.gpt_neox import norm_bias as norm_bias
from extract.families.gpt_neox import norm_weight as norm_weight

LIKE = llama
MODEL_TYPES = ("starcoder2",)
CENTRED = True
OPTIONS = ("sliding_window",)
