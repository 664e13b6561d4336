"""Blocked attention against whole matrices in float64: outputs and row statistics, whatever the scoring, the types and the blocks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from extract import blocked
from extract.blocked import Rows, Scoring, attend, rows_of, weights
from extract.same_token import SameTokens

ALIBI = torch.tensor([0.5, 0.25, 0.125, 0.0625])[:, None] * torch.arange(90)
SCORINGS = {
    "plain": Scoring(0.3),
    "soft cap": Scoring(0.3, softcap=2.0),
    "sliding window": Scoring(0.3, window=7),
    "window of one": Scoring(0.3, window=1),
    "ALiBi": Scoring(0.3, key_bias=ALIBI),
    "all at once": Scoring(0.3, softcap=5.0, window=20, key_bias=ALIBI),
}


def made(window: int = 90, batch: int = 2, sharpness: float = 1.0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """q of four heads, k and v of two key-value heads, tokens, and two columns."""
    generator = torch.Generator().manual_seed(window)
    q = sharpness * torch.randn(batch, 4, window, 8, generator=generator, dtype=torch.float64)
    k, v = (torch.randn(batch, 2, window, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    tokens = torch.randint(0, 12, (batch, window), generator=generator)
    return q.to(dtype), k.to(dtype), v.to(dtype), tokens, torch.rand(batch, 4, window, 2, generator=generator, dtype=dtype)


def pattern(q: Tensor, k: Tensor, scoring: Scoring) -> tuple[Tensor, Tensor]:
    """The whole matrix and its log-sum-exp, by the definition."""
    q, k = q.double(), k.double().repeat_interleave(2, 1)
    scores = q @ k.mT * scoring.scale
    if scoring.softcap is not None:
        scores = scoring.softcap * torch.tanh(scores / scoring.softcap)
    back = torch.arange(q.shape[2])[:, None] - torch.arange(q.shape[2])
    if scoring.key_bias is not None:
        scores = scores + scoring.key_bias.double()[:, None] - scoring.key_bias.double()[..., None]
    unseen = (back < 0) | (back >= (scoring.window or q.shape[2]))
    scores = scores.masked_fill(unseen, -torch.inf)
    return scores.softmax(-1), scores.logsumexp(-1)


def statistics(p: Tensor, v: Tensor, tokens: Tensor, columns: Tensor) -> dict[str, Tensor]:
    i = torch.arange(p.shape[-1], dtype=torch.float64)
    same = (tokens[:, :, None] == tokens[:, None]).tril(-1).double()[:, None]
    after = torch.nn.functional.pad(same, (1, -1)).tril(-1)
    return {
        "z": p @ v.double().repeat_interleave(2, 1),
        "entropy": -torch.xlogy(p, p).sum(-1),
        "squares": p.square().sum(-1),
        "first": p[..., 0],
        "own": p.diagonal(0, -2, -1),
        "previous": torch.nn.functional.pad(p.diagonal(-1, -2, -1), (1, 0)),
        "same": (p * same).sum(-1),
        "after_same": (p * after).sum(-1),
        "distance": (p * (i[:, None] - i)).sum(-1),
        "means": p @ columns.double(),
    }


def check(rows: Rows, p: Tensor, lse: Tensor, v: Tensor, tokens: Tensor, columns: Tensor, tolerance: float) -> None:
    for name, expected in (statistics(p, v, tokens, columns) | {"lse": lse}).items():
        scale = {"distance": p.shape[-1], "lse": max(1.0, lse.abs().max().item())}.get(name, 1.0)
        assert (getattr(rows, name).double() - expected).abs().max() < tolerance * scale, name


@pytest.mark.parametrize("scoring", SCORINGS.values(), ids=SCORINGS.keys())
@pytest.mark.parametrize("rows", [16, 17, 1000])
def test_every_statistic_is_that_of_the_whole_matrix(scoring: Scoring, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v, tokens, columns = made()
    monkeypatch.setitem(blocked.BLOCK_BYTES, "cpu", rows * 8 * 90 * 8)
    check(attend(q, k, v, scoring, SameTokens(tokens), columns), *pattern(q, k, scoring), v, tokens, columns, 1e-12)


@pytest.mark.parametrize("scoring", SCORINGS.values(), ids=SCORINGS.keys())
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_smaller_types_are_worked_out_in_float32(scoring: Scoring, dtype: torch.dtype) -> None:
    q, k, v, tokens, columns = made(dtype=dtype)
    rows = attend(q, k, v, scoring, SameTokens(tokens), columns)
    assert rows.z.dtype == rows.entropy.dtype == torch.float32
    check(rows, *pattern(q, k, scoring), v, tokens, columns, 3e-6)


@pytest.mark.parametrize("sharpness", [30.0, 300.0])
@pytest.mark.parametrize("scoring", SCORINGS.values(), ids=SCORINGS.keys())
def test_weights_beyond_the_range_of_the_exponential_are_as_exact(scoring: Scoring, sharpness: float) -> None:
    """Scores of hundreds above and below the first key's, in some heads and not in others."""
    q, k, v, tokens, columns = made(sharpness=sharpness)
    q[:, 1] /= sharpness
    check(attend(q, k, v, scoring, SameTokens(tokens), columns), *pattern(q, k, scoring), v, tokens, columns, 1e-11)
    single = attend(q.float(), k.float(), v.float(), scoring, SameTokens(tokens), columns.float())
    assert all(torch.isfinite(values).all() for values in vars(single).values())


