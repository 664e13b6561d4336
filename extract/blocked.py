"""Causal attention, a block of query rows at a time: the heads' outputs, and every row statistic that the same block of weights holds.

A block is read again and again while it lies in the processor's cache, so that entropy, distance and single entries come at nearly the
price of the attention itself, and no T×T matrix is ever there. The arithmetic is plain PyTorch, in at least float32, on any device.

Scores are taken relative to the first key's: that costs nothing, the keys are shifted once, and the large terms of heads that park on the
first token cancel beforehand. A row whose weights would leave the range of the exponential is taken relative to its greatest score."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from extract.same_token import SameTokens

# What one block of weights may hold: on a CPU it should lie in the cache, on a GPU it should keep the device busy.
BLOCK_BYTES = {"cpu": 2**23, "cuda": 2**28}
# Beyond these sums of exponentials a square would overflow, or all have vanished.
_SMALLEST, _LARGEST = 1e-18, 1e18

Queries = Float[Tensor, "batch head query dim"]
Keys = Float[Tensor, "batch kv_head query dim"]
PerQuery = Float[Tensor, "batch head query"]
Flat = Float[Tensor, "all_heads query dim"]


@dataclass(frozen=True)
class Scoring:
    """How q·k becomes a score: times `scale`, then softcap·tanh(score / softcap), then plus key_bias_hj − key_bias_hi.

    ALiBi's key_bias is slope_h·j: by key and not by slope, since models round it, each in its own way. With a `window`, query i sees only
    the keys i − window < j ≤ i."""

    scale: float
    softcap: float | None = None
    window: int | None = None
    key_bias: Float[Tensor, "head key"] | None = None

    def first_visible(self, query: int) -> int:
        """The first key that a query sees."""
        return 0 if self.window is None else max(0, query - self.window + 1)


@dataclass(frozen=True)
class Rows:
    """What the rows p_i of every head's attention hold, in at least float32; z = Σ_j p_ij v_j, before it is rounded.

    lse: natural log-sum-exp of the scores; entropy: in nats; squares: Σ p²; first: p_i0; own: p_ii; previous: p_{i,i−1}, 0 for query 0;
    same: Σ p_ij over earlier positions of the same token; after_same: over the positions right after those, i itself left out;
    distance: Σ p_ij (i − j); means: Σ p_ij c_j for each column c that was given."""

    z: Queries
    lse: PerQuery
    entropy: PerQuery
    squares: PerQuery
    first: PerQuery
    own: PerQuery
    previous: PerQuery
    same: PerQuery
    after_same: PerQuery
    distance: PerQuery
    means: Float[Tensor, "batch head query column"]


def attend(q: Queries, k: Keys, v: Keys, scoring: Scoring, tokens: SameTokens, columns: Float[Tensor, "batch head query column"]) -> Rows:
    """Attention of every query head with its row statistics; key-value heads divide heads, each serves neighbouring query heads."""
    batch, heads, window, dim = q.shape
    scores = _Scores(q, k, scoring)
    position = torch.arange(window, device=q.device, dtype=scores.working).expand(batch * heads, -1)
    # The sum of the weights and their mean position are two more columns of the product that gives z; a width that is no multiple of
    # eight would cost a fifth more.
    more = torch.cat([torch.ones_like(position)[..., None], position[..., None], columns.flatten(0, 1)], -1)
    values = torch.cat([_flat(v, heads), F.pad(more, (0, -(dim + more.shape[-1]) % 8))], -1)
    mixed = torch.empty_like(values)
    sums = _Sums(*values.new_zeros(8, batch * heads, window))
    for start, end, low in scores.blocks():
        score, weight = scores.weigh(start, end, low)
        rows = torch.bmm(weight, values[:, low:end])
        out = _out_of_range(rows[..., dim])
        if out is not None:
            score[out], sums.shift[out, start:end] = scores.below_greatest(score[out], start, low)
            weight[out] = scores.masked(score[out].exp(), start, low)
            rows[out] = weight[out] @ values[out, low:end]
        mixed[:, start:end] = rows
        sums.take(score, weight, start, low)
        by_window = weight.view(batch, heads, end - start, end - low)
        sums.same[:, start:end] = tokens.same.sums(by_window, start, low).flatten(0, 1)
        sums.after_same[:, start:end] = tokens.after_same.sums(by_window, start, low).flatten(0, 1)
    total = mixed[..., dim]
    per_query = sums.per_query(total, scores.base) | {"distance": (position - mixed[..., dim + 1] / total).clamp_(min=0)}
    parts = {"z": mixed[..., :dim], "means": mixed[..., dim + 2 : dim + more.shape[-1]]}
    by_head = {name: (part / total[..., None]).view(batch, heads, window, -1) for name, part in parts.items()}
    return Rows(z=by_head["z"], means=by_head["means"], **{name: rows.view(batch, heads, window) for name, rows in per_query.items()})


def weights(q: Queries, k: Keys, scoring: Scoring, lse: PerQuery) -> Iterator[tuple[int, Float[Tensor, "batch head rows key"]]]:
    """The attention itself, a block of rows at a time: the first query of the block, and its rows over the keys up to the block's last."""
    scores = _Scores(q, k, scoring)
    norm = scores.base - lse.flatten(0, 1)
    for start, end, low in scores.blocks():
        weight = (scores.of(start, end, low) + norm[:, start:end, None]).clamp_(max=0).exp_()
        yield start, F.pad(scores.masked(weight, start, low), (low, 0)).view(*q.shape[:2], end - start, end)


