"""Two charts beside a figure: heads per band as the threshold moves, and the cumulative share of heads over the values themselves."""

import textwrap
from typing import Any

import altair as alt

from report import theme
from report.facts import Fact

Row = dict[str, Fact]
HEIGHT = 240
# Ranges are told apart by dashes as well as by colour.
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3])


def threshold_bands(title: str, legend: str, rows: list[Row], description: str) -> dict[str, Any]:
    """Vega-Lite specification of stacked bands over the threshold, on a scale of doublings; a line marks the figure's own.

    Args:
        title: name of the run.
        legend: what the bands are bands of.
        rows: facts of question threshold_curve.
        description: text alternative.
    """
    values = [
        {
            "threshold": row["threshold"].value,
            "label": row["threshold"].text,
            "band": row["band_label"].text,
            "heads": row["heads"].value,
            "stack": row["stack_ordinal"].value,
        }
        for row in rows
    ]
    bands = sorted({(int(str(row["stack_ordinal"].value)), row["band_label"].text, str(row["colour"].value)) for row in rows}, reverse=True)
    own = [{"threshold": row["threshold"].value} for row in rows if row["is_own"].value][:1]
    tops = sorted({float(str(row["threshold"].value)) for row in rows})
    axis = alt.Axis(format="~r", values=doublings(tops), grid=False)
    x = alt.X("threshold:Q", title="Threshold", scale=alt.Scale(type="log", base=2, domain=[tops[0], tops[-1]], nice=False), axis=axis)
    colour = alt.Color(
        "band:N",
        title=textwrap.wrap(legend, theme.LEGEND_CHARACTERS),
        sort=[band for _, band, _ in bands],
        scale=alt.Scale(domain=[band for _, band, _ in bands], range=[theme.fill(name) for _, _, name in bands]),
        legend=alt.Legend(orient="top", direction="horizontal", titleLimit=620, columns=5, symbolType="square", offset=10),
    )
    everything = max((int(str(row["all_heads"].value)) for row in rows), default=1)
    area = (
        alt.Chart(alt.Data(values=values))
        .mark_area(stroke="#2b3036", strokeWidth=0.5)
        .encode(
            x=x,
            y=alt.Y("heads:Q", title="# heads", stack="zero", scale=alt.Scale(domain=[0, everything], nice=False)),
            color=colour,
            order=alt.Order("stack:Q"),
            tooltip=[alt.Tooltip("label:N", title="Threshold"), alt.Tooltip("band:N", title="Band"), alt.Tooltip("heads:Q", title="Heads")],
        )
    )
    mark = alt.Chart(alt.Data(values=own)).mark_rule(strokeDash=[4, 3], strokeWidth=1.5, color="#2b3036").encode(x="threshold:Q")
    spec = finished(alt.layer(area, mark).properties(width=theme.WIDTH, height=HEIGHT, title=title, description=description))
    spec["usermeta"] = {"legend": legend, "ramps": [[theme.fill(name, safe) for _, _, name in bands] for safe in (False, True)]}
    return spec


def cumulative(title: str, legend: str, rows: list[Row], edges: list[float], description: str) -> dict[str, Any]:
    """Vega-Lite specification of the cumulative share of heads over their values, one line per layer range; band edges are ruled.

    Args:
        title: name of the run.
        legend: what the value is.
        rows: facts of question ecdf.
        edges: inner edges of the bands.
        description: text alternative.
    """
    values = [
        {
            "value": row["value"].value,
            "share": row["cumulative_pct"].value,
            "range": row["range_label"].text,
            "head": row["head_label"].text,
            "text": row["value"].text,
        }
        for row in rows
    ]
    ranges = list(dict.fromkeys(row["range_label"].text for row in rows))
    shades = [theme.DEPTH[place % len(theme.DEPTH)] for place in range(len(ranges))]
    dashes = [DASHES[place % len(DASHES)] for place in range(len(ranges))]
    legend_of_ranges = alt.Legend(orient="top", direction="horizontal", symbolType="stroke")
    ruled = (
        alt.Chart(alt.Data(values=[{"edge": edge} for edge in edges]))
        .mark_rule(strokeWidth=0.8, color=theme.GRID["light"])
        .encode(x="edge:Q")
    )
    lines = (
        alt.Chart(alt.Data(values=values))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("value:Q", title=textwrap.wrap(legend, theme.LEGEND_CHARACTERS), axis=alt.Axis(grid=False)),
            y=alt.Y("share:Q", title="% of heads at or below", scale=alt.Scale(domain=[0, 100])),
            color=alt.Color("range:N", title="Layers", sort=ranges, scale=alt.Scale(domain=ranges, range=shades), legend=legend_of_ranges),
            strokeDash=alt.StrokeDash(
                "range:N", title="Layers", sort=ranges, scale=alt.Scale(domain=ranges, range=dashes), legend=legend_of_ranges
            ),
            tooltip=[
                alt.Tooltip("head:N", title="Head"),
                alt.Tooltip("range:N", title="Layers"),
                alt.Tooltip("text:N", title="Value"),
            ],
        )
    )
    return finished(alt.layer(ruled, lines).properties(width=theme.WIDTH, height=HEIGHT, title=title, description=description))


def doublings(thresholds: list[float]) -> list[float]:
    """Powers of two within the thresholds: where the axis is marked."""
    return [2.0**power for power in range(-16, 17) if thresholds[0] <= 2.0**power <= thresholds[-1]]


def finished(chart: alt.LayerChart) -> dict[str, Any]:
    """The specification without the library's own look: the page brings the theme."""
    spec: dict[str, Any] = chart.to_dict(validate=False)
    spec.pop("config", None)
    return spec
