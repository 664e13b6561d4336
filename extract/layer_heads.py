"""LayerHeads: what a measure may ask of one layer's heads, each thing worked out once and only when asked for.

No T×T matrix: single attention weights come from the log-sum-exp of their score row, means over keys from a second fused pass.
Everything is per query head, in float32 (float64 for a float64 model) whatever the model's type. Query 0 is never scored."""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from extract import kernels
from extract.errors import ModelRefusal
from extract.families import Family

_FEATURE_MULTIPLE = 8

PerQuery = Float[Tensor, "batch head query"]
PerScored = Float[Tensor, "batch head scored"]
Features = Float[Tensor, "batch head query feature"]


@dataclass(frozen=True)
class LayerWeights:
    """What the measures need of one layer's weights, worked out once per model.

    norm_factor: R_h with ‖R_h z‖ = ‖z W̃_O^h‖, W̃_O^h the head's output projection, each row centred where the stream feeds LayerNorms.
    value_bias: the constant part of every value, per query head; rows of attention sum to one, so it is the constant part of z too."""

    norm_factor: Float[Tensor, "head rank head_dim"]
    value_bias: Float[Tensor, "head head_dim"]
    centred: bool


def layer_weights(family: Family, block: nn.Module) -> LayerWeights:
    """Factorise one layer's output projection and fold its biases, in float64; kept in the type of the measures.

    Raises ModelRefusal where the attention's weights are stored in a type that is not a floating-point one."""
    quantised = [p.dtype for p in family.attention(block).parameters() if not p.is_floating_point()]
    if quantised:
        raise ModelRefusal(f"attention weights stored as {quantised[0]}", type(block).__name__, "load the model without quantisation")
    projection = family.output_projection(block)
    working = torch.promote_types(projection.dtype, torch.float32)
    rows = projection.double()
    if family.CENTRED:
        rows = rows - rows.mean(-1, keepdim=True)
    # A Gram matrix would give the same norm with the square of the condition number.
    factor = torch.linalg.qr(rows.mT, mode="r").R
    bias = family.value_bias(block)
    bias = bias.repeat_interleave(projection.shape[0] // bias.shape[0], 0)
    return LayerWeights(factor.to(working), bias.to(working), family.CENTRED)


@dataclass(frozen=True)
class LayerHeads:
    """One layer of one batch of full windows, exactly as the attention kernel saw it.

    q, k, v: after rotary positions, keys and values per key-value head; z: the heads' outputs before the output projection;
    lse: natural log-sum-exp of each score row, scale included; scale: factor of q·k; residual: the stream that enters the layer."""

    layer: int
    q: Float[Tensor, "batch head query head_dim"]
    k: Float[Tensor, "batch kv_head query head_dim"]
    v: Float[Tensor, "batch kv_head query head_dim"]
    z: Float[Tensor, "batch head query head_dim"]
    lse: Float[Tensor, "batch head query"]
    scale: float
    residual: Float[Tensor, "batch query d_model"]
    weights: LayerWeights

    @cached_property
    def first_key_mass(self) -> PerScored:
        """p_i0 for queries 1 … T−1."""
        return self._mass(self._first_key_score[..., 1:], 1)

    @cached_property
    def previous_key_mass(self) -> PerScored:
        """p_{i,i−1} for queries 2 … T−1: for query 1 the previous key is the first."""
        return self._mass(self._scores(self._working_q[:, :, 2:], self._working_k[:, :, 1:-1]), 2)

    @cached_property
    def self_mass(self) -> PerScored:
        """p_ii for queries 1 … T−1."""
        return self._mass(self._scores(self._working_q[:, :, 1:], self._working_k[:, :, 1:]), 1)

    @cached_property
    def entropy(self) -> PerScored:
        """−Σ_j p_ij ln p_ij in nats, for queries 1 … T−1.

        Taken relative to the first key: (lse − s q·k_0) − s q·Σ p (k_j − k_0), where the large terms of sink heads cancel beforehand."""
        mean_score = self._scores(self._working_q, self.key_means[..., : self.q.shape[-1]])
        return (self.lse - self._first_key_score - mean_score)[..., 1:].clamp(min=0)

    @cached_property
    def mean_distance(self) -> PerScored:
        """Σ_j p_ij (i − j) in tokens, for queries 1 … T−1."""
        position = torch.arange(self.q.shape[2], device=self.q.device)
        return torch.sub(position, self.key_means[..., self.q.shape[-1]])[..., 1:].clamp(min=0)

    @cached_property
    def output_norm(self) -> PerScored:
        """‖õ_i‖ for queries 1 … T−1: the norm of what the head writes, its constant part folded out, centred where the weights are."""
        varying = self.z[:, :, 1:].to(self._working) - self.weights.value_bias[:, None]
        norm: Tensor = torch.linalg.vector_norm(varying @ self.weights.norm_factor.mT, dim=-1)
        return norm

    @cached_property
    def layer_mean_norm(self) -> Float[Tensor, " batch"]:
        """Mean of the output norm over the layer's heads and each window's scored tokens, in float64."""
        return self.output_norm.mean((1, 2), dtype=torch.float64)

    @cached_property
    def relative_norm(self) -> Float[Tensor, "batch head scored"]:
        """r_i: the output norm over the layer's mean of it, in float64; 0 where no head of the layer writes anything."""
        mean = self.layer_mean_norm[:, None, None]
        return torch.div(self.output_norm, torch.where(mean > 0, mean, 1.0))

    @cached_property
    def residual_share(self) -> PerScored:
        """‖õ_i‖ / ‖x_i‖ for queries 1 … T−1, x the stream that enters the layer, centred where the weights are."""
        stream = self.residual[:, 1:].to(self._working)
        if self.weights.centred:
            stream = stream - stream.mean(-1, keepdim=True)
        return torch.div(self.output_norm, torch.linalg.vector_norm(stream, dim=-1)[:, None])

    @cached_property
    def key_means(self) -> Features:
        """The second pass through the fused kernel, once for all who ask."""
        return self.second_pass(kernels.attend)

    def second_pass(self, attend: kernels.Attend) -> Features:
        """Σ_j p_ij [k_j − k_0 | j | 0 …] for every query.

        Never in half precision, in which a position is rounded by a token and more."""
        window, dim = self.k.shape[2:]
        padding = _FEATURE_MULTIPLE - dim % _FEATURE_MULTIPLE
        q, k = F.pad(self._working_q, (0, padding)), F.pad(self._working_k, (0, padding))
        features = k - k[:, :, :1]
        features[..., dim] = torch.arange(window, device=k.device)
        return attend(q, k, features, self.scale)[0]

    @cached_property
    def _working(self) -> torch.dtype:
        return torch.promote_types(self.q.dtype, torch.float32)

    @cached_property
    def _working_q(self) -> Float[Tensor, "batch head query head_dim"]:
        return self.q.to(self._working)

    @cached_property
    def _working_k(self) -> Float[Tensor, "batch kv_head query head_dim"]:
        return self.k.to(self._working)

    @cached_property
    def _first_key_score(self) -> PerQuery:
        return self._scores(self._working_q, self._working_k[:, :, :1])

    def _scores(
        self, q: Float[Tensor, "batch head rows dim"], k: Float[Tensor, "batch some_head keys dim"]
    ) -> Float[Tensor, "batch head rows"]:
        """s q_i·k for one key per query, row by row; one key may serve all rows, one key-value head several query heads."""
        grouped = q.reshape(q.shape[0], k.shape[1], -1, *q.shape[2:])
        # Multiply and sum: a batched matrix product of single rows takes five times as long.
        return (grouped * k[:, :, None]).sum(-1).flatten(1, 2).mul(self.scale)

    def _mass(self, scores: PerScored, first: int) -> PerScored:
        # Never above one: a rounded log-sum-exp can be a little less than the greatest score.
        return (scores - self.lse[..., first:]).clamp(max=0).exp()
