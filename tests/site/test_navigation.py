"""From page to page, without a reload where the theme can: from the root of a host, from a folder, from a disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kinds import NOT_FOUND, kinds
from playwright.sync_api import Browser, Page
from serving import serving
from visiting import Visitor, visiting


def go(page: Page, address: str) -> None:
    """Follow a link to an address, wherever the page has it; one is added where the page has none."""
    page.evaluate(
        """address => { const link = document.createElement("a"); link.href = address; link.id = "the-way";
                        link.textContent = "on"; document.querySelector("article").prepend(link); }""",
        address,
    )
    page.locator("#the-way").click()
    page.wait_for_url(address)
    page.locator("#the-way").wait_for(state="detached")


def test_one_visit_leads_to_every_kind_of_page_without_a_reload(visitor: Visitor, site: Path) -> None:
    page = visitor.visit("")
    page.evaluate("window.neverReloaded = true")
    with_charts = 0
    for place in kinds(site).values():
        if place in ("", NOT_FOUND):
            continue
        go(page, visitor.address + place)
        assert page.evaluate("window.neverReloaded"), f"{place} was loaded anew"
        visitor.settle()
        with_charts += page.locator("figure.chart").count() > 0
        page.locator("[data-module]:not([data-mounted])").first.wait_for(state="detached")
    assert with_charts > 0
    page.go_back()
    page.wait_for_load_state()
    assert page.evaluate("window.neverReloaded")
    assert visitor.complaints == []


def test_search_asks_for_its_index_only_when_somebody_searches_and_then_finds_pages(visitor: Visitor) -> None:
    asked = list[str]()
    visitor.page.on("request", lambda request: asked.append(request.url))
    page = visitor.visit("")
    page.wait_for_load_state("networkidle")
    assert not [url for url in asked if "search_index" in url]
    page.keyboard.press("/")
    page.keyboard.type("calibration")
    found = page.locator(".md-search-result__link").first
    found.wait_for()
    assert [url for url in asked if "search_index" in url]
    page.evaluate("window.neverReloaded = true")
    found.click()
    page.locator(".md-content article h1").first.wait_for()
    assert page.evaluate("window.neverReloaded")
    assert visitor.complaints == []
    assert visitor.refused() == []


@pytest.fixture(scope="module")
def in_a_folder(site: Path) -> Iterator[str]:
    """The same site below another folder of a host."""
    with serving(site, "/headcount/") as address:
        yield address


def test_the_site_works_in_a_folder_of_a_host(browser: Browser, in_a_folder: str, site: Path) -> None:
    with visiting(browser, in_a_folder) as visitor:
        deepest = max(kinds(site).values(), key=lambda place: place.count("/"))
        page = visitor.visit(deepest)
        page.evaluate("window.neverReloaded = true")
        # The address changes before the page does.
        page.evaluate("document.querySelector('article').id = 'left-behind'")
        page.locator("a.md-logo").first.click()
        page.wait_for_url(in_a_folder)
        page.locator("#left-behind").wait_for(state="detached")
        go(page, in_a_folder + "figures/")
        visitor.settle()
        assert page.evaluate("window.neverReloaded")
        page.get_by_placeholder("Search").first.click()
        page.keyboard.type("heads")
        page.locator(".md-search-result__link").first.wait_for()
        assert visitor.complaints == []
        assert visitor.refused() == []


def test_an_address_without_a_page_gets_the_error_page_which_leads_home(visitor: Visitor) -> None:
    answer = visitor.page.goto(visitor.address + "no/such/page/")
    assert answer is not None
    assert answer.status == 404
    visitor.page.locator("article a").first.click()
    visitor.page.wait_for_url(visitor.address)
    assert visitor.complaints == []


def test_pages_opened_as_files_have_live_charts_and_remember_choices(browser: Browser, site: Path) -> None:
    with visiting(browser, site.as_uri() + "/") as visitor:
        figure = f"{kinds(site)['figure']}index.html"
        page = visitor.visit("index.html")
        assert page.locator("figure.chart .chart-live svg").count() > 0
        page = visitor.visit(figure)
        page.get_by_role("button", name="colour-blind safe").first.click()
        page.locator(".chart-ramp button[aria-pressed=true]", has_text="colour-blind safe").first.wait_for()
        page.locator("#depth-statistics").uncheck()
        page.locator(".depth-statistics").first.wait_for(state="hidden")
        page = visitor.visit(figure)
        assert page.locator(".chart-ramp button[aria-pressed=true]").first.inner_text() == "colour-blind safe"
        for place in kinds(site).values():
            # The console asks a database engine for its page's file, which only a host can give.
            if place not in ("console/", NOT_FOUND):
                visitor.visit(f"{place}index.html", live=False)
        assert visitor.complaints == []
