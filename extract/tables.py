"""Published tables: reads a CSV of heads or of counts, and the edges of bands, and refuses what cannot be used.

A refusal names the line of the table, counted from 1 with the header."""

import csv
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from extract.config import plain_text, run_name
from extract.errors import UsageRefusal
from extract.text_file import read_text

BANDS = 5
LARGEST_TABLE = 2**28
COUNT_COLUMNS = ("figure", "range_ordinal", "range_label", "first_layer", "end_layer", "band_ordinal", "band_colour", "heads")

Line = tuple[int, dict[str, str]]


def read_heads(table: Path) -> dict[tuple[int, int], float]:
    """The value of each (layer, head), in that order: every head of every layer, once. Raises UsageRefusal where it is not so."""
    values: dict[tuple[int, int], float] = {}
    for number, line in _lines(table, ("layer", "head", "value")):
        place = _whole(line["layer"], "layer", table, number), _whole(line["head"], "head", table, number)
        if place in values:
            raise UsageRefusal(f"L{place[0]}H{place[1]} stands twice", f"{table.name}, line {number}", "keep one line per head")
        values[place] = _number(line["value"], table, number)
    layers, heads = max(layer for layer, _ in values) + 1, max(head for _, head in values) + 1
    if len(values) < layers * heads:
        layer, head = next(place for place in itertools.product(range(layers), range(heads)) if place not in values)
        what = f"{layers * heads - len(values)} of {layers} x {heads} heads are missing, the first is L{layer}H{head}"
        raise UsageRefusal(what, table.name, "give a line for every head of every layer")
    return dict(sorted(values.items()))


def read_counts(table: Path) -> list[dict[str, object]]:
    """The rows of a table of counts, one per layer range and band, in that order. Raises UsageRefusal where they form no grid."""
    whole = ("range_ordinal", "first_layer", "end_layer", "band_ordinal", "heads")
    rows: dict[tuple[int, int], dict[str, object]] = {}
    figure: str | None = None
    for number, line in _lines(table, COUNT_COLUMNS):
        where = f"{table.name}, line {number}"
        row: dict[str, object] = {key: _whole(line[key], key, table, number) for key in whole}
        row |= {key: plain_text(line[key], key, where) for key in ("range_label", "band_colour")}
        row["figure"] = run_name(line["figure"], where)
        if figure not in (None, row["figure"]):
            raise UsageRefusal(f"a second figure, {row['figure']!r}", where, "import one figure per table")
        figure = str(row["figure"])
        place = int(str(row["range_ordinal"])), int(str(row["band_ordinal"]))
        if place in rows:
            raise UsageRefusal(f"range {place[0]}, band {place[1]} stands twice", where, "keep one line per range and band")
        rows[place] = row
    _check_counts(rows, table)
    return [rows[place] for place in sorted(rows)]


def _check_counts(rows: dict[tuple[int, int], dict[str, object]], table: Path) -> None:
    """Refuse a table whose ranges and bands do not form a grid, or whose ranges do not follow each other."""
    ranges, bands = max(place[0] for place in rows) + 1, max(place[1] for place in rows) + 1
    if len(rows) < ranges * bands:
        place = next(place for place in itertools.product(range(ranges), range(bands)) if place not in rows)
        raise UsageRefusal(f"range {place[0]} has no band {place[1]}", table.name, "give every band of every range, 0 where it is empty")
    for columns, axis in ((("range_label", "first_layer", "end_layer"), 0), (("band_colour",), 1)):
        for ordinal in range((ranges, bands)[axis]):
            if len({tuple(row[column] for column in columns) for place, row in rows.items() if place[axis] == ordinal}) > 1:
                what = f"{('range', 'band')[axis]} {ordinal} has more than one {' or '.join(columns)}"
                raise UsageRefusal(what, table.name, "use one throughout")
    edges = [(int(str(rows[r, 0]["first_layer"])), int(str(rows[r, 0]["end_layer"]))) for r in range(ranges)]
    for first, end in edges:
        if first >= end:
            raise UsageRefusal(f"the layer range [{first}, {end}) is empty", table.name, "end_layer is the layer after the last one")
    for (first, end), (start, stop) in itertools.pairwise(edges):
        if end != start:
            kind = "overlap" if start < end else "leave a gap"
            raise UsageRefusal(
                f"the layer ranges [{first}, {end}) and [{start}, {stop}) {kind}", table.name, "begin each where the last one ends"
            )


