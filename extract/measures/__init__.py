"""What is measured: one file per measure, the folder is the list.

A file holds MEASURE, the words and bounds that go into the database, and compute, the values. This file needs no model's library."""

import importlib
import pkgutil
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from extract.layer_heads import LayerHeads

MAX = sys.float_info.max

NATURAL, HELD_OUT, REPEATED, WEIGHTS = "natural text", "held-out natural text", "repeated random tokens", "weights"
"""What a measure is measured on: its `condition`."""


@dataclass(frozen=True)
class Measure:
    """One row of table `measure`. `high` is MAX where nothing bounds the value; positions are of queries, `position_end` excluded.

    With a histogram_kind, the values are binned into that histogram and the measure is computed from it at a threshold."""

    id: str
    title: str
    unit: str
    low: float
    high: float
    definition: str
    source: str
    condition: str = NATURAL
    position_low: int = 1
    position_end: int | None = None
    chance_of: str | None = None
    histogram_kind: str | None = None

    def between(self, low: int, end: int | None) -> "Measure":
        """The same at the query positions from `low` up to `end`, which is left out; None: to the end of the window."""
        suffix = f"_{low}_{end or 'on'}"
        where = f"positions {low} to {end - 1}" if end else f"positions from {low} on"
        return replace(
            self,
            id=self.id + suffix,
            title=f"{self.title}, {where}",
            definition=f"{self.definition.rstrip('.')}. Only {where} of the window are scored.",
            position_low=low,
            position_end=end,
            histogram_kind=None if self.histogram_kind is None else self.histogram_kind + suffix,
        )

    def chance(self) -> "Measure":
        """What a head with uniform attention over the keys that it sees would get, on the same queries: the measure's chance level."""
        title, definition = (text[0].lower() + text[1:] for text in (self.title, self.definition))
        return replace(
            self,
            id=f"{self.id}_chance",
            title=f"Chance level of {title}",
            definition=f"What a head with uniform attention over all keys that it sees would get: {definition}",
            source="This project: the same queries, uniform attention.",
            chance_of=self.id,
        )

    def pick(self, values: "Tensor") -> "Tensor":
        """Of values per query from 1 on, [batch, head, scored], those at this measure's positions."""
        return values[..., self.position_low - 1 : None if self.position_end is None else self.position_end - 1]


@runtime_checkable
class MeasureModule(Protocol):
    """What a measure's file holds."""

    MEASURE: Measure

    def compute(self, heads: "LayerHeads") -> "Tensor":
        """float [batch, head, unit]: the scored values; a unit is a scored query, or a whole window."""


def names() -> list[str]:
    """The ids of the measures in this folder, in order: a file is called as its measure. Imports none of them."""
    return sorted(entry.name for entry in pkgutil.iter_modules(__path__))


def discover(*conditions: str) -> tuple[MeasureModule, ...]:
    """Every measure in this folder, in the order of the file names; with `conditions`, only those measured on one of them.

    Raises ValueError for a condition that no pass of a run measures under."""
    modules = [cast(MeasureModule, importlib.import_module(f"{__name__}.{name}")) for name in names()]
    for measure in (module.MEASURE for module in modules):
        if measure.condition not in (NATURAL, HELD_OUT, REPEATED, WEIGHTS):
            raise ValueError(f"measure {measure.id}: condition {measure.condition!r} is none of NATURAL, HELD_OUT, REPEATED, WEIGHTS")
    return tuple(module for module in modules if not conditions or module.MEASURE.condition in conditions)
