"""Charts of one measure over all heads: the map of layers × heads, the profile over layers, the cumulative share, and the scatter of two.

Three are drawn as pictures too, with the default measure; what a browser draws has its data put in by assets/head-map.js, which also sets
titles and scales: one specification serves every measure."""

import math
from dataclasses import dataclass
from typing import Any

import altair as alt

from report import theme
from report.facts import Fact, script_safe

Row = dict[str, Fact]
HEIGHT = 240
CELL = 15
# Parameters that a page sets: whether heads are chosen, which ones, on which of them the keyboard stands, and the colour of its frame.
PARAMETERS = {"any": False, "chosen": {}, "few": False, "stand": "", "ink": "#000000", "sorted": False}
CHOSEN = "any && chosen[datum.name]"
# From such a spread on a scale is no longer in equal steps.
SKEWED = 8
DECADES = 20


@dataclass(frozen=True)
class Scale:
    """How a measure becomes a place or a colour: `kind` is linear, sqrt, log or diverging (linear, around nought)."""

    kind: str
    low: float
    high: float

    @property
    def vega(self) -> alt.Scale:
        """The scale of an axis."""
        return alt.Scale(type="linear" if self.kind == "diverging" else self.kind, domain=[self.low, self.high], nice=self.kind != "log")  # type: ignore[arg-type]


