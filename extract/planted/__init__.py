"""Planted heads: small models whose weights are set by hand, so that what each head does is known before anything is measured.

The same twelve heads stand in every planted model, one model per family. A planted model reads windows whose tokens are numbered by
first appearance (`renumber`), so that any text's pattern of equal tokens can be shown to it: token 0 is the one a window begins with.
This file needs no model's library."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import numpy as np
from jaxtyping import Int64

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FAMILIES = ("gpt2", "llama")
TRIGGER = 5
"""The token after which the switch fires."""

# What a head looks at.
PREVIOUS, ITSELF, FIRST, EVERYWHERE = "the token before", "the token itself", "the first token", "every token alike"
SAME, AFTER_SAME = "every place of the same token", "what came after the same token, or the first token where nothing did"
# What it reads there, and where in the stream it writes.
TOKEN, TRIGGERED, NOT_FIRST, FIRST_TOKEN, NOTHING = "token", "trigger", "any but the first", "the first", "nothing"


@dataclass(frozen=True)
class Kind:
    """What a head does: where it looks, what it reads there, the channel it writes that to, and with which sign."""

    looks: str
    reads: str
    channel: str
    sign: int = 1


KINDS = {
    "previous": Kind(PREVIOUS, TOKEN, "before"),
    "self": Kind(ITSELF, TOKEN, "scratch"),
    "duplicate": Kind(SAME, TOKEN, "scratch"),
    "sink": Kind(FIRST, NOT_FIRST, "mark"),
    "constant": Kind(FIRST, FIRST_TOKEN, "mark"),
    "dead": Kind(EVERYWHERE, NOTHING, "mark"),
    "induction": Kind(AFTER_SAME, TOKEN, "token"),
    "negative induction": Kind(AFTER_SAME, TOKEN, "token", -1),
    "uniform": Kind(EVERYWHERE, TOKEN, "scratch"),
    "switch": Kind(PREVIOUS, TRIGGERED, "mark"),
    "copying": Kind(ITSELF, TOKEN, "token"),
    "anti-copying": Kind(ITSELF, TOKEN, "token", -1),
}


@dataclass(frozen=True)
class PlantedHead:
    """One head of a planted model, and what it is: a key of KINDS."""

    layer: int
    head: int
    kind: str


# What the second layer reads must be as long at every position, so the heads whose output varies in length stand in the second.
HEADS = tuple(PlantedHead(number // 6, number % 6, kind) for number, kind in enumerate(KINDS))
LAYERS, HEADS_PER_LAYER = 2, 6


@runtime_checkable
class Planter(Protocol):
    """What a family's file holds."""

    def plant(self, window: int) -> "PreTrainedModel":
        """The planted model, in float64, for windows of up to `window` tokens and as many different ones."""


def plant(family: str, window: int) -> "PreTrainedModel":
    """The planted model of a family, in float64, for windows of up to `window` tokens and as many different ones."""
    return cast(Planter, importlib.import_module(f"{__name__}.{family}")).plant(window)


def renumber(windows: Int64[np.ndarray, "windows window"]) -> Int64[np.ndarray, "windows window"]:
    """Each window's tokens numbered by first appearance: the same pattern of equal tokens, in the smallest vocabulary."""
    renumbered = np.empty_like(windows)
    for row, tokens in zip(renumbered, windows, strict=True):
        _, first, inverse = np.unique(tokens, return_index=True, return_inverse=True)
        row[:] = np.argsort(np.argsort(first))[inverse]
    return renumbered
