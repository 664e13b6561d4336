"""The chart of the price of the threshold: rise of cross-entropy against the threshold, beside pairs of the same norm and a shrink."""

from typing import Any

import altair as alt

from report import theme
from report.facts import Fact

Row = dict[str, Fact]

# Random pairs in the same number cost so much more that they would flatten the rest; the table has them.
SHOWN = ("relative_norm", "random_matched", "shrink")
LINES = {"relative_norm": theme.LINES["green"], "random_matched": theme.LINES["orange"], "shrink": theme.LINES["red"]}


def price_curve(title: str, rows: list[Row], summary: Row, description: str) -> dict[str, Any]:
    """Vega-Lite specification of the curve; the budget is a line across it, the figure's threshold a line up.

    Args:
        title: name of the run.
        rows: facts of question price_curve.
        summary: facts of question price_summary.
        description: text alternative.
    """
    points = [point(row) for row in rows if row["rule"].value in SHOWN]
    kinds = list(dict.fromkeys((row["what"].text, LINES[str(row["rule"].value)]) for row in rows if row["rule"].value in SHOWN))
    base = alt.Chart(alt.Data(values=points))
    tooltip = [
        alt.Tooltip("what:N", title="Silenced"),
        alt.Tooltip("label:N", title="Threshold"),
        alt.Tooltip("rise_text:N", title="Rise, nats"),
        alt.Tooltip("silenced:N", title="Share of pairs"),
    ]
    x = alt.X(
        "threshold:Q",
        title="Threshold: output relative to the layer's mean",
        scale=alt.Scale(zero=False, padding=30),
        axis=alt.Axis(values=ticks(rows), format=".2f"),
    )
    y = alt.Y("rise:Q", title="Rise of cross-entropy, nats per prediction")
    colour = alt.Color(
        "what:N",
        title=None,
        scale=alt.Scale(domain=[name for name, _ in kinds], range=[colour for _, colour in kinds]),
        legend=alt.Legend(orient="top", direction="horizontal", symbolType="circle", columns=3),
    )
    bars = base.mark_rule(strokeWidth=2, opacity=0.55).encode(x=x, y="low:Q", y2="high:Q", color=colour)
    lines = base.mark_line(point=alt.OverlayMarkDef(size=70, filled=True)).encode(x=x, y=y, color=colour, tooltip=tooltip)
    limit = alt.Data(values=[{"budget": summary["budget_nats"].value, "text": f"budget: {summary['budget_nats'].text} nats"}])
    budget = alt.Chart(limit).mark_rule(strokeDash=[5, 4], strokeWidth=1.2).encode(y="budget:Q")
    # At the right end whatever the width: a fixed place beyond a narrow page would squeeze the plot to nothing.
    named = (
        alt.Chart(limit)
        .mark_text(align="right", dy=-7, fontSize=11)
        .encode(y="budget:Q", x=alt.value(alt.expr("width - 4")), text="text:N")
    )
    own = alt.Chart(alt.Data(values=[{"threshold": summary["threshold"].value}]))
    mark = own.mark_rule(strokeDash=[2, 3], strokeWidth=1.2).encode(x="threshold:Q")
    largest = [{**point(row), "text": "largest within the budget"} for row in rows if is_largest(row, summary)]
    reached = alt.Chart(alt.Data(values=largest))
    at = {"x": alt.X("threshold:Q"), "y": alt.Y("rise:Q")}
    ring = reached.mark_point(shape="circle", size=260, strokeWidth=1.6).encode(**at)
    told = reached.mark_text(align="left", dx=15, dy=14, fontSize=11).encode(text="text:N", **at)
    chart = alt.layer(budget, named, mark, bars, lines, ring, told).properties(
        width=theme.WIDTH, height=theme.HEIGHT, title=title, description=description
    )
    spec: dict[str, Any] = chart.to_dict(validate=False)
    spec.pop("config", None)
    return spec


def is_largest(row: Row, summary: Row) -> bool:
    """True for the point of the figure's rule at the largest threshold that stays within the budget."""
    return row["rule"].value == "relative_norm" and row["threshold"].value == summary["largest_threshold"].value


def point(row: Row) -> dict[str, Any]:
    """One point with its texts, made here because JavaScript rounds otherwise."""
    return {
        "what": row["what"].text,
        "threshold": row["threshold"].value,
        "label": row["threshold"].text,
        "rise": row["rise_nats"].value,
        "low": row["rise_low_nats"].value,
        "high": row["rise_high_nats"].value,
        "rise_text": row["rise_nats"].text,
        "silenced": row["silenced_pct"].text + " %",
    }


def ticks(rows: list[Row]) -> list[float]:
    """The thresholds that were tried, at most eight of them."""
    found = sorted({float(str(row["threshold"].value)) for row in rows})
    return found[:: max(1, len(found) // 8)]
