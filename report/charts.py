"""Charts: the stacked bars of one figure and run as a Vega-Lite specification, and as a picture for readers without JavaScript.

Every text in a chart – percentages, labels, counts – is made here in Python and handed on as text: JavaScript rounds otherwise."""

import json
import re
import textwrap
from functools import cache, lru_cache
from typing import Any

import altair as alt
import vl_convert

from report import theme
from report.facts import Fact

Segment = dict[str, Any]


def stacked_bars(title: str, legend: str, cells: list[dict[str, Fact]], description: str) -> dict[str, Any]:
    """Vega-Lite specification of the stacked bar chart.

    Args:
        title: name of the run, centred on top.
        legend: what the bands are bands of.
        cells: facts of question band_counts, one dictionary per range and band.
        description: text alternative.
    """
    rows = segments(cells)
    bands = sorted({(row["stack"], row["band"], row["colour"]) for row in rows}, reverse=True)
    ranges = list(dict.fromkeys(row["range"] for row in rows))
    x = alt.X("range:N", title="Layer", sort=ranges, scale=alt.Scale(paddingInner=0.28, paddingOuter=0.18))
    tooltip = [
        alt.Tooltip("range:N", title="Layers"),
        alt.Tooltip("band:N", title="Band"),
        alt.Tooltip("heads:N", title="Heads"),
        alt.Tooltip("percent:N", title="Share of the range"),
    ]
    base = alt.Chart(alt.Data(values=rows))
    colour = alt.Color(
        "band:N",
        title=textwrap.wrap(legend, theme.LEGEND_CHARACTERS),
        sort=[band for _, band, _ in bands],
        scale=alt.Scale(domain=[band for _, band, _ in bands], range=[theme.fill(name) for _, _, name in bands]),
        legend=alt.Legend(
            orient="top", direction="horizontal", titleLimit=620, columns=5, symbolType="square", symbolStrokeWidth=1, offset=10
        ),
    )
    tallest = max((row["high"] for row in rows), default=1)
    axis = alt.Axis(values=list(range(0, tallest + 1, step_of(tallest))), format="d")
    y = alt.Y("low:Q", title="# heads", axis=axis, scale=alt.Scale(domain=[0, tallest * theme.HEADROOM], nice=False))
    bars = base.mark_bar(stroke="#2b3036", strokeWidth=0.7).encode(x=x, y=y, y2="high:Q", color=colour, tooltip=tooltip)
    labels = (
        base.transform_filter(f"(datum.high - datum.low) / {tallest * theme.HEADROOM} * height >= {theme.LABEL_PIXELS}")
        .transform_calculate(middle="(datum.low + datum.high) / 2")
        .mark_text(fontSize=12, fontWeight=500)
        .encode(x=x, y="middle:Q", text="percent:N", fill=alt.Fill("ink:N", scale=None, legend=None), tooltip=tooltip)
    )
    chart = alt.layer(bars, labels).properties(width=theme.WIDTH, height=theme.HEIGHT, title=title, description=description)
    spec: dict[str, Any] = chart.to_dict(validate=False)
    spec.pop("config", None)
    spec["usermeta"] = {"legend": legend, "ramps": [[theme.fill(name, safe) for _, _, name in bands] for safe in (False, True)]}
    return spec


def step_of(tallest: int) -> int:
    """Heads from one mark of the axis to the next: one, two or five times a power of ten, for at most ten marks."""
    steps = (times * power for power in (1, 10, 100, 1_000, 10_000, 100_000) for times in (1, 2, 5))
    return next(step for step in steps if 9 * step >= tallest)


def segments(cells: list[dict[str, Fact]]) -> list[Segment]:
    """One row per non-empty segment: where it begins and ends in its bar, its texts and colours."""
    heights: dict[object, int] = {}
    rows: list[Segment] = []
    for cell in sorted(cells, key=lambda cell: (cell["range_ordinal"].value, cell["stack_ordinal"].value)):
        place, heads = cell["range_ordinal"].value, int(str(cell["heads"].value))
        low = heights.get(place, 0)
        heights[place] = low + heads
        colour = str(cell["colour"].value)
        row: Segment = {"range": cell["range_label"].text, "band": cell["band_label"].text, "heads": cell["heads"].text}
        row |= {"percent": cell["pct"].text + " %", "low": low, "high": low + heads, "stack": cell["stack_ordinal"].value, "colour": colour}
        row |= {"ink": theme.ink_on(theme.fill(colour)), "inkSafe": theme.ink_on(theme.fill(colour, safe=True))}
        rows.append(row)
    return rows


def svg(spec: dict[str, Any], scheme: str) -> str:
    """The chart as SVG, without JavaScript, in the light or dark scheme."""
    return _svg(json.dumps({**drawable(spec), "config": theme.vega_config(scheme)}))


def drawable(part: Any) -> Any:
    """The specification with a replacement character for each that XML has not, or that ends a line within an expression of Vega.

    One of the first ends the drawing library, and the process; one of the others is an error in the library and in the browser."""
    if isinstance(part, dict):
        return {name: drawable(value) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [drawable(value) for value in part]
    return re.sub("[^\t\n\r\x20-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", part) if isinstance(part, str) else part


def size(spec: dict[str, Any]) -> tuple[str, str]:
    """Width and height of the chart's picture in pixels: a page keeps its place while it loads."""
    found = re.search(r'<svg[^>]* width="([\d.]+)" height="([\d.]+)"', svg(spec, "light"))
    return (found.group(1), found.group(2)) if found else (str(theme.WIDTH), str(theme.HEIGHT))


def png(spec: dict[str, Any]) -> bytes:
    """The chart as PNG on white, at twice its size."""
    return _png(json.dumps({**drawable(spec), "config": theme.vega_config("light") | {"background": "white"}}))


# A picture hangs on its specification alone: a process that builds more sites than one draws each picture once.
@lru_cache(maxsize=1024)
def _svg(spec: str) -> str:
    picture: str = vl_convert.vegalite_to_svg(spec, vl_version="6.4")
    return picture


@lru_cache(maxsize=1024)
def _png(spec: str) -> bytes:
    picture: bytes = vl_convert.vegalite_to_png(spec, vl_version="6.4", scale=2)
    return picture


@cache
def script() -> str:
    """Vega, Vega-Lite and vega-embed as one script that defines `vegaEmbed`; nothing is loaded from another host."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version="6.4")
    return bundle