@pytest.mark.parametrize("scoring", SCORINGS.values(), ids=SCORINGS.keys())
def test_the_matrix_can_be_had_block_by_block_and_row_by_row(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v, tokens, columns = made()
    monkeypatch.setitem(blocked.BLOCK_BYTES, "cpu", 20 * 8 * 90 * 8)
    p, _ = pattern(q, k, scoring)
    lse = attend(q, k, v, scoring, SameTokens(tokens), columns).lse
    seen = 0
    for start, block in weights(q, k, scoring, lse):
        assert start == seen and block.shape[3] == start + block.shape[2]
        assert (block - p[:, :, start : start + block.shape[2], : block.shape[3]]).abs().max() < 1e-12
        seen += block.shape[2]
    assert seen == 90
    place = torch.tensor([1, 0, 1]), torch.tensor([3, 2, 0]), torch.tensor([89, 0, 40])
    assert (rows_of(q, k, scoring, lse, place) - p[place]).abs().max() < 1e-12


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 3), st.integers(1, 50))
def test_pairs_of_the_same_token_are_those_of_a_comparison_of_all(tokens: list[int], batch: int, visible: int) -> None:
    several = torch.tensor([tokens[turn:] + tokens[:turn] for turn in range(batch)])
    found = SameTokens(several)
    same = (several[:, :, None] == several[:, None]).tril(-1)
    after = torch.nn.functional.pad(same, (1, -1)).tril(-1)
    near = torch.ones(len(tokens), len(tokens)).triu(1 - visible).bool()
    for keys, expected in ((found.same, same), (found.after_same, after)):
        assert torch.equal(keys.counts(), expected.sum(-1))
        assert torch.equal(keys.counts(visible), (expected & near).sum(-1))
    repeats = same.any(-1).any(0).nonzero()
    assert found.first_repeat == (int(repeats[0]) if len(repeats) else len(tokens))


def test_a_block_of_weights_is_smaller_than_the_matrix() -> None:
    """Not more than the cache is said to hold, and never all of T×T, however long the window."""
    scores = blocked._Scores(torch.zeros(1, 25, 4096, 8), torch.zeros(1, 25, 4096, 8), Scoring(1.0))
    assert all((end - start) * 25 * 4096 * 4 <= blocked.BLOCK_BYTES["cpu"] for start, end, _ in scores.blocks())
