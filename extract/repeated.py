"""Repeated random tokens: windows on which a head can only find what stood there before, for induction and duplicate-token attention.

A window is the start token and a piece of different random tokens, the same piece several times. Each is drawn by itself, from the run's
seed and its own number, so that any shard can be made alone."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from extract.checkpoint import Checkpoint
from extract.config import RunConfig
from extract.errors import UsageRefusal
from extract.windows import start_token

if TYPE_CHECKING:
    import transformers

Tokens = Int64[np.ndarray, " token"]


def ordinary_tokens(checkpoint: Checkpoint) -> Tokens:
    """The tokens that text is made of: those of the vocabulary that are neither special nor added to it, in ascending order."""
    return _ordinary(checkpoint.tokenizer, checkpoint.config.vocab_size)


@lru_cache(maxsize=1)
def _ordinary(tokenizer: "transformers.PreTrainedTokenizerBase", vocabulary: int) -> Tokens:
    """Once per tokenizer: every shard asks."""
    extra = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    known = set(tokenizer.get_vocab().values()) - extra
    return np.array(sorted(token for token in known if token < vocabulary), dtype=np.int64)


def check(config: RunConfig, checkpoint: Checkpoint) -> None:
    """Refuse windows that are longer than the model's context, or a piece of more tokens than there are. Raises UsageRefusal."""
    if not config.repeated_windows:
        return
    asked, context = 1 + config.repeated_tokens * config.repeated_copies, checkpoint.shape.context
    where, shown = checkpoint.located.name, f"{config.repeated_copies} copies of {config.repeated_tokens} random tokens"
    if asked > context:
        fits = (context - 1) // config.repeated_copies
        fix = f"repeated_tokens = {fits} or fewer" if fits > 1 else "fewer repeated_copies"
        raise UsageRefusal(f"{shown} and a start token are {asked} > {context}", where, f"{fix}, or repeated_windows = 0")
    there = len(ordinary_tokens(checkpoint))
    if config.repeated_tokens > there:
        raise UsageRefusal(f"{shown}, of a vocabulary of {there}", where, f"repeated_tokens = {there} or fewer")


def repeated_windows(config: RunConfig, checkpoint: Checkpoint, numbers: range) -> Int64[np.ndarray, "windows window"]:
    """The windows of these numbers."""
    ordinary, start = ordinary_tokens(checkpoint), start_token(checkpoint.tokenizer)
    windows = np.empty((len(numbers), 1 + config.repeated_tokens * config.repeated_copies), dtype=np.int64)
    for row, number in zip(windows, numbers, strict=True):
        generator = np.random.Generator(np.random.PCG64([config.seed, number]))
        piece = generator.choice(ordinary, config.repeated_tokens, replace=False)
        row[0], row[1:] = start, np.tile(piece, config.repeated_copies)
    return windows
