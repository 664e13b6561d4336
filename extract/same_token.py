"""SameTokens: where windows repeat a token, worked out once per forward and used in every layer.

Pairs of positions with the same token are few in text – about one in a hundred – so single weights are picked from each block."""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

# Rows that are compared at a time: never all pairs of positions at once.
_ROWS = 256

Pairs = Int[Tensor, " pair"]


@dataclass(frozen=True)
class KeysOfQueries:
    """For some queries some keys, as pairs in the order of the queries."""

    query: Pairs
    window: Pairs
    key: Pairs
    shape: tuple[int, int]
    _known: dict[tuple[int, ...], tuple[Tensor, Tensor]] = field(default_factory=dict, init=False, repr=False)

    def sums(self, weights: Float[Tensor, "batch head rows key"], start: int, low: int) -> Float[Tensor, "batch head rows"]:
        """Σ over the keys of each row; `weights` are of the queries from `start` on, over the keys from `low` on."""
        batch, heads, rows, _ = weights.shape
        cells, row = self._cells(start, low, weights.shape)
        # One flat selection for all heads: indexing by four tensors takes four times as long.
        picked = weights.reshape(-1).index_select(0, cells).view(heads, -1).double()
        # In float64, so that the order in which a GPU adds is rounded away.
        sums = picked.new_zeros(heads, batch * rows).index_add_(1, row, picked).to(weights.dtype)
        return sums.view(heads, batch, rows).transpose(0, 1)

    def _cells(self, start: int, low: int, shape: torch.Size) -> tuple[Int[Tensor, " cell"], Pairs]:
        """Where the weights of a block of this shape lie, head by head, and which row each belongs to; layers share their blocks."""
        block = (start, low, *shape)
        if block not in self._known:
            _, heads, rows, keys = shape
            part = slice(self._begins[start], self._begins[start + rows])
            near = self.key[part] >= low
            window, row, key = self.window[part][near], self.query[part][near] - start, self.key[part][near] - low
            head = torch.arange(heads, device=key.device)[:, None]
            cells = (window * heads + head) * (rows * keys) + row * keys + key
            self._known[block] = cells.flatten(), window * rows + row
        return self._known[block]

    def counts(self, visible: int | None = None) -> Int[Tensor, "batch query"]:
        """How many keys each query has, of the last `visible` or of all."""
        counts = torch.zeros(self.shape, dtype=torch.int64, device=self.key.device)
        near = torch.ones_like(self.key) if visible is None else (self.key > self.query - visible).long()
        return counts.view(-1).index_add_(0, self.window * self.shape[1] + self.query, near).view(self.shape)

    @cached_property
    def _begins(self) -> list[int]:
        """Where the pairs of each query begin, and the end of all."""
        return [0, *torch.bincount(self.query, minlength=self.shape[1]).cumsum(0).tolist()]


class SameTokens:
    """same: the earlier positions that hold the query's token; after_same: the positions right after those.

    The position after an immediate repeat is the query itself, and left out."""

    def __init__(self, tokens: Int[Tensor, "batch window"]) -> None:
        self.tokens = tokens
        batch, window = tokens.shape
        found = []
        for start in range(0, window, _ROWS):
            rows = tokens[:, start : start + _ROWS].T
            equal = rows[:, :, None] == tokens[None, :, : start + len(rows)]
            equal = torch.stack([part.tril(start - 1) for part in equal.unbind(1)], 1)
            query, index, key = equal.nonzero(as_tuple=True)
            found.append(torch.stack([query + start, index, key]))
        query, index, key = torch.cat(found, 1)
        self.same = KeysOfQueries(query, index, key, (batch, window))
        other = key + 1 < query
        self.after_same = KeysOfQueries(query[other], index[other], key[other] + 1, (batch, window))

    @cached_property
    def first_repeat(self) -> int:
        """The first position whose token stands earlier in its window; the window's length where there is none."""
        return int(self.same.query[0]) if len(self.same.query) else self.same.shape[1]
