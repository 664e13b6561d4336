"""Reservoirs: the examples that a run keeps of every head, each layer's on its own device, as rows of integers that merge in any order.

A kind keeps what comes first in its order: `largest` the greatest r, a band of r the least numbers drawn; equals by window and position.
The first 20 of a union are the first 20 of the first 20 of its parts, so batches, shards and interruptions leave no trace."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from extract.measures import MAX
from extract.placement import together

KEPT = 20
"""Examples per head and kind."""


class Kind(NamedTuple):
    """Which tokens are candidates: those with low ≤ r < high."""

    name: str
    low: float
    high: float


LARGEST = Kind("largest", 0.0, MAX)
BANDS = tuple(Kind(f"band_{n}", low, high) for n, (low, high) in enumerate([(0.0, 0.25), (0.25, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, MAX)]))
KINDS = (LARGEST, *BANDS)

FIELDS = 6
KEY, PLACE, DRAW, NORM, SOURCE, ATTENTION = range(FIELDS)
"""Columns of a row: what its kind is ordered by, window and position, the number drawn, r, the source's position and the attention to it.
Ratios stand there as the bits of a float64."""

UNKNOWN = -1
"""SOURCE of a row whose attention has not been looked at."""

_EMPTY = torch.iinfo(torch.int64).max

Rows = Int64[Tensor, "n 6"]


class Reservoirs:
    """rows: for each layer [head, kind, 20, field], each kind in its order; what is not filled yet stands at the end."""

    def __init__(self, rows: Sequence[Int64[Tensor, "head kind kept field"]]) -> None:
        self.rows = list(rows)

    @classmethod
    def empty(cls, layers: int, heads: int, device: str | torch.device) -> "Reservoirs":
        """Reservoirs that hold nothing."""
        return cls([torch.full((heads, len(KINDS), KEPT, FIELDS), _EMPTY, device=device) for _ in range(layers)])

    def move(self, layer: int, device: torch.device) -> None:
        """Keep a layer's examples on this device from now on."""
        self.rows[layer] = self.rows[layer].to(device)

    def last_keys(self, layer: int) -> Int64[Tensor, "head kind"]:
        """The key that a token of this layer must not exceed to be kept."""
        return self.rows[layer][:, :, KEPT - 1, KEY]

    def insert(self, layer: int, head: Int64[Tensor, " n"], kind: Int64[Tensor, " n"], new: Rows) -> None:
        """Merge rows of one layer, none of which may be there already."""
        cells = head * len(KINDS) + kind
        order = torch.argsort(new[:, PLACE], stable=True)
        for column in (new[:, KEY], cells):
            order = order[torch.argsort(column[order], stable=True)]
        cells = cells[order]
        rank = torch.arange(len(cells), device=cells.device) - torch.searchsorted(cells, cells)
        first = rank < KEPT
        there = self.rows[layer].flatten(0, 1)
        both = torch.cat([there, torch.full_like(there, _EMPTY)], 1)
        both[cells[first], KEPT + rank[first]] = new[order[first]]
        slots = torch.argsort(both[..., PLACE], stable=True)
        slots = slots.gather(1, torch.argsort(both[..., KEY].gather(1, slots), stable=True))[:, :KEPT]
        self.rows[layer] = both.gather(1, slots[..., None].expand(-1, -1, FIELDS)).view(self.rows[layer].shape)

    def without_source(self, layer: int) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"], Int64[Tensor, " n"]]:
        """Head, kind and slot of the rows of a layer whose attention is still to be looked at."""
        head, kind, slot = (self.rows[layer][..., SOURCE] == UNKNOWN).nonzero(as_tuple=True)
        return head, kind, slot

    def filled(self) -> tuple[Int64[Tensor, "n 3"], Rows]:
        """Layer, head and kind of every row that is there, and the rows, on the host."""
        rows = together(self.rows).cpu()
        there = rows[..., PLACE] != _EMPTY
        return there.nonzero()[:, :3], rows[there]


def rows_of(
    kind: Int64[Tensor, " n"],
    window: Int64[Tensor, " n"],
    position: Int64[Tensor, " n"],
    draw: Int64[Tensor, " n"],
    norm: Float64[Tensor, " n"],
) -> Rows:
    """Rows for tokens whose attention has not been looked at."""
    source = torch.full_like(window, UNKNOWN)
    return torch.stack(
        [keys(kind, draw, norm), window << 32 | position, draw, norm.view(torch.int64), source, torch.zeros_like(source)], -1
    )


def keys(kind: Int64[Tensor, "*n"], draw: Int64[Tensor, "*n"], norm: Float64[Tensor, "*n"]) -> Int64[Tensor, "*n"]:
    """What the kinds are ordered by, least first: the bits of numbers that are not negative are in the order of the numbers."""
    return torch.where(kind == 0, -norm.view(torch.int64), draw)
