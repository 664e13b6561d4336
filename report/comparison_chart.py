"""The chart of two runs: every head a point, its value in the one against its value in the other, coloured by layer range.

Like the bars, it hands all texts on as made in Python; the first layer carries the colours, as the site's script expects."""

from typing import Any

import altair as alt

from report import theme
from report.facts import Fact

LABELLED = 5
EDGE = 400


def scatter(title: str, axis: str, names: tuple[str, str], heads: list[dict[str, Fact]], description: str) -> dict[str, Any]:
    """Vega-Lite specification of the scatter chart.

    Args:
        title: what is compared, centred on top.
        axis: what the values are.
        names: titles of the two runs.
        heads: facts of question compare_all_heads, one dictionary per head.
        description: text alternative.
    """
    rows = points(heads)
    ranges = list(dict.fromkeys(row["range"] for row in rows))
    least, most = min((min(row["a"], row["b"]) for row in rows), default=0.0), max((max(row["a"], row["b"]) for row in rows), default=1.0)
    room = 0.04 * (most - least) or 0.5
    scale = alt.Scale(domain=[least - room, most + room], nice=False, zero=False)
    x = alt.X("a:Q", title=names[0], scale=scale, axis=alt.Axis(tickCount=8))
    y = alt.Y("b:Q", title=names[1], scale=scale, axis=alt.Axis(tickCount=8))
    tooltip = [alt.Tooltip(f"{name}:N", title=shown) for name, shown in tips(names)]
    colours = [spread(ramp, len(ranges)) for ramp in (theme.DEPTH, theme.SAFE_DEPTH)]
    legend = alt.Legend(orient="top", direction="horizontal", titleLimit=620, columns=6, symbolType="circle", offset=10)
    colour = alt.Color(
        "range:N",
        title="Layers",
        sort=ranges,
        scale=alt.Scale(domain=ranges, range=colours[0]),
        legend=legend,
    )
    base = alt.Chart(alt.Data(values=rows))
    dots = base.mark_circle(size=42, opacity=0.85).encode(x=x, y=y, color=colour, tooltip=tooltip)
    labels = base.transform_filter("datum.label != ''").mark_text(align="left", dx=7, fontSize=11).encode(x=x, y=y, text="label:N")
    ends = alt.Data(values=[{"a": least - room, "b": least - room}, {"a": most + room, "b": most + room}])
    diagonal = alt.Chart(ends).mark_line(color=theme.MIDDLE, strokeDash=[4, 4], strokeWidth=1).encode(x=x, y=y)
    chart = alt.layer(dots, labels, diagonal).properties(width=theme.WIDTH, height=EDGE, title=title, description=description)
    spec: dict[str, Any] = chart.to_dict(validate=False)
    spec.pop("config", None)
    spec["usermeta"] = {"legend": f"Layers. Values: {axis}", "ramps": colours}
    return spec


def points(heads: list[dict[str, Fact]]) -> list[dict[str, Any]]:
    """One row per head: where it stands, its texts, and a label where its difference is among the largest."""
    sizes = sorted((abs(float(str(head["difference_value"].value))) for head in heads), reverse=True)
    named = sizes[min(LABELLED, len(sizes)) - 1] if sizes else 0.0
    rows = []
    for head in heads:
        difference = abs(float(str(head["difference_value"].value)))
        label = head["head_label"].text if difference >= named and difference > 0 else ""
        row: dict[str, Any] = {"a": head["a_value"].value, "b": head["b_value"].value, "head": head["head_label"].text}
        row |= {"range": head["range_label"].text, "first": interval(head, "a"), "second": interval(head, "b")}
        rows.append(row | {"change": interval(head, "difference"), "label": label})
    return rows


def interval(head: dict[str, Fact], name: str) -> str:
    """A value with its interval, as text."""
    low, high = head[f"{name}_low"], head[f"{name}_high"]
    value = head[f"{name}_value"].text
    return value if low.value is None else f"{value} ({low.text} to {high.text})"


def tips(names: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Fields of a point's tooltip with their titles."""
    return (("head", "Head"), ("range", "Layers"), ("first", names[0]), ("second", names[1]), ("change", "Difference"))


def spread(ramp: tuple[str, ...], count: int) -> list[str]:
    """Colours for this many ranges, spread over the ramp; a long list goes round again."""
    if count > len(ramp):
        return [ramp[place % len(ramp)] for place in range(count)]
    return [ramp[round(place * (len(ramp) - 1) / max(count - 1, 1))] for place in range(count)]
