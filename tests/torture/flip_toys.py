"""A toy checkpoint and its run, made once per module: three shards of two windows, on a random GPT-2 of two layers."""

import random
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from extract.config import RunConfig

START = "<|endoftext|>"
TEXT = "the of and in to was river city music century war king author film game team season album station island"


def save_toy(folder: Path, tokenizer_file: Path) -> Path:
    """A random checkpoint in hub layout."""
    torch.manual_seed(0)
    shape = {"n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": 64, "vocab_size": 300, "bos_token_id": 0, "eos_token_id": 0}
    GPT2LMHeadModel(GPT2Config(**shape)).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file), bos_token=START, eos_token=START).save_pretrained(folder)
    return folder


def toy_run(folder: Path, tokenizer_file: Path) -> RunConfig:
    """The run of a fresh toy checkpoint over a fresh text, both in the folder."""
    texts = folder / "texts"
    texts.mkdir(parents=True)
    (texts / "a.txt").write_text(" ".join(random.Random(0).choices(TEXT.split(), k=600)), encoding="utf-8")
    size = {"window": 24, "windows": 6, "shards": 3, "repeated_windows": 3, "repeated_tokens": 8, "calibration_windows": 2}
    return RunConfig("Toy", str(save_toy(folder / "toy-model", tokenizer_file)), str(texts), **size)
