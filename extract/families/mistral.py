"""Mistral and Mixtral: Llama's layout, and each query sees only the last `sliding_window` keys where the configuration has that."""

from extract.families import llama

LIKE = llama
MODEL_TYPES = ("ministral", "mistral", "mixtral")
OPTIONS = ("sliding_window",)
