"""One page of every kind, in both schemes, wide and narrow: nothing complains, nothing overflows, nothing is out of anybody's reach."""

from itertools import pairwise
from pathlib import Path

import pytest
from kinds import NOT_FOUND, file_of, kinds, places
from playwright.sync_api import Page
from selectolax.lexbor import LexborHTMLParser
from visiting import NARROW, WIDE, WINDOWS, Visitor

OVERFLOWS = "document.documentElement.scrollWidth > window.innerWidth + 1"
# Rules of accessibility that fail, each with the first place where it does.
FAILED = """axe.run({resultTypes: ["violations"]}).then(found => found.violations.map(rule =>
    `${rule.id} (${rule.nodes.length}): ${rule.nodes[0].html.slice(0, 200)} ${(rule.nodes[0].any[0] || {}).message || ""}`))"""
# Text alternatives of a chart's drawing and picture, and what a reader without eyes finds of its numbers elsewhere.
CHARTS = """[...document.querySelectorAll("figure.chart[data-chart]")].map(figure => {
    const drawing = figure.querySelector(".chart-live svg");
    return {
        chart: figure.dataset.chart,
        pictures: [...figure.querySelectorAll(".chart-static img")].map(image => [image.alt.length, image.width > 0 && image.height > 0]),
        drawing: drawing.closest("[aria-label], [aria-labelledby], [aria-hidden=true]") !== null,
    };
})"""


@WINDOWS
def test_a_page_neither_complains_nor_overflows_nor_breaks_a_rule_of_accessibility(visitor: Visitor, place: str, axe: str) -> None:
    page = visitor.visit(place)
    page.evaluate(axe)
    assert page.evaluate(FAILED) == []
    assert visitor.refused() == []
    assert visitor.complaints == []
    assert not overflows(page)
    # The same page in a window of the other width.
    other = NARROW if page.viewport_size == WIDE["viewport"] else WIDE
    page.set_viewport_size(other["viewport"])
    visitor.settle()
    assert not overflows(page)


def overflows(page: Page) -> bool:
    """True where a page stays wider than its window; a chart that is being drawn anew may be so for a moment."""
    for _ in range(40):
        if not page.evaluate(OVERFLOWS):
            return False
        page.wait_for_timeout(100)
    return True


def test_every_chart_of_a_page_has_a_text_alternative_and_the_same_numbers_as_a_table(visitor: Visitor, place: str, site: Path) -> None:
    page = visitor.visit(place)
    for chart in page.evaluate(CHARTS):
        assert chart["pictures"], chart
        assert all(letters > 40 and sized for letters, sized in chart["pictures"]), chart
        assert chart["drawing"], chart
        # The twin stands on the page of the chart itself; everywhere a chart is shown, its numbers are a file beside the picture.
        assert (site / "charts" / f"{chart['chart']}.csv").is_file(), chart
        if place == f"figures/{chart['chart']}/":
            assert page.locator("article table td").count() > 0, place
    # What is drawn as the reader chooses has no picture: it says what it shows, and its numbers stand in the table of heads.
    for drawn in page.locator("figure.chart:not([data-chart]) .chart-live").all():
        assert len(drawn.get_attribute("aria-label") or "") > 40
        assert page.locator("article a[href*='heads/']").count() > 0


def test_a_page_says_in_its_head_what_it_is(site: Path, place: str) -> None:
    tree = LexborHTMLParser(file_of(site, place).read_text(encoding="utf-8"))
    assert tree.css_first("html").attributes["lang"] == "en"
    assert len(tree.css("h1")) == 1
    assert len(tree.css("main")) == 1
    levels = [int(node.tag[1]) for node in tree.css("article h1, article h2, article h3, article h4, article h5, article h6")]
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert tree.css_first("title").text().strip()
    assert len(tree.css_first("meta[name=description]").attributes["content"] or "") >= 20
    assert all(node.attributes.get("width") and node.attributes.get("height") for node in tree.css("article img"))
    # What a page brings along comes from the site; its canonical address only names it.
    brought = tree.css("script[src], img[src], link[href]:not([rel=canonical])")
    assert [node.html for node in brought if "//" in (node.attributes.get("src") or node.attributes.get("href") or "")] == []


def test_the_site_map_names_every_page_once_but_the_error_page(site: Path) -> None:
    pages = sorted(path.relative_to(site).as_posix().removesuffix("index.html") for path in site.rglob("*.html"))
    assert [place for place in pages if place != NOT_FOUND] == places(site)


def test_titles_and_descriptions_tell_the_kinds_of_pages_apart(site: Path) -> None:
    trees = [LexborHTMLParser(file_of(site, place).read_text(encoding="utf-8")) for place in kinds(site).values() if place != NOT_FOUND]
    titles = [tree.css_first("title").text() for tree in trees]
    descriptions = [tree.css_first("meta[name=description]").attributes["content"] for tree in trees]
    assert sorted(titles) == sorted(set(titles))
    assert sorted(descriptions) == sorted(set(descriptions))


@pytest.mark.parametrize("visitor", [WIDE | {"reduced_motion": "reduce"}], indirect=True)
def test_nothing_moves_for_a_reader_who_wants_no_motion(visitor: Visitor, place: str) -> None:
    page = visitor.visit(place)
    moving = """[...document.querySelectorAll("*")].filter(node => {
        const style = getComputedStyle(node);
        return [style.transitionDuration, style.animationDuration].some(times => times.split(", ").some(time => parseFloat(time) > 0.01))
            || style.scrollBehavior === "smooth";
    }).map(node => node.outerHTML.slice(0, 80))"""
    assert page.evaluate(moving) == []
