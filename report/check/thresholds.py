"""Figures that can be moved: what their controls say at every stored threshold, cell by cell, against the answers of the file.

The page's part and the script of data are both made anew here, from the questions and with the check's own spelling."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from report.check.page import Page
from report.check.pages import Pages
from report.check.recount import Recount
from report.check.spelling import spelling

Row = dict[str, Any]
ENDING = ".thresholds.js"
SCRIPT = re.compile(r'window\.headcount\.data\[("[^"\\]*")\] = (\{.*\});\n')


def compare_thresholds(site: Path, pages: Mapping[str, Page], facts: Pages) -> Iterator[str]:
    """What is wrong with the controls of all figures' pages, and with their scripts of data."""
    wanted = set()
    for page in pages.values():
        found = controls_of(page)
        slug = page.folder.removeprefix("figures/").rstrip("/")
        own = page.folder.startswith("figures/") and any(chart.slug == slug for chart in page.charts)
        if len(found) != int(own):
            yield f"{page.name}: {len(found)} controls of figures, instead of {int(own)}"
        elif own:
            wanted.add(f"{slug}{ENDING}")
            yield from (f"{page.name}: controls: {text}" for text in compare_figure(site, page, slug, read_json(found[0]), facts.recount))
    there = {path.relative_to(site / "charts").as_posix() for path in (site / "charts").rglob(f"*{ENDING}")}
    yield from (f"charts/{name} belongs to no page" for name in sorted(there - wanted))


def controls_of(page: Page) -> list[str]:
    """What each of the controls on a page says."""
    # Most pages have none and need not be parsed for it.
    nodes = LexborHTMLParser(page.html).css("[data-module=figure-controls]") if "figure-controls" in page.html else []
    return [node.attributes.get("data-about") or "" for node in nodes]


def compare_figure(site: Path, page: Page, slug: str, about: Row, recount: Recount) -> Iterator[str]:
    """The controls of one figure against the file."""
    # The page's first fact is the name of the run whose figure it shows.
    keys = next((json.loads(place[1]) for seen in page.facts if (place := recount.places.get(seen.id)) and place[0] == "coverage"), None)
    if keys is None:
        yield "the page does not say which run and figure it shows"
        return
    expected_about, expected = expected_of(recount, keys)
    # That this page is there, and of this run, is for the check of the heads' pages to say.
    table, own = about.pop("table", ""), table_of(recount, keys["run_id"])
    yield from (f"{name} is not the file's" for name in differing(about, {"slug": slug, **expected_about}))
    if table != (own if expected["heads"] else None):
        yield f"its heads are not described at {table}"
    try:
        match = SCRIPT.fullmatch((site / "charts" / f"{slug}{ENDING}").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        match = None
    data = read_json(match.group(2)) if match and json.loads(match.group(1)) == slug else {}
    if data.keys() != expected.keys():
        yield f"charts/{slug}{ENDING} is no script of its data"
        return
    yield from compare_steps(data, expected, expected_about)
    yield from compare_heads(data["heads"], expected["heads"])


def table_of(recount: Recount, run_id: str) -> str | None:
    """The page to which the lists of a run's heads lead: the table of its home, named as facts.json names it; None without a home."""
    home = next((row["home"] for row in recount.answer("head_homes", "{}") if row["run_id"] == run_id), None)
    slugs = [slug for slug, entry in recount.ledger["heads"].items() if entry.get("run") == home]
    return f"heads/{slugs[0]}/" if home is not None and slugs else None


def differing(found: Row, expected: Row) -> list[str]:
    """Names of the entries that are not as expected."""
    return sorted(name for name in found.keys() | expected.keys() if found.get(name, found) != expected.get(name, expected))


def compare_steps(data: Row, expected: Row, about: Row) -> Iterator[str]:
    """Counts, their texts and how many heads have moved, threshold by threshold."""
    names = [f"{label}, {band}" for label in about["ranges"] for _, band in about["bands"]]
    labels = about["thresholds"] or ["its own values"]
    if len(data["steps"]) != len(expected["steps"]) or len(data["changed"]) != len(expected["changed"]):
        yield f"{len(data['steps'])} thresholds instead of {len(expected['steps'])}"
        return
    for label, cells, right in zip(labels, data["steps"], expected["steps"], strict=True):
        if len(cells) != len(right):
            yield f"at {label}: {len(cells)} segments instead of {len(right)}"
            continue
        for name, cell, answer in zip(names, cells, right, strict=True):
            if cell != answer:
                yield f"at {label}: {name} has {cell}, the file {answer}"
    for label, text, answer in zip(labels, data["changed"], expected["changed"], strict=False):
        if text != answer:
            yield f"at {label}: {text} heads in another band, in the file {answer}"


def compare_heads(found: Any, expected: list[list[object]]) -> Iterator[str]:
    """Range and bands of every head."""
    if len(found) != len(expected):
        yield f"{len(found)} heads instead of {len(expected)}"
        return
    yield from (f"head {right[0]} is {head}, in the file {right}" for head, right in zip(found, expected, strict=True) if head != right)


def expected_of(recount: Recount, keys: dict[str, str]) -> tuple[Row, Row]:
    """What page and script must say of one figure of one run, from the answers of the file."""
    named = json.dumps(keys, sort_keys=True)
    cells = sorted(recount.answer("band_counts", named), key=lambda row: (row["range_ordinal"], row["stack_ordinal"]))
    moves, by_step = recount.answer("threshold_moves", named), recount.answer("segments_by_threshold", named)
    members = recount.answer("heads_by_segment", named)
    ranges = {row["range_ordinal"]: row["range_label"] for row in cells}
    bands = {row["stack_ordinal"]: [chr(48 + row["band_ordinal"]), row["band_label"]] for row in cells}
    places = list(ranges)
    priced = recount.answer("price_summary", json.dumps({"run_id": keys["run_id"]})) if moves and moves[0]["is_priced"] else []
    largest = [place for place, row in enumerate(moves) if row["threshold"] in [summary["largest_threshold"] for summary in priced]]
    about = {
        "ranges": list(ranges.values()),
        "bands": [bands[stack] for stack in sorted(bands)],
        "thresholds": [spelling("threshold", row["threshold"]) for row in moves],
        "own": next((place for place, row in enumerate(moves) if row["is_own"]), 0),
        "largest": largest[0] if largest else None,
    }
    steps: dict[int, list[list[object]]] = {}
    for row in by_step or cells:
        step = steps.setdefault(row.get("threshold_ordinal", 0), [])
        step.append([row["heads"], spelling("heads", row["heads"]), f"{spelling('pct', row['pct'])} %"])
    heads = [[f"L{row['layer']}H{row['head']}", places.index(row["range_ordinal"]), row["bands"] or own_band(row)] for row in members]
    changed = [spelling("changed_heads", row["changed_heads"]) for row in moves]
    return about, {"steps": [steps[step] for step in sorted(steps)], "changed": changed, "heads": heads}


def own_band(row: Row) -> str:
    """The one band of a head of a figure that has no threshold."""
    return chr(48 + row["band_ordinal"])


def read_json(text: str) -> Row:
    """An object out of JSON; empty where it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
