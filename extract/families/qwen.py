"""Qwen 2 and 3: Llama's layout with biases on queries, keys and values or norms on queries and keys; sliding windows in some layers."""

from extract.families import llama

LIKE = llama
MODEL_TYPES = ("qwen2", "qwen3", "qwen3_moe")
OPTIONS = ("sliding_window",)
