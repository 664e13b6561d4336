"""A chart's picture as values: what Vega wrote into the SVG for screen readers, the texts it prints, and how high its bars stand."""

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser

COLOUR = re.compile(r'\s(?:fill|stroke)="[^"]*"')
# A name may hold the marks that part a label's pieces: the last four are told by their names, in their order.
SAYS = re.compile(r"(?:^|.*; )Layers: (.*); Band: (.*); Heads: ([^;]*); Share of the range: ([^;]*)", re.DOTALL)


@dataclass(frozen=True)
class Bar:
    """A bar: range, band, heads and percentage as its label says them, with its fill; its height in pixels."""

    says: tuple[str, ...]
    height: float


@dataclass(frozen=True)
class Drawn:
    """A picture; `shape` is its markup without colours, `least_label` the height of the lowest bar that has its percentage printed."""

    shape: str
    bars: tuple[Bar, ...]
    texts: tuple[str, ...]
    ticks: tuple[str, ...]
    least_label: float


def drawn(markup: str) -> Drawn | None:
    """What a picture shows; None where it is no SVG."""
    tree = LexborHTMLParser(markup)
    if tree.css_first("svg") is None:
        return None
    bars = []
    for node in tree.css('[aria-roledescription="bar"]'):
        label = SAYS.fullmatch(node.attributes.get("aria-label") or "")
        says = (*(label.groups() if label else ("",) * 4), node.attributes.get("fill") or "")
        height = re.search(r"v(-?[\d.]+(?:e-?\d+)?)h", node.attributes.get("d") or "")
        bars.append(Bar(says, float(height.group(1)) if height else 0.0))
    texts = tuple(node.text() for node in tree.css("text"))
    ticks = tuple(node.text() for node in tree.css('[aria-label^="Y-axis"] .role-axis-label text'))
    marked = [node.attributes.get("aria-label") or "" for node in tree.css('[aria-roledescription="text mark"]')]
    return Drawn(COLOUR.sub("", markup), tuple(bars), texts, ticks, least_label(bars, len(marked)))


def least_label(bars: list[Bar], labels: int) -> float:
    """The height of the lowest labelled bar, where the `labels` highest have labels; beyond all where none has."""
    heights = sorted((bar.height for bar in bars), reverse=True)
    return heights[labels - 1] - 0.01 if 0 < labels <= len(heights) else float("inf")
