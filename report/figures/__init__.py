"""Figures: one .toml per figure – measure, threshold, bands, ranges and words; the folder is the list.

A figure applies to every run that has its measure. Edges and thresholds stand in the published file as rows, so nothing else in the code
knows them."""

import fnmatch
import math
import re
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from report import theme, toml_file
from report.errors import UsageRefusal

# Lowest band first; the last one stands on the baseline of the chart.
COLOURS = ("red", "orange", "dark yellow", "light yellow", "green")
REQUIRED = {"ordinal", "measure", "title", "legend", "bands", "words"}
OPTIONAL = {"threshold", "threshold_half_mean_of", "selection", "ranges", "range_edges", "primary_test"}
NAMES = {int: "whole number", str: "text", dict: "table"}
TEXTS = ("measure", "title", "legend")
OPTIONAL_TEXTS = ("threshold_half_mean_of", "selection")
MAX, GREATEST = sys.float_info.max, 2**31 - 1
WORDS = {"high", "low", "counts", "misreading"}
# Tests that a figure may name as its one primary test, the first where it names none: the permutation of whole layers, of Somers' D over
# all bands (report/trends.py). It is the only one that the texts have words for.
PRIMARY_TESTS = ("layer_permutation",)


@dataclass(frozen=True)
class Figure:
    """One figure: which measure it shows, how heads fall into bands and layers into ranges, and the words its text needs.

    `threshold` is fixed; `threshold_half_mean_of` names a measure: the threshold is then the stored edge nearest to half the run's mean of
    it. `primary_test` is the one trend test that is named before the data; every other is a companion or corrected for their number.
    """

    id: str
    ordinal: int
    measure: str
    title: str
    legend: str
    band_edges: tuple[float, ...]
    colours: tuple[str, ...]
    words: dict[str, str]
    threshold: float | None = None
    threshold_half_mean_of: str | None = None
    selection: str = "*"
    ranges: int = 4
    range_edges: tuple[int, ...] | None = None
    primary_test: str = PRIMARY_TESTS[0]

    def selects(self, run_id: str) -> bool:
        """True where the figure is drawn for this run."""
        # A run's own name always selects it, whatever marks of patterns it holds.
        return run_id == self.selection or fnmatch.fnmatchcase(run_id, self.selection)

    def edges_of_ranges(self, layers: int) -> tuple[int, ...]:
        """Edges of the layer ranges of a model with this many layers; floor(k·L/n + 1/2) unless the file gives them."""
        if self.range_edges is not None:
            if self.range_edges[0] != 0 or self.range_edges[-1] != layers:
                raise UsageRefusal(
                    f"range edges {list(self.range_edges)} do not cover layers 0..{layers - 1}",
                    f"figure {self.id}",
                    f"begin at 0 and end at {layers}",
                )
            return self.range_edges
        count = min(self.ranges, layers)
        return tuple(math.floor(k * layers / count + 0.5) for k in range(count + 1))


def colours_for(bands: int) -> tuple[str, ...]:
    """Colour names for this many bands, lowest first, spread over the palette."""
    if bands == 1:
        return (COLOURS[-1],)
    if bands > len(COLOURS):
        raise UsageRefusal(f"{bands} bands, but the palette holds {len(COLOURS)}", "bands", f"give at most {len(COLOURS) + 1} edges")
    return tuple(COLOURS[round(k * (len(COLOURS) - 1) / (bands - 1))] for k in range(bands))


def load(folder: Path = Path(__file__).parent) -> tuple[Figure, ...]:
    """All figures of a folder in their order.

    Raises:
        UsageRefusal: a file that is not TOML, misses a key, or whose bands or ranges do not ascend.
    """
    figures = sorted((read(path) for path in sorted(folder.glob("*.toml"))), key=lambda figure: figure.ordinal)
    if not figures:
        raise UsageRefusal("no figure files (.toml) there", str(folder), "copy those that you want from report/figures")
    for one, other in pairwise(figures):
        if one.ordinal == other.ordinal:
            raise UsageRefusal(f"figures {one.id} and {other.id} share ordinal {one.ordinal}", str(folder.name), "give each its own")
    return tuple(figures)


