"""The histogram of a head's r as a picture inside its page: no script, the colours of the page's scheme."""

from report.facts import text_of
from report.heads.cells import Row, cell

WIDTH, HEIGHT, GAP = 624, 150, 3
# Room below the bars for the ticks.
TICKS = 22
# r at the ticks: the lowest edge, the usual threshold, the layer's mean, and what lies far above.
TICKED = (0.00390625, 0.0625, 0.5, 1.0, 4.0)
TITLE = "How r is spread over the tokens"
TEXT = "Bars from the quietest tokens on the left to the loudest on the right; the table below has their numbers."


def picture(rows: list[Row]) -> str:
    """A bar for each row with tokens as SVG; heights in proportion, the tallest as high as the picture. Empty without any tokens."""
    tallest = max((float(str(row["pct"])) for row in rows), default=0)
    if not tallest:
        return ""
    wide = WIDTH / len(rows)
    drawn = "".join(bar(row, number * wide, wide - GAP, tallest) + tick(row, number * wide) for number, row in enumerate(rows))
    return (
        '<svg class="head-histogram" role="img" aria-labelledby="histogram-title histogram-text" '
        f'viewBox="0 0 {WIDTH} {HEIGHT + TICKS}"><title id="histogram-title">{TITLE}</title>'
        f'<desc id="histogram-text">{TEXT}</desc>{drawn}</svg>'
    )


def bar(row: Row, left: float, width: float, tallest: float) -> str:
    """The bar of one row."""
    if not row["tokens"]:
        return ""
    height = HEIGHT * float(str(row["pct"])) / tallest
    kind = "" if row["is_active"] else ' class="quiet"'
    return f'<rect{kind} data-bar="{row["step"]}" x="{left:.1f}" y="{HEIGHT - height:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def tick(row: Row, left: float) -> str:
    """The tick below a row, where it has one."""
    if row["r_from"] not in TICKED:
        return ""
    return f'<text data-tick="{row["step"]}" x="{left:.1f}" y="{HEIGHT + TICKS - 6}">{text_of(row["r_from"], "plain")}</text>'


def rows_shown(rows: list[Row]) -> list[str]:
    """The rows of the table below the picture, as HTML."""
    return [
        f'<tr data-row="{row["step"]}"><td>{cell(row, "r_from")}</td><td>{cell(row, "tokens")}</td><td>{cell(row, "pct")}</td></tr>'
        for row in rows
    ]