def scale_of(low: float | None, unit: str, values: list[float]) -> Scale:
    """The scale that suits a measure of some heads.

    Percentages stand on the whole of theirs; what may be negative is put around nought; shares of which most are small beside the largest
    are drawn in square roots; numbers without an upper bound over more than a decade in logarithms.
    """
    if not values:
        return Scale("linear", 0, 1)
    least, most = min(values), max(values)
    if low is None or low < 0:
        reach = rounded_up(max(abs(least), abs(most))) or 1
        return Scale("diverging", -reach, reach)
    if unit == "%":
        return Scale("linear", 0, 100)
    if unit != "share" and least > 0 and most / least >= DECADES:
        return Scale("log", -rounded_up(-least), rounded_up(most))
    middle = sorted(values)[len(values) // 2]
    return Scale("sqrt" if most > SKEWED * middle else "linear", 0, rounded_up(most) or 1)


def rounded_up(value: float) -> float:
    """A value rounded up to two significant digits."""
    if not value:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{math.ceil(round(value / step, 6)) * step:.6g}")


def side(name: str, title: str, **more: Any) -> Any:
    """One side of the map; `more` is of its axis."""
    axis = alt.Axis(labelOverlap="parity", domain=False, ticks=False, labelAngle=0, grid=False, **more)
    return {"x": alt.X, "y": alt.Y}[name](title=title, axis=axis, scale=alt.Scale(paddingInner=0.06, paddingOuter=0.03))


def map_picture(title: str, unit: str, scale: Scale, rows: list[Row], description: str) -> dict[str, Any]:
    """Vega-Lite specification of the map as a picture; the colours are those of the scheme it is drawn in."""
    values = [{"layer": row["layer"].value, "head": row["head"].value, "value": row["value"].value} for row in rows]
    x, y = side("x", "Layer"), side("y", "Head")
    base = alt.Chart(alt.Data(values=values)).encode(x=x.field("layer").type("ordinal"), y=y.field("head").type("ordinal"))
    colours = alt.Scale(
        type="linear" if scale.kind == "diverging" else scale.kind,  # type: ignore[arg-type]
        domain=[scale.low, scale.high],
        range="diverging" if scale.kind == "diverging" else "heatmap",
    )
    # A gradient names its colours outside of what pictures of both schemes share.
    legend = alt.Legend(type="symbol", symbolType="square", orient="top", direction="horizontal", symbolSize=180)
    cells = (
        base.transform_filter("datum.value !== null")
        .mark_rect()
        .encode(color=alt.Color("value:Q", title=unit, scale=colours, legend=legend))
    )
    height = max(120, CELL * len({row["head"].value for row in rows}))
    return finished(alt.layer(cells, missing(base)).properties(width=theme.WIDTH, height=height, title=title, description=description))


def missing(base: alt.Chart) -> alt.Chart:
    """A stroke through the place of each head without a value."""
    return base.transform_filter("datum.value === null").mark_point(
        shape="M-0.5,0.5L0.5,-0.5", size=90, stroke="#8a919a", strokeWidth=1.4, filled=False, opacity=1
    )


def profile_picture(title: str, measure: str, scale: Scale, rows: list[Row], description: str) -> dict[str, Any]:
    """Vega-Lite specification of the heads by layer, with each layer's mean as a line, as a picture."""
    values = [{name: row[name].value for name in ("layer", "value", "layer_mean")} for row in rows if row["value"].value is not None]
    layers = len({row["layer"].value for row in rows})
    return sized(profile(alt.Data(values=values), measure, scale, layers, "mean(layer_mean):Q"), title, description)


def profile(data: Any, measure: str, scale: Scale, layers: int, mean: str, tooltip: list[alt.Tooltip] | None = None) -> alt.LayerChart:
    """Heads as dots by layer, and a line through the layers' means."""
    depth = alt.Scale(domain=[-0.5, layers - 0.5], nice=False)
    base = alt.Chart(data).encode(x=alt.X("layer:Q", title="Layer", axis=alt.Axis(format="d", tickMinStep=1, grid=False), scale=depth))
    y = alt.Y("value:Q", title=measure, scale=scale.vega)
    dots = base.mark_circle(size=22, opacity=0.45, color=theme.DOTS, aria=tooltip is None).encode(y=y)
    line = base.mark_line(strokeWidth=2.2, color=theme.DOTS, point={"size": 26, "color": theme.DOTS}).encode(y=alt.Y(mean, title=measure))
    return alt.layer(line, dots) if tooltip is None else alt.layer(line, dots.encode(tooltip=tooltip), chosen(dots.encode(tooltip=tooltip)))


def ecdf_picture(title: str, measure: str, scale: Scale, rows: list[Row], description: str) -> dict[str, Any]:
    """Vega-Lite specification of the share of heads at or below each value, as a picture."""
    values = [{"value": row["value"].value, "share": row["cumulative_pct"].value} for row in rows if row["value"].value is not None]
    return sized(ecdf(alt.Data(values=values), measure, scale), title, description)


def ecdf(data: Any, measure: str, scale: Scale) -> alt.LayerChart:
    """The share of heads at or below each value, as steps."""
    base = alt.Chart(data).encode(
        x=alt.X("value:Q", title=measure, scale=scale.vega, axis=alt.Axis(grid=False)),
        y=alt.Y("share:Q", title="% of heads at or below", scale=alt.Scale(domain=[0, 100])),
    )
    return alt.layer(base.mark_line(interpolate="step-after", strokeWidth=2, color=theme.DOTS))


def live_specifications() -> dict[str, dict[str, Any]]:
    """What a browser draws, without data: `map`, `scatter`, `profile` and `ecdf`."""
    heads, anything = alt.NamedData("heads"), Scale("linear", 0, 1)
    tooltip = [alt.Tooltip(f"{name}:N", title=title) for name, title in (("name", "Head"), ("said", "Value"), ("label", "Label"))]
    faded = alt.condition(f"!any || ({CHOSEN})", alt.value(1), alt.value(0.3))
    # Heads that stand by their value have no place of their own to be named by.
    down = side("y", "Head", labelExpr="sorted ? '' : datum.label").field("place").type("ordinal")
    base = alt.Chart(heads).encode(x=side("x", "Layer").field("layer").type("ordinal"), y=down)
    cells = base.mark_rect(cursor="pointer", aria=False).encode(
        fill=alt.Fill("fill:N", scale=None, legend=None),
        opacity=faded,
        stroke=alt.condition(CHOSEN, alt.value(theme.CHOSEN), alt.value("transparent")),
        strokeWidth=alt.value(2),
        tooltip=tooltip,
    )
    frame = base.transform_filter("datum.name === stand").mark_rect(
        fillOpacity=0,
        strokeWidth=2.5,
        stroke={"expr": "ink"},
        aria=False,  # type: ignore[arg-type]
    )
    both = [tooltip[0], alt.Tooltip("across:N", title="Across"), alt.Tooltip("up:N", title="Up"), tooltip[2]]
    curve = ecdf(heads, "", anything)
    steps = alt.Chart(heads).mark_circle().encode(x=alt.X("value:Q", scale=anything.vega), y="share:Q", tooltip=tooltip)
    return {
        "map": live(alt.layer(cells, missing(base), frame)),
        "scatter": live(scatter(heads, both)),
        "profile": live(profile(heads, "", anything, 1, "mean(value):Q", tooltip)),
        "ecdf": live(alt.layer(curve, chosen(steps))),
    }


def chosen(dots: alt.Chart, cursor: str = "default") -> alt.Chart:
    """The chosen ones of some dots, to lie above the others."""
    found = dots.transform_filter(CHOSEN)
    return found.mark_circle(size=36, color=theme.CHOSEN, opacity=1, cursor=cursor, aria=False)  # type: ignore[arg-type]


def scatter(heads: Any, tooltip: list[alt.Tooltip]) -> alt.LayerChart:
    """Two measures of each head; what is chosen with the pointer stands in a frame, few chosen heads have their intervals."""
    scale = Scale("linear", 0, 1).vega
    x, y = alt.X("x:Q", title="", scale=scale), alt.Y("y:Q", title="", scale=scale)
    box = (
        alt.Chart(alt.NamedData("box"))
        .mark_rect(fill="#8a919a", fillOpacity=0.14, stroke="#8a919a", aria=False)
        .encode(x=alt.X("low_x:Q", title="", scale=scale), x2="high_x:Q", y=alt.Y("low_y:Q", title="", scale=scale), y2="high_y:Q")
    )
    sure = alt.Chart(heads).transform_filter(f"few && {CHOSEN}")
    bars = {"strokeWidth": 1, "color": theme.CHOSEN, "opacity": 0.55, "aria": False}
    across = (
        sure.transform_filter("isValid(datum.low_x)")
        .mark_rule(**bars)
        .encode(x=alt.X("low_x:Q", title="", scale=scale), x2="high_x:Q", y=y)
    )
    up = (
        sure.transform_filter("isValid(datum.low_y)")
        .mark_rule(**bars)
        .encode(y=alt.Y("low_y:Q", title="", scale=scale), y2="high_y:Q", x=x)
    )
    dots = alt.Chart(heads).encode(x=x, y=y, tooltip=tooltip)
    every = dots.mark_circle(size=34, color=theme.DOTS, opacity=0.5, cursor="pointer", aria=False)
    return alt.layer(box, every, across, up, chosen(dots.mark_circle(), "pointer"))


def live(chart: alt.LayerChart) -> dict[str, Any]:
    """A specification whose data and parameters a page sets."""
    spec = finished(chart)
    spec["params"] = [{"name": name, "value": value} for name, value in PARAMETERS.items()]
    return spec


def sized(chart: alt.LayerChart, title: str, description: str) -> dict[str, Any]:
    """The specification of a picture."""
    return finished(chart.properties(width=theme.WIDTH, height=HEIGHT, title=title, description=description))


def finished(chart: alt.LayerChart) -> dict[str, Any]:
    """The specification without the library's own look: the page brings the theme."""
    spec: dict[str, Any] = chart.to_dict(validate=False)
    spec.pop("config", None)
    return spec


def script() -> str:
    """The script file that hands the specifications to the page's own."""
    return f"window.headcountHeadMap = {script_safe(live_specifications())};\n"
