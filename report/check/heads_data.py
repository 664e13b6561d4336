"""The script files of the heads' values, heads/<slug>/heads.js: every home has one, and each of its cells is the published file's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from report.check.spelling import ONE_DECIMAL, THREE_DECIMALS, TWO_DECIMALS

OPENING = "window.headcountData = window.headcountData || {};\n"
# The homes: runs with heads that have values and a figure; of runs of the same weights over other texts, the first.
HOMES = """
    select run_id, title, layers, heads_per_layer from run
    where run_id in (select run_id from layer_range) and run_id in (select run_id from head_mean) and run_id in (select run_id from head)
        and not exists (
            from comparison
            where comparison.kind = 'texts' and comparison.run_b = run.run_id
        )
"""
HEADS = """
    select 'L' || h.layer || 'H' || h.head, h.layer, h.head, l.label
    from head as h left join head_label as l on l.run_id = h.run_id and l.layer = h.layer and l.head = h.head
    where h.run_id = ? order by h.layer, h.head
"""
MEASURES = """
    select id, title, unit, case when abs(low) < 1e300 then low end as low, case when abs(high) < 1e300 then high end as high
    from measure
    where chance_of is null and exists (from head_mean where head_mean.run_id = ? and head_mean.measure = measure.id)
"""
CELLS = "select layer, head, mean, low, high from head_measure where run_id = ? and measure = ?"


def compare_heads_data(connection: duckdb.DuckDBPyConnection, site: Path) -> Iterator[str]:
    """What is wrong with the files of the heads' values."""
    missing = {row[0]: row[1:] for row in connection.execute(HOMES).fetchall()}
    for path in sorted(site.glob("heads/*/heads.js")):
        name, found = path.relative_to(site).as_posix(), read_data(path)
        if not found or found.get("slug") != path.parent.name:
            yield f"{name} cannot be read as the values of its heads"
        elif found.get("run") not in missing:
            yield f"{name}: no values of {found.get('run')} belong here"
        else:
            about = missing.pop(found["run"])
            yield from (f"{name}: {text}" for text in compare_one(connection, found, about))
    yield from (f"heads: no values of {run_id}" for run_id in sorted(missing))


def read_data(path: Path) -> dict[str, Any] | None:
    """What a file holds; None where it is anything but one assignment of JSON."""
    text = path.read_text(encoding="utf-8")
    opening = f"{OPENING}window.headcountData[{json.dumps(path.parent.name)}] = "
    if not text.startswith(opening) or not text.endswith(";\n"):
        return None
    try:
        found = json.loads(text[len(opening) : -2], parse_constant=refuse)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def refuse(constant: str) -> None:
    """NaN and infinity are no values of a head; Python would take them."""
    raise ValueError(constant)


def compare_one(connection: duckdb.DuckDBPyConnection, found: dict[str, Any], about: tuple[Any, ...]) -> Iterator[str]:
    """What is wrong with the values of one home; `about` is its title, layers and heads per layer."""
    if (found.get("title"), found.get("layers"), found.get("heads_per_layer")) != about:
        yield "its title or shape is not the run's"
    heads = [list(row) for row in connection.execute(HEADS, [found["run"]]).fetchall()]
    if found.get("heads") != heads:
        yield "its heads or their labels are not the file's"
    answer = connection.execute(MEASURES, [found["run"]])
    names = [column[0] for column in answer.description or ()]
    measures = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    known = {measure["id"]: measure for measure in measures}
    if {entry["id"]: entry for entry in found.get("measures", [])} != known or len(found["measures"]) != len(known):
        yield "its measures are not the file's"
    for part in ("values", "texts", "intervals"):
        if found.get(part, {}).keys() != known.keys():
            yield f"its {part} are of other measures"
            return
    for name, measure in known.items():
        cells = {(layer, head): rest for layer, head, *rest in connection.execute(CELLS, [found["run"], name]).fetchall()}
        expected = [cells.get((layer, head), [None, None, None]) for _, layer, head, _ in heads]
        yield from (f"{name}: {text}" for text in compare_measure(found, measure, heads, expected))


def compare_measure(
    found: dict[str, Any], measure: dict[str, Any], heads: list[list[Any]], expected: list[list[float | None]]
) -> Iterator[str]:
    """What is wrong with one measure's values, texts and intervals, head by head."""
    name, decimals = measure["id"], decimals_of(measure["id"], measure["unit"])
    columns = [found[part][name] for part in ("values", "texts", "intervals")]
    if any(len(column) != len(heads) for column in columns):
        yield "not one value for each head"
        return
    for (label, *_), (mean, low, high), value, text, interval in zip(heads, expected, *columns, strict=True):
        if (value is None) != (mean is None) or (mean is not None and abs(value - mean) > abs(mean) * 1e-4):
            yield f"{label} has {value}, the file {mean}"
        if text != written(mean, decimals):
            yield f"{label} reads {text}, the file has {mean}"
        ends = [written(low, decimals), written(high, decimals)]
        between = " to " if min(low or 0, high or 0) < 0 else "–"
        if interval != (None if None in ends else between.join(map(str, ends))):
            yield f"{label} has the interval {interval}, the file {low} to {high}"


def decimals_of(measure: str, unit: str) -> int | None:
    """Decimals that a measure is written with, by name or unit; None for three significant digits."""
    ending = measure.rsplit("_", 1)[-1]
    for decimals, endings in ((1, ONE_DECIMAL), (2, TWO_DECIMALS), (3, THREE_DECIMALS)):
        if ending in endings:
            return decimals
    return {"%": 1, "tokens": 1, "keys": 1, "share": 3, "1": 3}.get(unit)


def written(value: float | None, decimals: int | None) -> str | None:
    """A value as a reader sees it."""
    if value is None:
        return None
    return format(value, ".3g" if decimals is None else f".{decimals}f").replace("-", "−")
