"""SmolLM3: Llama's layout, without rotary positions in every fourth layer; sliding windows in some layers."""

from extract.families import llama

LIKE = llama
MODEL_TYPES = ("smollm3",)
OPTIONS = ("sliding_window",)
