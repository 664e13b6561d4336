"""One token worked by hand: what every head of one layer writes there, for the page that explains activation."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedModel

from extract import families
from extract.attention import visit_layers
from extract.layer_heads import LayerHeads

_AROUND = 12
_LETTERS = 4


@runtime_checkable
class Tokenizer(Protocol):
    """What is asked of a tokenizer."""

    def decode(self, token_ids: list[int]) -> str: ...


@dataclass(frozen=True)
class WorkedRow:
    """One row of table `worked_token`, without its run: norms as in measure output_norm."""

    layer: int
    head: int
    window: int
    position: int
    text_before: str
    token: str
    text_after: str
    output_norm: float
    layer_mean_norm: float


def work_token(model: PreTrainedModel, tokenizer: Tokenizer, tokens: Int[Tensor, " window"], window_index: int) -> list[WorkedRow]:
    """Rows for every head of the middle layer, at the first whole word in the second half of the window, or at its middle.

    `window_index` is the window's place in the run. Raises ModelRefusal as `visit_layers` does."""
    layer = families.shape(model.config).layers // 2
    caught: list[LayerHeads] = []

    def keep(heads: LayerHeads) -> None:
        if heads.layer == layer:
            caught.append(heads)

    visit_layers(model, tokens[None], keep, last=layer)
    (heads,) = caught
    ids = tokens.tolist()
    position = _choose(tokenizer, ids)
    # Position 0 is the start token, which is no part of the text.
    before = tokenizer.decode(ids[max(1, position - _AROUND) : position])
    after = tokenizer.decode(ids[position + 1 : position + 1 + _AROUND])
    norms = heads.output_norm[0, :, position - 1].tolist()
    mean = heads.layer_mean_norm.item()
    token = tokenizer.decode([ids[position]])
    return [WorkedRow(layer, head, window_index, position, before, token, after, norm, mean) for head, norm in enumerate(norms)]


def _choose(tokenizer: Tokenizer, ids: list[int]) -> int:
    for position in range((len(ids) + 1) // 2, len(ids)):
        word = tokenizer.decode([ids[position]]).strip()
        if len(word) >= _LETTERS and word.isalpha():
            return position
    return len(ids) // 2
