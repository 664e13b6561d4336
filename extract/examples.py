"""Where a head fires: of every head the scored tokens with the largest r, and some drawn at random from each band of r, shard by shard.

Taken in the same pass as the measures. Every token has a number of its own for every head, a keyed hash of the run's seed, the window, the
position, the layer and the head; the least numbers of a band are a uniform sample of it without replacement, whatever the order of windows
and the size of batches. Once a shard has filled its places, nearly every token is turned away by one comparison."""

import functools
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Int64
from torch import Tensor

from extract.attention import Receiver
from extract.layer_heads import LayerHeads
from extract.reservoir import ATTENTION, BANDS, DRAW, KINDS, NORM, PLACE, SOURCE, Reservoirs, rows_of

# Rows of attention worked out at a time.
_ROWS = 2048
PlaceKeys = Int64[Tensor, "batch scored"]
_EDGES = torch.tensor([band.low for band in BANDS[1:]], dtype=torch.float64)


class Examples:
    """The examples of a shard, filled while it is measured; run_examples.py makes the run's of them."""

    def __init__(self, seed: int, reservoirs: Reservoirs) -> None:
        self._seed, self._kept = seed, reservoirs

    def taking(self, first_window: int) -> Receiver:
        """The receiver of one forward over consecutive windows of the run, from `first_window` on."""
        return functools.partial(self._take, first_window, functools.cache(place_keys))

    def _take(self, first_window: int, keys_of: Callable[..., PlaceKeys], heads: LayerHeads) -> None:
        norm = heads.relative_norm
        batch, count, scored = norm.shape
        # The same in every layer.
        keys = keys_of(self._seed, range(first_window, first_window + batch), scored, norm.device)
        draw = draws(self._seed, heads.layer, count, keys)
        band = torch.bucketize(norm, _EDGES.to(norm.device), right=True) + 1
        self._kept.move(heads.layer, norm.device)
        last = self._kept.last_keys(heads.layer)
        wanted = torch.stack([-norm.view(torch.int64) <= last[:, :1], draw <= last[_column(count, norm), band]])
        drawn, b, h, s = wanted.nonzero(as_tuple=True)
        if not len(drawn):
            return
        kind = drawn * band[b, h, s]
        self._kept.insert(heads.layer, h, kind, rows_of(kind, b + first_window, s + 1, draw[b, h, s], norm[b, h, s]))
        self._look(heads, first_window)

    def _look(self, heads: LayerHeads, first_window: int) -> None:
        """Find what the new examples of this layer attend to most."""
        rows = self._kept.rows[heads.layer]
        new = self._kept.without_source(heads.layer)
        for start in range(0, len(new[0]), _ROWS):
            head, kind, slot = (part[start : start + _ROWS] for part in new)
            place = rows[head, kind, slot, PLACE]
            attention = heads.attention_of((place >> 32) - first_window, head, place & 0xFFFFFFFF)
            most = attention.amax(-1)
            key = torch.arange(attention.shape[1], device=attention.device, dtype=torch.int32)
            # Not argmax, which may give any of several equals.
            rows[head, kind, slot, SOURCE] = torch.where(attention == most[:, None], key, len(key)).amin(-1).long()
            rows[head, kind, slot, ATTENTION] = most.double().view(torch.int64)

    def to_table(self, run_id: str, shard: int) -> pa.Table:
        """Rows of table `example`."""
        cells, rows = (part.numpy() for part in self._kept.filled())
        (layer, head, kind), rows = cells.astype(np.int32).T, np.ascontiguousarray(rows.T)
        columns = {"layer": layer, "head": head, "kind": np.array([kind.name for kind in KINDS])[kind].tolist()}
        columns |= {"window": (rows[PLACE] >> 32).astype(np.int32), "position": (rows[PLACE] & 0xFFFFFFFF).astype(np.int32)}
        columns |= {"relative_norm": rows[NORM].view(np.float64), "draw": rows[DRAW], "source_position": rows[SOURCE].astype(np.int32)}
        columns |= {"source_attention": rows[ATTENTION].view(np.float64)}
        return pa.table({"run_id": pa.repeat(run_id, rows.shape[1]), "shard": pa.repeat(shard, rows.shape[1]), **columns})


def place_keys(seed: int, windows: range, scored: int, device: str | torch.device) -> PlaceKeys:
    """A scattered number per window and scored position of the run, from which those of its heads are made."""
    window, position = torch.tensor(windows, device=device), torch.arange(1, scored + 1, device=device)
    return mixed(mixed(mixed(torch.tensor(seed, device=device)) + window)[:, None] + position)


def draws(seed: int, layer: int, heads: int, places: PlaceKeys) -> Int64[Tensor, "batch head scored"]:
    """The number drawn per window, head and scored position: uniform over all 64-bit integers."""
    key = mixed(torch.tensor(~seed, device=places.device)) + layer
    head = mixed(mixed(key) + torch.arange(heads, device=places.device))
    return mixed(places[:, None] ^ head[:, None])


def mixed(x: Int64[Tensor, "*n"]) -> Int64[Tensor, "*n"]:
    """One step of splitmix64 from the state x, modulo 2^64: a bijection that scatters neighbouring numbers."""
    x = x + _GOLDEN
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * _FIRST
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * _SECOND
    return x ^ ((x >> 31) & 0x1FFFFFFFF)


def _signed(number: int) -> int:
    return number - (number >> 63 << 64)


# The masks above make a shift of signed numbers one of unsigned numbers, which torch has no arithmetic for.
_GOLDEN, _FIRST, _SECOND = (_signed(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def _column(count: int, like: Tensor) -> Int64[Tensor, "head 1"]:
    return torch.arange(count, device=like.device)[:, None]
