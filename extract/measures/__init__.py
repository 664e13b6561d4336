"""What is measured: one file per measure, the folder is the list.

A file holds MEASURE, the words and bounds that go into the database, and compute, the values. This file needs no model's library."""

import importlib
import pkgutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from extract.layer_heads import LayerHeads

MAX = sys.float_info.max


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
    condition: str = "natural text"
    position_low: int = 1
    position_end: int | None = None
    chance_of: str | None = None
    histogram_kind: str | None = None


@runtime_checkable
class MeasureModule(Protocol):
    """What a measure's file holds."""

    MEASURE: Measure

    def compute(self, heads: "LayerHeads") -> "Tensor":
        """float [batch, head, unit]: the scored values; a unit is a scored query, or a whole window."""


def names() -> list[str]:
    """The ids of the measures in this folder, in order: a file is called as its measure. Imports none of them."""
    return sorted(entry.name for entry in pkgutil.iter_modules(__path__))


def discover() -> tuple[MeasureModule, ...]:
    """Every measure in this folder, in the order of the file names."""
    return tuple(cast(MeasureModule, importlib.import_module(f"{__name__}.{name}")) for name in names())
