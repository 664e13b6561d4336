"""The maps of the heads: a page for each file of the heads' values, whose pictures, specifications and settings are the file's answer.

The module draws from heads.js, which has a check of its own; here stands what is drawn and said before it runs. Colours of cells are not
compared: they are one function of the values that are."""

import html
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from pathlib import Path
from typing import Any

from report.check.charts import read
from report.check.heads_data import read_data
from report.check.page import Page, specification_of, squeeze
from report.check.pages import Pages

CHARTS = ("map", "profile", "ecdf")
QUESTION = "head_map"
# What a row of the answer becomes in each chart's specification.
DRAWN = {
    "map": {"layer": "layer", "head": "head", "value": "value"},
    "profile": {"layer": "layer", "value": "value", "layer_mean": "layer_mean"},
    "ecdf": {"value": "value", "share": "cumulative_pct"},
}
MODULE = re.compile(r'<div class="head-map" data-module="head-map" data-slug="([^"]*)">')
SETTINGS = re.compile(r'<template class="head-map-settings">(.*?)</template>', re.DOTALL)
MARK = re.compile(r'aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="(?:rect mark|circle)"')
LABEL = re.compile(r"Layer: (\d+)(?:; Head: (\d+))?;.*: ([−\d.e+-]+)", re.DOTALL)


def compare_maps(site: Path, pages: Mapping[str, Page], facts: Pages) -> Iterator[str]:
    """What is wrong with the pages of the maps."""
    slugs = {path.parent.name for path in site.glob("heads/*/heads.js")}
    shown = {name.split("/")[1] for name in pages if name.startswith("maps/")}
    yield from (f"maps/{slug}/: no such page, but values of its heads" for slug in sorted(slugs - shown))
    yield from (f"maps/{slug}/: a map without values of its heads" for slug in sorted(shown - slugs))
    for slug in sorted(slugs & shown):
        data = read_data(site / "heads" / slug / "heads.js")
        page = pages.get(f"maps/{slug}/index.html")
        if data and page:
            yield from (f"maps/{slug}/: {text}" for text in compare_page(site, page, data, facts))


def compare_page(site: Path, page: Page, data: dict[str, Any], facts: Pages) -> Iterator[str]:
    """What is wrong with one page; `data` are the values that its module draws from."""
    modules = MODULE.findall(page.html)
    if modules != [data["slug"]]:
        yield f"its module draws {', '.join(modules) or 'nothing'}"
    settings = settings_of(page)
    yield from compare_settings(settings, data)
    slugs = [chart.slug for chart in page.charts]
    if slugs != [f"maps/{data['slug']}/{name}" for name in CHARTS]:
        yield f"its charts are {', '.join(slugs)}"
        return
    parameters = {"run_id": data["run"], "measure": settings.get("measure")}
    for name, slug in zip(CHARTS, slugs, strict=True):
        named = facts.recount.ledger["charts"].get(slug, {})
        if (named.get("question"), named.get("parameters")) != (QUESTION, parameters):
            yield f"chart {name} is of another question or measure than the page opens with"
            continue
        answer = facts.recount.answer(QUESTION, json.dumps(parameters, sort_keys=True))
        yield from (f"chart {name}: {text}" for text in compare_chart(site, page, slug, DRAWN[name], answer))


def settings_of(page: Page) -> dict[str, Any]:
    """What the module is told: the measures it opens with, and the scale of each; empty where it cannot be read."""
    found = SETTINGS.search(page.html)
    return specification_of(html.unescape(found.group(1))) if found else {}


def compare_settings(settings: dict[str, Any], data: dict[str, Any]) -> Iterator[str]:
    """Settings that name other measures than there are, or scales that are not what the values ask for."""
    scales = settings.get("scales", {})
    if scales.keys() != data["values"].keys() or not {settings.get("measure"), settings.get("against")} <= scales.keys():
        yield "its settings are of other measures than the values"
        return
    for measure in data["measures"]:
        name = measure["id"]
        if scales[name] != scale_for(measure, [value for value in data["values"][name] if value is not None]):
            yield f"the scale of {name} is not the one of its values"


def scale_for(measure: dict[str, Any], values: list[float]) -> dict[str, Any]:
    """The scale of a measure: percentages whole, signed ones around nought, decades in logarithms, crowded shares in square roots."""
    if not values:
        return {"kind": "linear", "low": 0, "high": 1}
    values = sorted(values)
    least, most = values[0], values[-1]
    if measure["low"] is None or measure["low"] < 0:
        reach = ceiling(max(abs(least), abs(most))) or 1
        return {"kind": "diverging", "low": -reach, "high": reach}
    if measure["unit"] == "%":
        return {"kind": "linear", "low": 0, "high": 100}
    if measure["unit"] != "share" and least > 0 and most >= 20 * least:
        return {"kind": "log", "low": floor(least), "high": ceiling(most)}
    return {"kind": "sqrt" if most > 8 * values[len(values) // 2] else "linear", "low": 0, "high": ceiling(most) or 1}


def ceiling(value: float) -> float:
    """A value rounded up to two significant digits."""
    return float(Context(prec=2, rounding=ROUND_CEILING).create_decimal(repr(value)))


def floor(value: float) -> float:
    """A value rounded down to two significant digits."""
    return float(Context(prec=2, rounding=ROUND_FLOOR).create_decimal(repr(value)))


def compare_chart(site: Path, page: Page, slug: str, columns: dict[str, str], answer: list[dict[str, Any]]) -> Iterator[str]:
    """What is wrong with a chart's specification, pictures and text alternative."""
    specification = specification_of(read(site / "charts" / f"{slug}.vl.json"))
    rows = answer if "head" in columns else [row for row in answer if row["value"] is not None]
    if specification.get("data", {}).get("values") != [{name: row[column] for name, column in columns.items()} for row in rows]:
        yield "its rows are not the answer"
    if squeeze(str(specification.get("description", ""))) not in visible(page):
        yield "its description is no sentence of its page"
    if "layer" in columns:
        expected = Counter((*(row[name] for name in ("layer", "head") if name in columns), written(row["value"])) for row in there(answer))
        for scheme in ("light", "dark"):
            if marks_of(read(site / "charts" / f"{slug}-{scheme}.svg")) != expected:
                yield f"its {scheme} picture does not show the answer"


def there(answer: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with a value."""
    return [row for row in answer if row["value"] is not None]


def visible(page: Page) -> str:
    """The text of a page in one line."""
    return squeeze(html.unescape(re.sub(r"<[^>]*>", "", page.html)))


def marks_of(picture: str) -> Counter[tuple[Any, ...]]:
    """The heads that a picture shows: layer, head where it is told, and value."""
    found: Counter[tuple[Any, ...]] = Counter()
    for text in map(html.unescape, MARK.findall(picture)):
        label = LABEL.fullmatch(text)
        numbers = [int(place) for place in label.groups()[:2] if place is not None] if label else [text]
        found[(*numbers, written(float(label.group(3).replace("−", "-"))) if label else "")] += 1
    return found


def written(value: float) -> str:
    """A value to as many digits as a picture's labels keep."""
    return f"{value:.9g}"
