"""Cells: values of an answer where they stand on a page, each with the name of its column.

A table names its question and run (data-question, data-run), a row its key (data-row), a cell its column: `<data value="…" data-cell="…">`.
Names, and the ends of a measure's interval, carry their text alone."""

from functools import cache

from report.facts import Value, inert, style_of, text_of
from report.heads_data import style_of_measure

Row = dict[str, Value]
MEASURED = ("mean", "low", "high")
# What has no shape of its own on a page: line breaks and tabulators get one, other control characters are shown as unknown.
SHAPES = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), "\ufffd") | {ord("\n"): "⏎", ord("\t"): "⇥"}


def cell(row: Row, column: str) -> str:
    """One value of a row as HTML: numbers with their value, names as text; a value of a measure is written as its unit asks."""
    value = row[column]
    if value is None or isinstance(value, str):
        return f'<span data-cell="{column}">{"n/a" if value is None else inert(value.translate(SHAPES))}</span>'
    measured = column in MEASURED and "measure" in row
    style = style_of_unit(str(row["measure"]), str(row["unit"])) if measured else style_of_column(column)
    text = text_of(value, style)
    if measured and column != "mean":
        return f'<span data-cell="{column}">{text}</span>'
    return f'<data value="{value}" data-cell="{column}">{text}</data>'


@cache
def style_of_column(column: str) -> str:
    """The style in which a column is written."""
    return style_of(column)


@cache
def style_of_unit(measure: str, unit: str) -> str:
    """The style in which a measure's values are written."""
    return style_of_measure(measure, unit)
