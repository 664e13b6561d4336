"""LayerHeads: what a measure may ask of one layer's heads, each thing worked out once and only when asked for.

Everything is per query head, in float32 (float64 for a float64 model) whatever the model's type. Query 0 is never scored. What the rows of
attention hold comes from the pass that computed the attention (blocked.py); the matrix itself is there for the asking, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from extract import blocked
from extract.blocked import Rows, Scoring
from extract.layer_weights import LayerWeights
from extract.same_token import SameTokens

PerScored = Float[Tensor, "batch head scored"]
PerToken = Float[Tensor, "batch 1 scored"]


@dataclass(frozen=True)
class LayerHeads:
    """One layer of one batch of full windows, exactly as the attention saw it.

    q, k, v: after rotary positions, keys and values per key-value head; rows: what the attention's rows hold; residual: the stream that
    enters the layer; tokens: where the windows repeat a token; mean_written: what each head writes on average over held-out windows, in
    the coordinates of `written`, where it was worked out."""

    layer: int
    q: Float[Tensor, "batch head query head_dim"]
    k: Float[Tensor, "batch kv_head query head_dim"]
    v: Float[Tensor, "batch kv_head query head_dim"]
    rows: Rows
    scoring: Scoring
    residual: Float[Tensor, "batch query d_model"]
    tokens: SameTokens
    weights: LayerWeights
    mean_written: Float[Tensor, "head rank"] | None = None

    @property
    def z(self) -> Float[Tensor, "batch head query head_dim"]:
        """The heads' outputs before the output projection, as they were worked out: the model goes on with them in its own type."""
        return self.rows.z

    @property
    def lse(self) -> Float[Tensor, "batch head query"]:
        """Natural log-sum-exp of each score row, scale included."""
        return self.rows.lse

    @property
    def first_key_mass(self) -> PerScored:
        """p_i0 for queries 1 … T−1."""
        return self.rows.first[..., 1:]

    @property
    def previous_key_mass(self) -> PerScored:
        """p_{i,i−1} for queries 2 … T−1: for query 1 the previous key is the first."""
        return self.rows.previous[..., 2:]

    @property
    def self_mass(self) -> PerScored:
        """p_ii for queries 1 … T−1."""
        return self.rows.own[..., 1:]

    @property
    def same_token_mass(self) -> PerScored:
        """Σ p_ij over earlier positions of the same token, for queries 1 … T−1."""
        return self.rows.same[..., 1:]

    @property
    def after_same_token_mass(self) -> PerScored:
        """Σ p_ij over positions j < i that follow an earlier position of query i's token, for queries 1 … T−1."""
        return self.rows.after_same[..., 1:]

    @property
    def entropy(self) -> PerScored:
        """−Σ_j p_ij ln p_ij in nats, for queries 1 … T−1."""
        return self.rows.entropy[..., 1:]

    @property
    def mean_distance(self) -> PerScored:
        """Σ_j p_ij (i − j) in tokens, for queries 1 … T−1."""
        return self.rows.distance[..., 1:]

    @property
    def sum_of_squares(self) -> PerScored:
        """Σ_j p_ij², for queries 1 … T−1."""
        return self.rows.squares[..., 1:]

    @cached_property
    def first_key_norm_share(self) -> PerScored:
        """p_i0 f_0 / Σ_j p_ij f_j with f_j the norm of what the head would write if it saw key j alone; 1 where every f is 0."""
        means = self.rows.means[..., 0]
        share = self.rows.first * self.value_norms(self.v[:, :, :1], self.weights)[..., 0] / torch.where(means > 0, means, 1.0)
        return torch.where(means > 0, share, 1.0)[..., 1:].clamp(max=1)

    @staticmethod
    def value_norms(v: Float[Tensor, "batch kv_head query head_dim"], weights: LayerWeights) -> Float[Tensor, "batch head query 1"]:
        """f_j: the norm of what each head would write if it saw key j alone."""
        group = weights.value_bias.shape[0] // v.shape[1]
        norms: Tensor = torch.linalg.vector_norm(weights.written(v.repeat_interleave(group, 1) if group > 1 else v), dim=-1, keepdim=True)
        return norms

    @property
    def visible(self) -> Float[Tensor, " scored"]:
        """How many keys queries 1 … T−1 see."""
        seen = torch.arange(2, self.q.shape[2] + 1, device=self.q.device, dtype=self.rows.lse.dtype)
        return seen if self.scoring.window is None else seen.clamp(max=self.scoring.window)

    @property
    def sees_first(self) -> Float[Tensor, "1 scored"]:
        """1 where a query sees the first key, 0 where that lies before its sliding window."""
        position = torch.arange(1, self.q.shape[2], device=self.q.device)
        return (position < (self.scoring.window or self.q.shape[2])).to(self.rows.lse.dtype)[None]

    def uniform(self, keys: Float[Tensor, "window scored"] | Int[Tensor, "window scored"]) -> Float[Tensor, "batch head scored"]:
        """The attention that a uniform head pays to so many of the keys it sees, for every head: the chance level."""
        share = (keys / self.visible)[:, None]
        return share.expand(self.q.shape[0], self.q.shape[1], -1)

    @cached_property
    def written(self) -> Float[Tensor, "batch head scored rank"]:
        """õ_i for queries 1 … T−1, in coordinates of the head's own that keep every length: what the head writes, its constant part folded
        out, centred where the weights are."""
        written = self.weights.written(self.z[:, :, 1:])
        return written if self._before_norm is None else written * self._before_norm

    @cached_property
    def output_norm(self) -> PerScored:
        """‖õ_i‖ for queries 1 … T−1."""
        norm: Tensor = torch.linalg.vector_norm(self.written, dim=-1)
        return norm

    @cached_property
    def deviation_norm(self) -> PerScored:
        """‖õ_i − mean õ‖ for queries 1 … T−1, the mean from held-out windows. Raises ValueError where that has not been worked out."""
        if self.mean_written is None:
            raise ValueError("deviation_norm needs mean outputs: give mean_outputs to measure_windows")
        norm: Tensor = torch.linalg.vector_norm(self.written - self.mean_written.to(self.written)[:, None], dim=-1)
        return norm

    @cached_property
    def output_energy(self) -> Float[Tensor, "batch head d_model"]:
        """Σ_i õ_i² in each dimension of the stream, over queries 1 … T−1: from the heads' outputs multiplied with themselves, so that what
        they write need not be there at every token."""
        varying = self.z[:, :, 1:].to(self._working) - self.weights.value_bias[:, None]
        if self._before_norm is not None:
            varying = varying * self._before_norm
        projection = self.weights.output_projection.to(self._working)
        mixed = varying.mT @ varying @ projection
        energy = (mixed * projection).sum(-2)
        if self.weights.centred:
            # (w − m)ᵀ C (w − m) for every column w of the projection, m their mean: no centred copy of it is made.
            cross = (mixed * projection.mean(-1, keepdim=True)).sum(-2)
            energy += cross.mean(-1, keepdim=True) - 2 * cross
        return energy.clamp(min=0)

    @cached_property
    def layer_mean_norm(self) -> Float[Tensor, " batch"]:
        """Mean of the output norm over the layer's heads and each window's scored tokens, in float64."""
        return self.output_norm.mean((1, 2), dtype=torch.float64)

    @cached_property
    def relative_norm(self) -> PerScored:
        """r_i: the output norm over the layer's mean of it, in float64; 0 where no head of the layer writes anything."""
        return relative(self.output_norm, self.layer_mean_norm)

    @cached_property
    def residual_share(self) -> PerScored:
        """‖õ_i‖ / ‖x_i‖ for queries 1 … T−1, x the stream that enters the layer, centred where the weights are."""
        stream = self.residual[:, 1:].to(self._working)
        if self.weights.centred:
            stream = stream - stream.mean(-1, keepdim=True)
        return torch.div(self.output_norm, torch.linalg.vector_norm(stream, dim=-1)[:, None])

    def attention_blocks(self) -> Iterator[tuple[int, Float[Tensor, "batch head rows key"]]]:
        """The attention matrix a block of rows at a time, for a measure that needs it whole: the block's first query, and its rows over the
        keys up to its last query. Costs as much as the attention did."""
        return blocked.weights(self.q, self.k, self.scoring, self.lse)

    def attention_of(self, window: Int[Tensor, " n"], head: Int[Tensor, " n"], query: Int[Tensor, " n"]) -> Float[Tensor, "n key"]:
        """Single rows of attention over all keys, for windows of this batch."""
        return blocked.rows_of(self.q, self.k, self.scoring, self.lse, (window, head, query))

    @cached_property
    def _before_norm(self) -> Float[Tensor, "batch 1 scored 1"] | None:
        """What the sum of all heads is divided by at each token where a norm stands before the stream, as a factor."""
        if self.weights.before_norm is None:
            return None
        return self.weights.before_norm.factor(self.z.to(self._working))[:, None, 1:, None]

    @property
    def _working(self) -> torch.dtype:
        return torch.promote_types(self.q.dtype, torch.float32)


def relative(norm: PerScored, mean: Float[Tensor, " batch"]) -> Float[Tensor, "batch head scored"]:
    """Norms over one mean per window, in float64; 0 where that mean is 0."""
    return torch.div(norm, torch.where(mean > 0, mean, 1.0)[:, None, None])
