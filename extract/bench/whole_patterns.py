"""What other ways to the same numbers do: whole attention patterns, reduced layer by layer to the sums that the measures give.

The sums are those of sink, previous, self, duplicate and induction mass, entropy, mean distance and output norm, and the histogram of r."""

from collections import defaultdict
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Float64, Int, Int64
from torch import Tensor

from extract.layer_heads import relative
from extract.layer_weights import LayerWeights
from extract.tally import bins_per_head, sums_per_head

Pattern = Float[Tensor, "batch head query key"]


class PatternTally:
    """Sums of one forward over `tokens`. sums: measure id → one tensor per layer; bins: the histogram of r, likewise."""

    def __init__(self, tokens: Int[Tensor, "batch window"], weights: list[LayerWeights]) -> None:
        self._tokens, self._weights = tokens, weights
        self.sums: defaultdict[str, list[Float64[Tensor, "head 2"]]] = defaultdict(list)
        self.bins: list[Int64[Tensor, "head bin"]] = []

    def take(self, layer: int, pattern: Pattern, z: Float[Tensor, "batch head query head_dim"]) -> None:
        """Reduce one layer's attention and the heads' outputs before the output projection."""
        pattern = pattern.to(torch.promote_types(pattern.dtype, torch.float32))
        norm = self._output_norm(z, self._weights[layer])
        for name, values in (self._of_rows(pattern) | {"output_norm": norm}).items():
            self.sums[name].append(sums_per_head(values))
        self.bins.append(bins_per_head(relative(norm, norm.mean((1, 2), dtype=torch.float64))))

    def _of_rows(self, pattern: Pattern) -> dict[str, Float[Tensor, "batch head scored"]]:
        position = torch.arange(pattern.shape[-1], device=pattern.device, dtype=pattern.dtype)
        return {
            "sink_mass": pattern[..., 1:, 0],
            "previous_token_mass": pattern.diagonal(-1, -2, -1)[..., 1:],
            "self_mass": pattern.diagonal(0, -2, -1)[..., 1:],
            "duplicate_token_mass": torch.where(self._same[:, None], pattern, 0.0).sum(-1)[..., 1:],
            "induction_mass": torch.where(self._after_same[:, None], pattern, 0.0).sum(-1)[..., 1:],
            "entropy": torch.special.entr(pattern).sum(-1)[..., 1:] / (position[1:] + 1).log(),
            "mean_distance": (position - pattern @ position)[..., 1:],
        }

    @staticmethod
    def _output_norm(z: Float[Tensor, "batch head query head_dim"], weights: LayerWeights) -> Float[Tensor, "batch head scored"]:
        varying = z[:, :, 1:].to(weights.value_bias.dtype) - weights.value_bias[:, None]
        norm: Tensor = torch.linalg.vector_norm(varying @ weights.norm_factor.mT, dim=-1)
        return norm

    @cached_property
    def _same(self) -> Bool[Tensor, "batch query key"]:
        return (self._tokens[:, :, None] == self._tokens[:, None, :]).tril(-1)

    @cached_property
    def _after_same(self) -> Bool[Tensor, "batch query key"]:
        """Keys right after an earlier place of the query's token, the query itself left out."""
        after = torch.zeros_like(self._same)
        after[..., 1:] = self._same[..., :-1]
        return after.tril(-1)
