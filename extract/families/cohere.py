"""Cohere's Command R: Llama's projections behind a LayerNorm without a bias, attention and MLP side by side."""

from extract.families import llama

LIKE = llama
MODEL_TYPES = ("cohere", "cohere2")
CENTRED = True
OPTIONS = ("sliding_window",)