def _lines(table: Path, columns: Sequence[str]) -> Iterator[Line]:
    """The lines of a CSV file with these columns, each with its number. Raises UsageRefusal where it is none."""
    text = read_text(table, LARGEST_TABLE, missing="cannot be read", example="the CSV file of one model")
    reader = csv.DictReader(text.splitlines(), restkey="", strict=True)
    try:
        found = tuple(name.strip() for name in reader.fieldnames or ())
    except csv.Error as error:
        raise UsageRefusal(f"not CSV: {error}", f"{table.name}, line 1", f"the header must be {','.join(columns)}") from error
    if set(found) != set(columns) or len(found) != len(columns):
        raise UsageRefusal(f"columns {', '.join(found) or 'none'}", f"{table.name}, line 1", f"the header must be {','.join(columns)}")
    reader.fieldnames = list(found)
    empty = True
    try:
        for line in reader:
            if "" in line or None in line.values():
                raise UsageRefusal(f"not {len(columns)} cells", f"{table.name}, line {reader.line_num}", "give one cell per column")
            empty = False
            yield reader.line_num, line
    except csv.Error as error:
        raise UsageRefusal(f"not CSV: {error}", f"{table.name}, line {reader.line_num}", "quote cells that hold commas") from error
    if empty:
        raise UsageRefusal("no lines below the header", table.name, "give a line per head, or per range and band")


def _whole(cell: str, column: str, table: Path, number: int) -> int:
    text = cell.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise UsageRefusal(f"{column} is {cell!r}", f"{table.name}, line {number}", "give a whole number, 0 or more")
    return int(text)


def _number(cell: str, table: Path, number: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    # The square is stored too, and must be finite as well.
    if not math.isfinite(value * value):
        raise UsageRefusal(f"value is {cell!r}", f"{table.name}, line {number}", "give a finite number")
    return value


def band_edges(bands: str | None, unit: str, values: Sequence[float]) -> list[float]:
    """Ascending edges that cover the sorted values: those asked for, else five equal bands over [0, 1] for a share or over the values."""
    if bands is None:
        low, high = (0.0, 1.0) if unit == "share" else (values[0], values[-1])
        edges = [low + (high - low) * k / BANDS for k in range(BANDS)] + [high] if low < high else [low, high]
    else:
        try:
            edges = [float(edge) for edge in bands.split(",")]
        except ValueError as error:
            raise UsageRefusal(f"edges {bands!r} are not numbers", "--bands", "write --bands 0,.2,.4,.6,.8,1") from error
        if len(edges) < 2 or not all(math.isfinite(edge) for edge in edges):
            raise UsageRefusal(f"edges {bands!r}", "--bands", "give two finite edges or more, such as 0,.2,.4,.6,.8,1")
        for low, high in itertools.pairwise(edges):
            if low >= high:
                raise UsageRefusal(f"{high:g} follows {low:g}", "--bands", "give the edges in ascending order, each once")
    if values[0] < edges[0] or values[-1] > edges[-1]:
        outside = values[0] if values[0] < edges[0] else values[-1]
        what = f"the value {outside:g} lies outside the bands {edges[0]:g} to {edges[-1]:g}"
        raise UsageRefusal(
            what,
            "--bands" if bands else "--unit",
            "let the bands cover every value" if bands else "a share lies in [0, 1]; name another unit",
        )
    return edges
