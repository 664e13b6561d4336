"""The values of all heads of a home as one script file, heads/<slug>/heads.js: what the map and the table of heads are drawn from.

    window.headcountData["<slug>"] = {
      run, title, slug, layers, heads_per_layer,
      measures: [{id, title, unit, low, high}, …],     those that a figure shows first; low or high null: no bound
      heads: [["L0H1", layer, head, label|null], …],   by layer and head; label null: the run has no detectors
      values: {measure: [number|null, …]},             to five significant digits, for places and order
      texts: {measure: ["81.0"|null, …]},              what a reader sees, written here once
      intervals: {measure: ["79.8–82.1"|null, …]},     "−0.12 to −0.05" where one end is below nought
    }

Lists run over the heads in one order; null is no value, which is not zero. Chance levels are left out: they are the same for every head.
"""

from itertools import groupby
from pathlib import Path
from typing import Any

from report import queries
from report.facts import Ledger, Value, script_safe, style_of, text_of
from report.head_homes import Home, in_order

# How a measure is written whose name has no style of its own, by its unit.
UNIT_STYLES = {"%": "one decimal", "tokens": "one decimal", "keys": "one decimal", "share": "three decimals", "1": "three decimals"}
SIGNIFICANT_DIGITS = 5
# From here on a range has no bound: the largest doubles stand for infinity in the table of measures.
BOUNDLESS = 1e300


def write(ledger: Ledger, documents: Path) -> None:
    """Write the file of every home into `documents`."""
    for home in in_order(ledger.connection):
        path = documents / home.table / "heads.js"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = f"window.headcountData[{script_safe(home.slug)}] = {script_safe(data_of(ledger, home), compact=True)};\n"
        path.write_text(f"window.headcountData = window.headcountData || {{}};\n{content}", encoding="utf-8")


def data_of(ledger: Ledger, home: Home) -> dict[str, Any]:
    """What the file of a home holds.

    Raises:
        DatabaseRefusal: DuckDB cannot answer; the file is damaged or was changed by hand.
    """
    connection, run_id = ledger.connection, home.run_id
    about = "select title, layers, heads_per_layer from run where run_id = $1"
    title, layers, heads_per_layer = connection.execute(about, [run_id]).fetchall()[0]
    labelled = (
        "select printf('L%dH%d', head.layer, head.head), head.layer, head.head, head_label.label from head "
        "left join head_label using (run_id, layer, head) where run_id = $1 order by head.layer, head.head"
    )
    heads = [list(row) for row in connection.execute(labelled, [run_id]).fetchall()]
    known = {row[0]: row[1:] for row in connection.execute("select id, title, unit, low, high from measure").fetchall()}
    found: dict[str, Any] = {"run": run_id, "title": title, "slug": home.slug, "layers": layers, "heads_per_layer": heads_per_layer}
    found |= {"heads": heads, "measures": [], "values": {}, "texts": {}, "intervals": {}}
    rows = ledger.answer(queries.question("head_values"), {"run_id": run_id})
    for measure, cells in groupby(rows, key=lambda row: str(row["measure"])):
        name, unit, low, high = known[measure]
        bounds = {"low": low if abs(low) < BOUNDLESS else None, "high": high if abs(high) < BOUNDLESS else None}
        found["measures"].append({"id": measure, "title": name, "unit": unit, **bounds})
        style, values = style_of_measure(measure, unit), list(cells)
        found["values"][measure] = [rounded(row["mean"]) for row in values]
        found["texts"][measure] = [None if row["mean"] is None else text_of(row["mean"], style) for row in values]
        found["intervals"][measure] = [interval(row["low"], row["high"], style) for row in values]
    return found


def style_of_measure(measure: str, unit: str) -> str:
    """The style in which a measure's values are written."""
    own = style_of(measure)
    return UNIT_STYLES.get(unit, own) if own == "plain" else own


def rounded(value: Value) -> float | None:
    """A value to so many digits that no place on a screen moves; whole numbers lose their point."""
    if value is None:
        return None
    short = float(f"{float(value):.{SIGNIFICANT_DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def interval(low: Value, high: Value, style: str) -> str | None:
    """An interval as a reader sees it; None where the value has none."""
    if low is None or high is None:
        return None
    between = " to " if float(low) < 0 or float(high) < 0 else "–"
    return text_of(low, style) + between + text_of(high, style)
