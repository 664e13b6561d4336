"""A chart's picture as values: what Vega wrote into the SVG for screen readers, the texts it prints, and how high its bars stand."""

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser

COLOUR = re.compile(r'\s(?:fill|stroke)="[^"]*"')


@dataclass(frozen=True)
class Bar:
    """A bar: its label, its fill, and its height in pixels."""

    label: str
    fill: str
    height: float

    def says(self, layers: str, band: str, heads: str, share: str) -> bool:
        """True where the label ends in these, in this order; names may hold its own marks, so it is not taken apart."""
        return f"; {self.label}".endswith(f"; Layers: {layers}; Band: {band}; Heads: {heads}; Share of the range: {share}")


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
        height = re.search(r"v(-?[\d.]+(?:e-?\d+)?)h", node.attributes.get("d") or "")
        label, fill = (node.attributes.get(name) or "" for name in ("aria-label", "fill"))
        bars.append(Bar(label, fill, float(height.group(1)) if height else 0.0))
    texts = tuple(node.text() for node in tree.css("text"))
    ticks = tuple(node.text() for node in tree.css('[aria-label^="Y-axis"] .role-axis-label text'))
    marked = [node.attributes.get("aria-label") or "" for node in tree.css('[aria-roledescription="text mark"]')]
    return Drawn(COLOUR.sub("", markup), tuple(bars), texts, ticks, least_label(bars, len(marked)))


def least_label(bars: list[Bar], labels: int) -> float:
    """The height of the lowest labelled bar, where the `labels` highest have labels; beyond all where none has."""
    heights = sorted((bar.height for bar in bars), reverse=True)
    return heights[labels - 1] - 0.01 if 0 < labels <= len(heights) else float("inf")
