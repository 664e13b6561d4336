"""A database full of text that attacks, rendered: in a real browser nothing runs, and every page has the structure of a harmless twin."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import duckdb
import pytest
import yaml
from browsing import Watched, fetch_console_engine, needs_browser, served, visiting
from hostile_text import COLUMNS, HOSTILE, NAME, SHOWN, TITLE_SHOWN, TITLES, counters_of, figures_with, harmless, shown
from playwright.sync_api import Browser
from selectolax.lexbor import LexborHTMLParser, LexborNode
from serving import serving

from report.build import Built, Options, build

TITLE = "A site of text that attacks, in a real browser"
Record = Callable[[str, str], None]


def site_of(folder: Path, attacks: bool) -> Built:
    counters = counters_of(folder, attacks)
    return build(counters, folder / "site", folder / "headcount.duckdb", figures_with(folder, attacks))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return site_of(tmp_path_factory.mktemp("hostile"), attacks=True)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return site_of(tmp_path_factory.mktemp("harmless"), attacks=False)


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


def test_every_page_has_the_structure_of_its_harmless_twin(hostile: Built, twin: Built, record: Record) -> None:
    one, other = pages_of(hostile.site), pages_of(twin.site)
    assert len(one) == len(other) > 20
    changed: list[object] = []
    for (name, page), same in zip(one.items(), other.values(), strict=True):
        trees = [skeleton(LexborHTMLParser(path.read_text(encoding="utf-8")).root) for path in (page, same)]
        if trees[0] != trees[1]:
            changed.append((name, next((pair for pair in zip(*trees, strict=False) if pair[0] != pair[1]), None)))
        record(
            "Pages compared with a harmless twin, element by element", "LET IN: another structure" if trees[0] != trees[1] else "the same"
        )
    assert changed == []


KINDS = ("figures/reference/published-counts/", "measures/", "maps/", "heads/")
# What the reader sees once the scripts have run: the article's elements – and within pictures, only what could act.
LIVE = """() => [...document.querySelectorAll("article *")].filter(one => !one.closest("svg") || /^(a|script|image|foreignobject|iframe)$/i
    .test(one.tagName)).map(one => one.tagName + " " + [...one.attributes].map(own => own.name).sort().join(" "))"""


@needs_browser
def test_no_page_runs_asks_or_changes_in_a_browser(hostile: Built, twin: Built, browser: Browser, record: Record, whole: bool) -> None:
    pairs = [
        (one.removesuffix("index.html"), other.removesuffix("index.html"))
        for one, other in zip(pages_of(hostile.site), pages_of(twin.site), strict=True)
        if one != "404.html"
    ]
    chosen = pairs if whole else [next(pair for pair in pairs if pair[0] == kind or (kind and pair[0].startswith(kind))) for kind in KINDS]
    sites = [served(hostile.site), served(twin.site)]
    visitors = [Watched(browser, next(address)) for address in sites]
    try:
        for pair in chosen:
            seen = [visitor.visit(place).evaluate(LIVE) for visitor, place in zip(visitors, pair, strict=True)]
            complaints = [complaint for visitor in visitors for complaint in visitor.complaints]
            outcome = "LET IN: another structure" if seen[0] != seen[1] else "nothing ran, was asked for or changed"
            record("Pages opened in Chromium beside their twins, every other host blocked", "LET IN: complained" if complaints else outcome)
            assert complaints == [], pair
            assert seen[0] == seen[1], (pair, next((two for two in zip(*seen, strict=False) if two[0] != two[1]), None))
    finally:
        for visitor in visitors:
            visitor.context.close()
        for address in sites:
            next(address, None)


@pytest.fixture(scope="module")
def with_console(hostile: Built, tmp_path_factory: pytest.TempPathFactory, whole: bool) -> Built:
    """The published file built again with a console."""
    if not whole:
        pytest.skip("the console's engine of forty megabytes is loaded in the whole form alone")
    fetch_console_engine()
    folder = tmp_path_factory.mktemp("console")
    figures = hostile.published.with_name("figures")
    return build(hostile.published, folder / "site", folder / "headcount.duckdb", figures, Options(console=True))


@needs_browser
def test_the_console_shows_every_hostile_column_as_text(with_console: Built, browser: Browser, record: Record) -> None:
    with serving(with_console.site, "/site/") as address, visiting(browser, address) as visitor:
        for table, columns in COLUMNS.items():
            for column in columns:
                sql = f'select {column} as "{TITLE_SHOWN.replace(chr(34), chr(34) * 2)}", {column}, * from {table}'
                visitor.page.goto("about:blank")
                visitor.page.goto(f"{address}console/#q={quote(sql)}")
                visitor.page.locator(".console-table, .console-error pre").first.wait_for(timeout=90_000)
                cells = visitor.page.eval_on_selector_all(".console-table tbody td:first-child", "all => all.map(one => one.textContent)")
                assert any(shown(table, column) in cell for cell in cells), (table, column, cells[:1])
                assert visitor.page.locator(".console-table :not(table, thead, tbody, tr, th, td, small)").count() == 0
                assert visitor.complaints == [], (table, column)
                record("Columns shown in the console in the browser", "shown as text")
        visitor.page.goto("about:blank")
        sql = 'select title as name, 1 as "a\\"" + (1+1) + \\""b\\" from run'
        visitor.page.goto(f"{address}console/#q={quote(sql)}")
        visitor.page.get_by_role("button", name="Draw a chart").click(timeout=90_000)
        visitor.page.locator(".console-chart svg").first.wait_for()
        assert visitor.complaints == []
        record("A column named like an expression, drawn in the console", "drawn as text")


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
    for path in [site / "facts.json", *site.rglob("heads.js"), *(site / "charts").rglob("*.js")]:
        assert not re.search("[<>&]", path.read_text(encoding="utf-8")), path
        record("Data for scripts", "without a character of markup")
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


def test_the_published_file_holds_the_text_with_its_controls_as_symbols(hostile: Built, record: Record) -> None:
    with duckdb.connect(str(hostile.published), read_only=True) as connection:
        for table, columns in COLUMNS.items():
            for column in columns:
                held = f"select count(*) from {table} where contains({column}, $1)"
                assert connection.execute(held, [shown(table, column)]).fetchall()[0][0] > 0, (table, column)
                assert connection.execute(held, [HOSTILE]).fetchall() == [(0,)], (table, column)
        assert connection.execute("select count(*) from run where run_id = $1", [NAME]).fetchall() == [(1,)]
        (comment,) = connection.execute("select comment from duckdb_tables() where table_name = 'run'").fetchall()[0]
        assert comment == SHOWN.replace("\u2400", "")
        # Whatever else a stranger has put into the file is left behind.
        assert connection.execute("select count(*) from duckdb_tables() where contains(table_name, 'script')").fetchall() == [(0,)]
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]", without_bundle(hostile.site))
    record("Database, pages, pictures and downloads", "hold the text, controls as symbols")


def without_bundle(site: Path) -> str:
    """The text of every file that is made from the database."""
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".json", ".svg", ".md", ".csv", ".txt", ".xml")]
    return "".join(path.read_text(encoding="utf-8") for path in sorted(files))


def test_the_counters_keep_the_text_exactly(hostile: Built) -> None:
    with duckdb.connect(str(hostile.site.with_name("c.duckdb")), read_only=True) as connection:
        assert connection.execute("select count(*) from run where title = $1", [HOSTILE]).fetchall()[0][0] > 0


def test_the_twins_are_as_long_and_the_hostile_one_differs() -> None:
    twin = harmless(HOSTILE)
    assert len(HOSTILE) == len(twin) == len(SHOWN) and twin != HOSTILE and set(twin) == {" ", "x"}
    assert {column for table, column in TITLES} == {"title", "unit"}
