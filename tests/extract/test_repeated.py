"""Repeated random tokens: what a window looks like, that it hangs on its seed and number alone, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from extract.checkpoint import Checkpoint, open_checkpoint
from extract.checkpoint_files import locate
from extract.config import RunConfig
from extract.errors import UsageRefusal
from extract.repeated import check, ordinary_tokens, repeated_windows


@pytest.fixture
def checkpoint(make_checkpoint: Callable[..., Path]) -> Checkpoint:
    return open_checkpoint(locate(str(make_checkpoint())), 16)


@pytest.fixture
def asked() -> RunConfig:
    return RunConfig("n", "m", "c", repeated_tokens=7, repeated_copies=3, seed=5)


def test_a_window_is_the_start_token_and_a_piece_of_different_tokens_again_and_again(checkpoint: Checkpoint, asked: RunConfig) -> None:
    windows = repeated_windows(asked, checkpoint, range(40))
    assert (windows.shape, windows.dtype) == ((40, 22), np.int64)
    assert (windows[:, 0] == 0).all()
    pieces = windows[:, 1:].reshape(40, 3, 7)
    assert (pieces == pieces[:, :1]).all()
    assert all(len(set(piece)) == 7 for piece in pieces[:, 0].tolist())
    assert np.isin(pieces, ordinary_tokens(checkpoint)).all()
    # Drawn from all of the vocabulary: of 299 tokens, 280 draws leave about 299 · (1 - 7/299)^40 out.
    assert 299 - 116 - 25 < len(np.unique(pieces)) < 299 - 116 + 25


def test_every_window_can_be_made_alone_and_another_seed_makes_others(checkpoint: Checkpoint, asked: RunConfig) -> None:
    windows = repeated_windows(asked, checkpoint, range(10))
    assert (repeated_windows(asked, checkpoint, range(6, 8)) == windows[6:8]).all()
    assert (repeated_windows(replace(asked, seed=6), checkpoint, range(10)) != windows).any(axis=1).all()
    assert repeated_windows(asked, checkpoint, range(3, 3)).shape == (0, 22)
    # Pinned: numbers that another version of NumPy draws otherwise would change a published run.
    assert windows[:2, 1:8].tolist() == [[140, 189, 240, 237, 197, 154, 7], [39, 140, 228, 254, 230, 261, 208]]


def test_ordinary_tokens_are_neither_special_nor_added_nor_beyond_the_embeddings(checkpoint: Checkpoint) -> None:
    assert ordinary_tokens(checkpoint).tolist() == list(range(1, 300))
    checkpoint.tokenizer.add_tokens(["<|mine|>"])
    checkpoint.config.vocab_size = 250
    assert ordinary_tokens(checkpoint).tolist() == list(range(1, 250))


def test_what_does_not_fit_the_context_or_the_vocabulary_is_refused(checkpoint: Checkpoint, asked: RunConfig) -> None:
    check(replace(asked, repeated_tokens=21), checkpoint)
    with pytest.raises(UsageRefusal) as refusal:
        check(replace(asked, repeated_tokens=22), checkpoint)
    told = "error: 3 copies of 22 random tokens and a start token are 67 > 64 (toy-model)"
    assert str(refusal.value) == f"{told}; fix: repeated_tokens = 21 or fewer, or repeated_windows = 0"
    with pytest.raises(UsageRefusal, match="fix: fewer repeated_copies, or repeated_windows = 0"):
        check(replace(asked, repeated_tokens=2, repeated_copies=60), checkpoint)
    check(replace(asked, repeated_tokens=22, repeated_windows=0), checkpoint)
    # A vocabulary of 299 ordinary tokens in a context that would hold more.
    large = replace(checkpoint, shape=replace(checkpoint.shape, context=10_000))
    told = r"3 copies of 300 random tokens, of a vocabulary of 299 \(toy-model\); fix: repeated_tokens = 299 or fewer"
    with pytest.raises(UsageRefusal, match=told):
        check(replace(asked, repeated_tokens=300), large)


@pytest.mark.parametrize(("windows", "shards"), [(64, 64), (6, 4), (3, 8), (0, 2)])
def test_shards_hold_every_repeated_window_once_and_differ_by_at_most_one(windows: int, shards: int) -> None:
    config = RunConfig("n", "m", "c", windows=8, shards=shards, repeated_windows=windows)
    parts = [config.repeated_of_shard(shard) for shard in range(shards)]
    assert [window for part in parts for window in part] == list(range(windows))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
