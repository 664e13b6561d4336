"""What a figure's page answers when it is moved: its counts at every stored threshold, its heads, and the words of both.

The page carries the little that the controls show at once; the rest is a script of data that is loaded when a reader touches the chart.
All texts are made here, spelt like those of the chart; `report check` compares every cell with the file."""

from dataclasses import dataclass
from typing import Any

from report import charts
from report.facts import Ledger, fact_of, inert, script_safe
from report.head_homes import Home
from report.pages import Drawing, Pages
from report.queries import question

Row = dict[str, Any]
# Band 0 of the bands of a head, one character per threshold.
FIRST = 48


@dataclass(frozen=True)
class Controls:
    """What the page says at once (`about`), and what comes when it is touched (`data`); both as JSON."""

    about: Row
    data: Row


def controls_of(pages: Pages, drawing: Drawing, home: Home | None) -> str:
    """Write the figure's script of data, and give the place of its controls as HTML; nothing where no head is shown."""
    if not drawing.reading:
        return ""
    made = read(pages.ledger, drawing, home)
    path = pages.documents / "charts" / f"{drawing.slug}.thresholds.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"window.headcount.data[{script_safe(drawing.slug)}] = {script_safe(made.data)};\n", encoding="utf-8")
    return f'<div class="figure-controls" data-module="figure-controls" data-about="{inert(script_safe(made.about))}" hidden></div>'


def read(ledger: Ledger, drawing: Drawing, home: Home | None) -> Controls:
    """Ask for the cells and heads of one figure of one run."""
    keys = {"run_id": drawing.run_id, "figure": drawing.figure}
    # Not entered as facts: thousands of cells, which the check compares by themselves.
    moves = ledger.answer(question("threshold_moves"), keys)
    members = ledger.answer(question("heads_by_segment"), keys) if drawing.kind != "published" else []
    steps = cells_by_step(ledger, keys) if moves else [own_cells(drawing)]
    places = {row["range_ordinal"].value: place for place, row in enumerate(drawing.ranges)}
    about = {
        "slug": drawing.slug,
        "ranges": [row["range_label"].text for row in drawing.ranges],
        "bands": [[chr(FIRST + int(str(row["band_ordinal"].value))), row["band_label"].text] for row in drawing.bands],
        "thresholds": [text_of("threshold_moves", keys, row, "threshold") for row in moves],
        "own": next((place for place, row in enumerate(moves) if row["is_own"]), 0),
        "largest": largest_within_budget(ledger, drawing.run_id, moves),
        "table": home.table if home and members else None,
    }
    heads = [
        [row["head_label"], places[row["range_ordinal"]], row["bands"] or chr(FIRST + int(str(row["band_ordinal"])))] for row in members
    ]
    changed = [text_of("threshold_moves", keys, row, "changed_heads") for row in moves]
    return Controls(about, {"steps": steps, "changed": changed, "heads": heads})


def cells_by_step(ledger: Ledger, keys: dict[str, str]) -> list[list[list[object]]]:
    """Per threshold, the cells of the chart from the first range's baseline up: heads, and the texts of heads and share."""
    steps: dict[object, list[list[object]]] = {}
    for row in ledger.answer(question("segments_by_threshold"), keys):
        texts = [text_of("segments_by_threshold", keys, row, column) for column in ("heads", "pct")]
        steps.setdefault(row["threshold_ordinal"], []).append([row["heads"], texts[0], f"{texts[1]} %"])
    return list(steps.values())


def own_cells(drawing: Drawing) -> list[list[object]]:
    """The cells of the chart itself, of a figure that has no threshold to move."""
    return [[row["high"] - row["low"], row["heads"], row["percent"]] for row in charts.segments(drawing.cells)]


def largest_within_budget(ledger: Ledger, run_id: str, moves: list[Row]) -> int | None:
    """Place of the largest threshold whose price is within the budget; none where the price is not this figure's, or not known."""
    priced = ledger.answer(question("price_summary"), {"run_id": run_id}) if moves and moves[0]["is_priced"] else []
    largest = {row["largest_threshold"] for row in priced} - {None}
    return next((place for place, row in enumerate(moves) if row["threshold"] in largest), None)


def text_of(name: str, keys: dict[str, str], row: Row, column: str) -> str:
    """A value of an answer, written as a fact would be."""
    return fact_of(question(name), keys, row, column).text