def read(path: Path) -> Figure:
    """One figure from its file; see `load` for the errors."""
    # The file's name is the figure's.
    toml_file.shown_text(path.stem, "the file's name", path.name)
    content = toml_file.read(path)
    if missing := sorted(REQUIRED - content.keys()):
        raise UsageRefusal(f"missing {', '.join(missing)}", path.name, "add them; any other figure file is an example")
    if unknown := sorted(content.keys() - REQUIRED - OPTIONAL):
        raise UsageRefusal(f"unknown key {unknown[0]}", path.name, f"use one of {', '.join(sorted(REQUIRED | OPTIONAL))}")
    for key, kind in (("ordinal", int), ("bands", dict), ("words", dict)):
        if type(content[key]) is not kind:
            raise UsageRefusal(f"{key} = {content[key]!r}", path.name, f"give a {NAMES[kind]}")
    if not 0 <= content["ordinal"] <= GREATEST:
        raise UsageRefusal(f"ordinal = {content['ordinal']}", path.name, f"give a whole number from 0 to {GREATEST}")
    texts = {key: content[key] for key in (*TEXTS, *OPTIONAL_TEXTS) if key in TEXTS or key in content}
    for key, text in (texts | {f"words.{key}": text for key, text in content["words"].items()}).items():
        refuse_unsayable(toml_file.shown_text(text, key, path.name), key, path.name)
    if "threshold" in content and "threshold_half_mean_of" in content:
        raise UsageRefusal("threshold and threshold_half_mean_of exclude each other", path.name, "keep one of them")
    if absent := sorted(WORDS - content["words"].keys()):
        raise UsageRefusal(f"missing words.{absent[0]}", path.name, "add it; any other figure file is an example")
    edges = ascending(content["bands"].get("edges"), "band edges", path.name)
    colours = known_colours(content["bands"].get("colours"), path.name) or colours_for(len(edges) - 1)
    if len(colours) != len(edges) - 1:
        raise UsageRefusal(f"{len(edges) - 1} bands but {len(colours)} colours", path.name, "give one colour per band, lowest band first")
    return Figure(
        id=path.stem,
        ordinal=int(content["ordinal"]),
        measure=str(content["measure"]),
        title=str(content["title"]),
        legend=str(content["legend"]),
        band_edges=edges,
        colours=colours,
        words=dict(content["words"]),
        threshold=threshold_of(content, path.name),
        threshold_half_mean_of=content.get("threshold_half_mean_of"),
        selection=str(content.get("selection", "*")),
        ranges=count_of_ranges(content.get("ranges", 4), path.name),
        range_edges=integer_edges(content["range_edges"], path.name) if "range_edges" in content else None,
        primary_test=known_test(content.get("primary_test", PRIMARY_TESTS[0]), path.name),
    )


def refuse_unsayable(text: str, key: str, where: str) -> None:
    """Refuse what no page can say as it stands: a digit in the figure's words, since numbers are facts, and a backslash."""
    if key.startswith("words.") and (digit := re.search(r"\d", text)):
        raise UsageRefusal(f"{key} holds the digit {digit[0]}", where, "write it in letters; numbers on a page come from the file")
    if "\\" in text:
        raise UsageRefusal(f"{key} holds a backslash, which a chart takes for the beginning of a code", where, "leave it out")


def ascending(edges: Any, what: str, where: str) -> tuple[float, ...]:
    """Edges as floats, refused unless there are two or more, finite and strictly ascending."""
    if not isinstance(edges, list) or len(edges) < 2 or not all(type(edge) in (int, float) and abs(edge) <= MAX for edge in edges):
        raise UsageRefusal(f"{what} must be a list of two finite numbers or more", where, "write for example [0, 20, 40, 60, 80, 100]")
    for low, high in pairwise(edges):
        if low >= high:
            raise UsageRefusal(f"{what} do not ascend: {low:g}, {high:g}", where, "list each edge once, from low to high")
    return tuple(float(edge) for edge in edges)


def integer_edges(edges: Any, where: str) -> tuple[int, ...]:
    """Layer edges, refused unless they are whole numbers that ascend."""
    numbers = ascending(edges, "range edges", where)
    if any(number != int(number) for number in numbers):
        raise UsageRefusal("range edges must be whole layers", where, "write for example [0, 12, 24, 36, 48]")
    return tuple(int(number) for number in numbers)


def count_of_ranges(count: Any, where: str) -> int:
    """Number of layer ranges, refused outside 1..12 (a chart of more bars cannot be read)."""
    if type(count) is not int or not 1 <= count <= 12:
        raise UsageRefusal(f"ranges = {count!r}", where, "give a whole number from 1 to 12")
    return count


def known_colours(colours: Any, where: str) -> tuple[str, ...]:
    """The names of colours, refused unless the palette has them; none where none are given."""
    if colours is None:
        return ()
    unknown = [colour for colour in colours if colour not in theme.PALETTE] if isinstance(colours, list) else [colours]
    if unknown:
        raise UsageRefusal(f"bands.colours has {unknown[0]!r}", where, f"list colours of {', '.join(theme.PALETTE)}")
    return tuple(colours)


def known_test(name: Any, where: str) -> str:
    """The primary test, refused unless it is one that a figure may name."""
    if name not in PRIMARY_TESTS:
        raise UsageRefusal(f"primary_test = {name!r}", where, f"use {' or '.join(PRIMARY_TESTS)}, or leave the key out")
    return str(name)


def threshold_of(content: dict[str, Any], where: str) -> float | None:
    """The fixed threshold, refused unless positive and finite; whether it is a stored edge is for `publish` to say."""
    threshold = content.get("threshold")
    if threshold is None:
        return None
    if type(threshold) not in (int, float) or not 0 < threshold <= MAX:
        raise UsageRefusal(f"threshold = {threshold}", where, "give a positive number that is an edge of the histogram, such as 0.5")
    return float(threshold)