def rows_of(
    q: Queries, k: Keys, scoring: Scoring, lse: PerQuery, place: tuple[Int[Tensor, " n"], Int[Tensor, " n"], Int[Tensor, " n"]]
) -> Float[Tensor, "n key"]:
    """Single rows of attention, one for each (window, head, query) of `place`."""
    window, head, query = place
    working = torch.promote_types(q.dtype, torch.float32)
    score = _products_of(q.to(working), k.to(working), place) * scoring.scale
    if scoring.softcap is not None:
        score = scoring.softcap * torch.tanh(score / scoring.softcap)
    offset = torch.arange(k.shape[2], device=k.device) - query[:, None]
    if scoring.key_bias is not None:
        bias = scoring.key_bias.to(score)
        score = score + (bias[head] - bias[head, query][:, None])
    seen = (offset <= 0) & (offset > -(scoring.window or k.shape[2]))
    return torch.where(seen, (score - lse[window, head, query][:, None]).clamp(max=0).exp(), 0.0)


def _products_of(q: Queries, k: Keys, place: tuple[Int[Tensor, " n"], Int[Tensor, " n"], Int[Tensor, " n"]]) -> Float[Tensor, "n key"]:
    """q_i·k_j of single queries, all that share keys in one product: to take the keys out for each query costs a hundred times as much."""
    window, head, query = place
    shared, order = torch.sort(window * k.shape[1] + head // (q.shape[1] // k.shape[1]), stable=True)
    slot = torch.arange(len(order), device=q.device) - torch.searchsorted(shared, shared)
    together = q.new_zeros(k.shape[0] * k.shape[1], int(slot.max()) + 1 if len(slot) else 0, q.shape[3])
    together[shared, slot] = q[window, head, query][order]
    products = torch.bmm(together, k.flatten(0, 1).mT)[shared, slot]
    return torch.empty_like(products).index_copy_(0, order, products)


@dataclass(frozen=True)
class _Sums:
    """Sums over the keys of each row, before they are divided by the sum of its weights; `shift` is what its scores were taken down by."""

    shift: Float[Tensor, "all_heads query"]
    entropy: Float[Tensor, "all_heads query"]
    squares: Float[Tensor, "all_heads query"]
    first: Float[Tensor, "all_heads query"]
    own: Float[Tensor, "all_heads query"]
    previous: Float[Tensor, "all_heads query"]
    same: Float[Tensor, "all_heads query"]
    after_same: Float[Tensor, "all_heads query"]

    def take(self, score: Float[Tensor, "all_heads rows key"], weight: Float[Tensor, "all_heads rows key"], start: int, low: int) -> None:
        """Add a block of rows from `start` on over the keys from `low` on. Overwrites the scores."""
        rows = slice(start, start + weight.shape[1])
        self.squares[:, rows] = torch.linalg.vector_norm(weight, dim=-1).square_()
        self.own[:, rows] = weight.diagonal(start - low, 1, 2)
        before = weight.diagonal(start - low - 1, 1, 2)
        self.previous[:, rows.stop - before.shape[1] : rows.stop] = before
        if low == 0:
            self.first[:, rows] = weight[..., 0]
        # In place: a product in a place of its own would take twice as long.
        self.entropy[:, rows] = score.mul_(weight).sum(-1)

    def per_query(self, total: Float[Tensor, "all_heads query"], base: Float[Tensor, "all_heads query"]) -> dict[str, Tensor]:
        """The statistics of Rows, but for z and means over the keys."""
        masses = {name: getattr(self, name) / total for name in ("first", "own", "previous", "same", "after_same")}
        entropy = (total.log() - self.entropy / total).clamp_(min=0)
        return masses | {"lse": base + self.shift + total.log(), "entropy": entropy, "squares": self.squares / total.square()}


class _Scores:
    """Scores of all heads, relative to `base`: the score of the first key, or 0 where a soft cap forbids to shift it."""

    def __init__(self, q: Queries, k: Keys, scoring: Scoring) -> None:
        self.scoring, self.working = scoring, torch.promote_types(q.dtype, torch.float32)
        self._window = q.shape[2]
        self._q = q.flatten(0, 1).to(self.working) * scoring.scale
        first = k[:, :, :1].to(self.working)
        if scoring.softcap is None:
            self._k = _flat(k.to(self.working) - first, q.shape[1])
            self.base = torch.bmm(self._q, _flat(first, q.shape[1]).mT)[..., 0]
        else:
            self._k = _flat(k.to(self.working), q.shape[1])
            self.base = self._q.new_zeros(self._q.shape[:2])
        self._bias = None if scoring.key_bias is None else scoring.key_bias.to(self._q).repeat(q.shape[0], 1)
        row = self._q.shape[0] * self._window
        self._rows = min(self._window, max(16, BLOCK_BYTES[q.device.type] // (row * self._q.element_size())))
        # Used again for every block: fresh memory would cost a fifth of the attention.
        self._scores, self._exponentials = self._q.new_empty(2, row * self._rows)

    def blocks(self) -> Iterator[tuple[int, int, int]]:
        """Blocks of rows [start, end), whose keys are [low, end)."""
        for start in range(0, self._window, self._rows):
            yield start, min(start + self._rows, self._window), self.scoring.first_visible(start)

    def weigh(self, start: int, end: int, low: int) -> tuple[Float[Tensor, "all_heads rows key"], Float[Tensor, "all_heads rows key"]]:
        """Scores and their exponentials, 0 for keys that a row does not see; both are overwritten by the next block's."""
        score = self.of(start, end, low)
        weight = torch.exp(score, out=self._exponentials[: score.numel()].view(score.shape))
        return score, self.masked(weight, start, low)

    def of(self, start: int, end: int, low: int) -> Float[Tensor, "all_heads rows key"]:
        """Scores of one block, overwritten by the next block's; those of keys that a row does not see mean nothing."""
        heads, rows, keys = self._q.shape[0], end - start, end - low
        score = torch.bmm(self._q[:, start:end], self._k[:, low:end].mT, out=self._scores[: heads * rows * keys].view(heads, rows, keys))
        if self.scoring.softcap is not None:
            score.div_(self.scoring.softcap).tanh_().mul_(self.scoring.softcap)
        if self._bias is not None:
            # The difference first: near the query it is small, and its two terms are not.
            score += self._bias[:, None, low:end] - self._bias[:, start:end, None]
        return score

    def masked(self, weight: Float[Tensor, "all_heads rows key"], start: int, low: int) -> Float[Tensor, "all_heads rows key"]:
        """The weights, 0 in place for every key that a row does not see."""
        weight[..., start - low :].tril_()
        if self.scoring.window is not None:
            weight.triu_(start - low - self.scoring.window + 1)
        return weight

    def below_greatest(
        self, score: Float[Tensor, "some_heads rows key"], start: int, low: int
    ) -> tuple[Float[Tensor, "some_heads rows key"], Float[Tensor, "some_heads rows"]]:
        """Scores relative to the greatest that each row sees, and those greatest."""
        unseen = self.masked(torch.ones_like(score[:1]), start, low) == 0
        greatest = score.masked_fill(unseen, -torch.inf).amax(-1)
        return score - greatest[..., None], greatest


def _out_of_range(total: Float[Tensor, "all_heads rows"]) -> Int[Tensor, " n"] | None:
    """The heads that have a row whose sum of weights overflows or vanishes."""
    fits = ((total > _SMALLEST) & (total < _LARGEST)).all(-1)
    return None if bool(fits.all()) else (~fits).nonzero()[:, 0]


def _flat(x: Float[Tensor, "batch some_head query dim"], heads: int) -> Flat:
    """Windows and heads in one dimension, key-value heads once per query head that reads them."""
    return x.repeat_interleave(heads // x.shape[1], 1).flatten(0, 1) if heads > x.shape[1] else x.flatten(0, 1)
