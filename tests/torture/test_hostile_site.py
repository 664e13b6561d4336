"""A database full of text that attacks, rendered: in a real browser nothing runs, and every page has the structure of a harmless twin."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import numpy as np
import pytest
import yaml
from browsing import CHROMIUM, FLAGS, Watched, needs_browser, served
from labelled_heads import add_detectors
from planted_examples import add_examples
from planted_heads import add_planted_heads
from planting import PLANTED, add_published_counts, figures_of, write_counters
from playwright.sync_api import sync_playwright
from selectolax.lexbor import LexborHTMLParser, LexborNode

from report.build import Built, build

TITLE = "A site of text that attacks, in a real browser"
Record = Callable[[str, str], None]
# HTML, Markdown, Jinja, SQL, Vega, a spreadsheet's formula and a mark of direction, all at once in each text. Control characters and
# entities in a title end a build with one line, so they are not here: nothing is published then.
HOSTILE = (
    "=1+1</script></template><img src=x onerror=alert(1)><svg onload=alert(2)> [x](javascript:alert(3)) ![x](//evil.example/p.png) "
    '{{ 7*7 }} {% raw %} `{: onclick=alert(4)} | $run_id \'; drop table run; -- {"expr": "datum.x"} \u202e '
    "https://evil.example/ ]]> **b** _i_ #h"
)
HARMLESS = "".join("x" if not letter.isspace() or letter in "\u2028" else letter for letter in HOSTILE)
COLUMNS = {
    "run": ("title", "model", "corpus", "corpus_licence", "hardware", "source", "quantisation", "attention_kernel"),
    "published_count": ("title", "source"),
    "measure": ("definition", "source", "condition"),
    "worked_token": ("text_before", "token", "text_after"),
    "window_document": ("title",),
    "example_token": ("token",),
}


def site_of(text: str, folder: Path) -> Built:
    """The same database with `text` in every column that takes one."""
    path = write_counters(folder / "c.duckdb", PLANTED)
    add_detectors(add_planted_heads(add_published_counts(path)))
    add_examples(path, kept=3)
    with duckdb.connect(str(path)) as connection:
        for table, columns in COLUMNS.items():
            for column in columns:
                # A number before it keeps apart what must be, in both sites alike.
                key = "id || ' ' || " if table == "measure" else ""
                connection.execute(f"update {table} set {column} = {key}$1", [text])
    return build(path, folder / "site", folder / "headcount.duckdb", figures_of(folder))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return site_of(HOSTILE, tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return site_of(HARMLESS, tmp_path_factory.mktemp("harmless"))


def skeleton(node: LexborNode | None) -> list[tuple[int, str, tuple[str, ...]]]:
    """Every element's depth, tag and names of attributes, in order; no text."""
    found, left = [], [(0, node)]
    while left:
        depth, at = left.pop()
        if at is None or at.tag in ("-text", "-comment"):
            continue
        found.append((depth, at.tag or "", tuple(sorted(at.attributes))))
        left += [(depth + 1, child) for child in reversed(list(at.iter()))]
    return found


def pages_of(site: Path) -> dict[str, Path]:
    return {path.relative_to(site).as_posix(): path for path in sorted(site.rglob("*.html"))}


def test_every_page_has_the_structure_of_its_harmless_twin(hostile: Built, harmless: Built, record: Record) -> None:
    one, other = pages_of(hostile.site), pages_of(harmless.site)
    assert len(one) == len(other) > 20
    changed: list[object] = []
    for (name, page), twin in zip(one.items(), other.values(), strict=True):
        trees = [skeleton(LexborHTMLParser(path.read_text(encoding="utf-8")).root) for path in (page, twin)]
        if trees[0] != trees[1]:
            differing = next((pair for pair in zip(*trees, strict=False) if pair[0] != pair[1]), None)
            changed.append((name, differing))
        record(
            "Pages compared with a harmless twin, element by element", "LET IN: another structure" if trees[0] != trees[1] else "the same"
        )
    assert changed == []


KINDS = (
    "",
    "figures/",
    "figures/toy/activation/",
    "figures/reference/published-counts/",
    "measures/",
    "maps/toy/",
    "downloads/",
    "proving/",
    "data/",
)


@needs_browser
def test_no_page_runs_asks_or_complains_in_a_browser(hostile: Built, record: Record, whole: bool) -> None:
    places = [name.removesuffix("index.html") for name in pages_of(hostile.site) if name != "404.html"]
    chosen = places if whole else [*KINDS, *[place for place in places if place.startswith("heads/")][:3]]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        address: Iterator[str] = served(hostile.site)
        watched = Watched(browser, next(address))
        try:
            for place in chosen:
                watched.visit(place)
                record(
                    "Pages opened in Chromium, every other host blocked",
                    "LET IN: complained" if watched.complaints else "nothing ran or was asked for",
                )
                assert watched.complaints == [], place
        finally:
            watched.context.close()
            browser.close()
            next(address, None)


def test_downloads_hold_the_text_as_text(hostile: Built, record: Record) -> None:
    site = hostile.site
    for path in sorted(site.rglob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                bad = [cell for cell in row if re.match(r"[=+@\t\r]|-(?![\d.−])", cell) and not re.fullmatch(r"[-+]?[\d.e+-]+", cell)]
                assert not bad, (path, bad[:1])
        record("CSV downloads read as a spreadsheet does", "no formula")
    for path in [*site.rglob("*.json"), *site.rglob("*.geojson")]:
        json.loads(path.read_text(encoding="utf-8"))
        record("JSON files parsed", "parsed")
    for path in [*site.rglob("*.svg"), *site.rglob("*.xml")]:
        tree = ElementTree.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 – our own build made it.
        tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
        assert not tags & {"script", "foreignObject", "iframe", "img"}, path
        assert not [name for element in tree.iter() for name in element.attrib if name.lower().startswith("on")], path
        record("SVG and XML files parsed", "no script")
    assert yaml.safe_load(next(site.rglob("CITATION.cff")).read_text(encoding="utf-8"))
    for page in pages_of(site).values():
        for node in LexborHTMLParser(page.read_text(encoding="utf-8")).css('script[type="application/ld+json"]'):
            json.loads(node.text())
            record("JSON-LD in pages", "parsed")


def test_the_published_file_holds_the_text_exactly(hostile: Built, record: Record) -> None:
    with duckdb.connect(str(hostile.published), read_only=True) as connection:
        for table, columns in COLUMNS.items():
            for column in columns:
                assert connection.execute(f"select count(*) from {table} where contains({column}, $1)", [HOSTILE]).fetchall()[0][0] > 0, (
                    column
                )
        parquet = sorted((hostile.site / "data").glob("*.parquet"))
    with duckdb.connect() as connection:
        texts = [
            connection.execute(
                f"select count(*) from (from read_parquet('{path}')) t where contains(t::varchar, '=1+1</script>')"
            ).fetchall()
            for path in parquet
        ]
    assert sum(found[0][0] for found in texts) > 0
    record("Database and Parquet files", "hold the text exactly")


def test_the_twins_are_as_long_and_the_hostile_one_differs() -> None:
    assert len(HOSTILE) == len(HARMLESS) and HOSTILE != HARMLESS
    assert np.unique(list(HARMLESS)).tolist() == [" ", "x"]
