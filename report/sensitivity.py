"""The charts beside a figure that show what its choices do: bands over the threshold, and the values that the bands were cut from."""

from report import sensitivity_charts
from report.pages import Chart, Drawing, Pages, plain
from report.trust import Trust


def charts_of(pages: Pages, drawing: Drawing, sure: Trust) -> str:
    """Write the charts and give them as HTML; none for counts that somebody published, or where no head is shown."""
    if drawing.kind == "published" or not drawing.reading:
        return ""
    title, legend = str(drawing.coverage["run_title"].value), str(drawing.coverage["legend"].value)
    drawn = []
    keys = {"run_id": drawing.run_id, "figure": drawing.figure}
    if sure.threshold:
        told, slug = plain(sure.threshold), f"{drawing.slug}-thresholds"
        rows = pages.ledger.draw(slug, "threshold_curve", **keys)
        spec = sensitivity_charts.threshold_bands(f"{title}: bands over the threshold", legend, rows, told)
        drawn.append(Chart(slug, spec, told, rows))
    told, slug = plain(drawing.reading.details[0]), f"{drawing.slug}-cumulative"
    rows = pages.ledger.draw(slug, "ecdf", **keys)
    spec = sensitivity_charts.cumulative(f"{title}: cumulative share of heads", legend, rows, inner_edges(pages, drawing), told)
    drawn.append(Chart(slug, spec, told, rows))
    for chart in drawn:
        pages.write_chart(chart)
    return "\n".join(pages.chart(chart, "../../../") for chart in drawn)


def inner_edges(pages: Pages, drawing: Drawing) -> list[float]:
    """The edges between the figure's bands."""
    rows = pages.ledger.connection.execute(
        "select low from band where run_id = $1 and figure = $2 and band_ordinal > 0 order by low", [drawing.run_id, drawing.figure]
    ).fetchall()
    return [float(low) for (low,) in rows]
