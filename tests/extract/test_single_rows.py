"""Single rows of attention, in any order and any number, are rows of the whole matrix."""

import pytest
import torch

from extract import blocked
from extract.blocked import Scoring
from extract.same_token import SameTokens

BATCH, HEADS, KV_HEADS, WINDOW, DIM = 3, 6, 2, 50, 8
SCORINGS = {
    "plain": Scoring(0.4),
    "soft cap": Scoring(0.4, softcap=2.0),
    "sliding window": Scoring(0.4, window=7),
    "key bias": Scoring(0.4, key_bias=torch.linspace(0.01, 0.5, HEADS)[:, None] * torch.arange(WINDOW)),
}


@pytest.mark.parametrize("kind", SCORINGS)
@pytest.mark.parametrize("rows", [0, 1, 400])
def test_single_rows_in_any_order_are_rows_of_the_matrix(kind: str, rows: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    q = torch.randn(BATCH, HEADS, WINDOW, DIM, generator=generator)
    k, v = torch.randn(2, BATCH, KV_HEADS, WINDOW, DIM, generator=generator)
    tokens = SameTokens(torch.randint(0, 9, (BATCH, WINDOW), generator=generator))
    lse = blocked.attend(q, k, v, SCORINGS[kind], tokens, torch.zeros(BATCH, HEADS, WINDOW, 1)).lse
    whole = torch.zeros(BATCH, HEADS, WINDOW, WINDOW)
    for start, block in blocked.weights(q, k, SCORINGS[kind], lse):
        whole[:, :, start : start + block.shape[2], : block.shape[3]] = block
    # Some places come up again and again, others never.
    place = tuple(torch.randint(0, size, (rows,), generator=generator) for size in (BATCH, HEADS, WINDOW))
    found = blocked.rows_of(q, k, SCORINGS[kind], lse, place)
    assert found.shape == (rows, WINDOW)
    assert torch.allclose(found, whole[place], rtol=0, atol=1e-6)
    assert torch.allclose(found.sum(-1), torch.ones(rows), atol=1e-5)
