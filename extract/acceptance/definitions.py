"""The published definitions, exactly as their authors' code computes them, from attention patterns of short windows without a start token.

They are not the definitions of this project's measures, which leave out query 0 and keep the first key. Every function is a formula over
whole patterns, so that what ours gives and what any other account gives can be put through the same one."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from transformers import PreTrainedModel

from extract.attention import visit_layers
from extract.layer_heads import LayerHeads

# Song et al. add so much to every key before they renormalise.
EPSILON = 1e-6

Pattern = Float[Tensor, "batch head query key"]
Values = Float[Tensor, "batch head"]
Formula = Callable[[Pattern], Values]


def first_key_share(pattern: Pattern) -> Values:
    """Mean over all queries, query 0 with its 1 included, of the attention to the first key (Gu et al., arXiv 2410.10781)."""
    return pattern[..., 0].mean(-1)


def induction(pattern: Pattern, segment: int) -> Values:
    """Mean attention from the second copy of a segment to the token after its first occurrence (Song et al.)."""
    return _mean_diagonal(pattern, segment - 1)


def previous_token(pattern: Pattern) -> Values:
    """Mean attention to the previous token, from query 2 on (Song et al.)."""
    return _mean_diagonal(pattern, 1)


def duplicate_token(pattern: Pattern, segment: int) -> Values:
    """Mean attention from the second copy of a segment to its first, with the first key removed likewise; the score is ours, the heads
    that it should find are those of the circuit for indirect objects (Wang et al., arXiv 2211.00593)."""
    return _mean_diagonal(pattern, segment)


def per_head(
    model: PreTrainedModel, tokens: Int[Tensor, "windows window"], formulas: dict[str, Formula], batch: int
) -> dict[str, Float64[Tensor, "windows layer head"]]:
    """Each formula's values of every window and head, on the host, `batch` windows at a time."""
    parts: list[dict[str, Tensor]] = []
    for windows in torch.split(tokens, batch):
        layers: list[dict[str, Tensor]] = []

        def receive(heads: LayerHeads, layers: list[dict[str, Tensor]] = layers) -> None:
            whole = pattern_of(heads)
            layers.append({name: formula(whole).double().cpu() for name, formula in formulas.items()})

        visit_layers(model, windows, receive)
        parts.append({name: torch.stack([values[name] for values in layers], 1) for name in formulas})
    return {name: torch.cat([part[name] for part in parts]) for name in formulas}


def pattern_of(heads: LayerHeads) -> Pattern:
    """The whole attention of one layer, put together from its blocks of rows: windows are short here."""
    batch, count, window = heads.q.shape[:3]
    whole = heads.lse.new_zeros(batch, count, window, window)
    for first, rows in heads.attention_blocks():
        whole[:, :, first : first + rows.shape[2], : rows.shape[3]] = rows
    return whole


def _mean_diagonal(pattern: Pattern, back: int) -> Values:
    """Mean of p_{i,i−back} over the queries for which that is a key other than the first, rows renormalised without the first key."""
    rest = pattern[..., 1:, 1:]
    rest = rest / (rest + EPSILON).sum(-1, keepdim=True)
    return rest.diagonal(-back, -2, -1).mean(-1)
