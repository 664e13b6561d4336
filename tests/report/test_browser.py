"""The site in a real browser: nothing from another host, no complaint in the console, charts that follow scheme and palette."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browsing import Watched, needs_browser, served, visiting
from planting import add_published_counts, figures_of, write_counters
from playwright.sync_api import Browser, Locator, Page

from report.build import Built, build

KINDS = [
    "",
    "figures/",
    "figures/toy/activation/",
    "figures/reference/published-counts/",
    "reference/",
    "method/",
    "measures/",
    "families/",
    "maps/toy/",
    "proving/",
    "speed/",
    "data/",
    "downloads/",
    "reproduce/",
    "extend/",
    "log/",
]
pytestmark = needs_browser


@pytest.fixture(scope="module")
def address(built: Built) -> Iterator[str]:
    yield from served(built.site)


@pytest.mark.parametrize(
    "watched",
    [
        {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}},
        {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}},
    ],
    indirect=True,
    ids=["light-wide", "dark-narrow"],
)
def test_no_page_complains_asks_another_host_or_overflows(watched: Watched) -> None:
    for place in KINDS:
        page = watched.visit(place)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), place


def lead(page: Page, link: Locator, address: str) -> None:
    """Follow a link until the page it leads to is there, which is a while after its address is."""
    page.evaluate("document.querySelector('article').id = 'left-behind'")
    link.click()
    page.wait_for_url(address)
    page.locator("#left-behind").wait_for(state="detached")


def test_instant_navigation_keeps_the_charts_alive(watched: Watched) -> None:
    page = watched.visit("")
    lead(page, page.get_by_role("link", name="Read the whole figure"), "**/figures/toy/activation/")
    watched.settle()
    assert page.locator("article .chart-live svg").count() == page.locator("article figure.chart").count() > 0
    lead(page, page.locator(".md-tabs__link", has_text="Figures"), "**/figures/")
    watched.settle()
    assert page.locator("article .chart-live svg").count() == page.locator("article figure.chart").count() > 0


def test_the_first_screen_holds_the_finding_the_chart_and_three_observations(watched: Watched) -> None:
    page = watched.visit("")
    page.set_viewport_size({"width": 1280, "height": 900})
    watched.settle()
    observations = page.locator("article li:not(.chart-downloads li)")
    last = observations.nth(2).bounding_box()
    assert observations.count() >= 3
    assert last is not None
    assert last["y"] + last["height"] <= 900


def test_the_live_chart_prints_the_same_percentages_as_the_picture(watched: Watched, built: Built) -> None:
    page = watched.visit("figures/reference/published-counts/")
    shown = page.eval_on_selector_all(".chart-live svg text", "nodes => nodes.map(node => node.textContent)")
    static = re.findall(r">(\d+\.\d %)<", (built.site / "charts" / "reference" / "published-counts-light.svg").read_text())
    assert sorted(text for text in shown if text.endswith("%")) == sorted(static)
    assert {"GPT-2 xl", "Layer", "# heads", "[0, 12)"} <= set(shown)


def test_the_palette_switch_recolours_every_chart_and_is_remembered(watched: Watched) -> None:
    page = watched.visit("figures/toy/activation/")
    fills = "[...document.querySelectorAll('.chart-live .mark-rect path')].map(path => path.getAttribute('fill'))"
    assert "#3f9b5f" in page.evaluate(fills)
    page.get_by_role("button", name="colour-blind safe").first.click()
    page.wait_for_function(f"{fills}.includes('#2166ac')")
    assert "#3f9b5f" not in page.evaluate(fills)
    page = watched.visit("figures/reference/published-counts/")
    assert "#2166ac" in page.evaluate(fills)
    assert page.get_by_role("button", name="colour-blind safe").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("watched", [{"color_scheme": "light"}], indirect=True)
def test_the_scheme_switch_redraws_the_chart(watched: Watched) -> None:
    page = watched.visit("figures/reference/published-counts/")
    title = "document.querySelector('.chart-live .role-title-text text').getAttribute('fill')"
    light = page.evaluate(title)
    page.get_by_title("Switch to dark").click()
    page.wait_for_function(f"{title} !== '{light}'")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"


@pytest.mark.parametrize("watched", [{"java_script_enabled": False}], indirect=True)
def test_without_javascript_the_pictures_texts_and_downloads_are_there(watched: Watched) -> None:
    page = watched.page
    page.goto(watched.address + "figures/reference/published-counts/")
    picture = page.locator("img.scheme-light")
    assert picture.is_visible()
    box = picture.bounding_box()
    assert box is not None
    assert box["height"] > 200
    assert "Green gains at every step of depth" in page.locator(".finding").inner_text()
    page.get_by_text("Download this chart").click()
    assert page.get_by_role("link", name="CSV").is_visible()


def test_a_fact_leads_to_its_query_and_opens_it(watched: Watched) -> None:
    page = watched.visit("figures/reference/published-counts/")
    fact = page.locator(".finding a.fact").first
    # Instant navigation writes addresses out in full.
    query = "#" + str(fact.get_attribute("href")).partition("#")[2]
    fact.click()
    page.wait_for_function("query => document.querySelector(query + ' details').open", arg=query)
    assert page.locator(f"{query} code").first.is_visible()


def test_search_finds_a_page(watched: Watched) -> None:
    page = watched.visit("")
    page.get_by_placeholder("Search").first.click()
    page.keyboard.type("calibration weight")
    found = page.locator(".md-search-result__item, .md-search-result__list > li").first
    found.wait_for()
    assert "calibration" in found.inner_text().lower()


def test_a_printed_page_is_complete(watched: Watched, tmp_path: Path) -> None:
    page = watched.visit("figures/toy/activation/")
    page.pdf(path=str(tmp_path / "page.pdf"))
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("pdftotext is not on this machine; it reads the printed page")
    text = subprocess.run([reader, "-layout", str(tmp_path / "page.pdf"), "-"], capture_output=True, text=True, check=True).stdout
    for wanted in ("# heads", "Key observations", "What this chart cannot say", "Share of the range"):
        assert wanted in text


def test_hostile_texts_run_nothing_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    hostile = "</script></template><img src=x onerror=alert(1)><svg onload=alert(2)> [x](javascript:alert(3))"
    counters = add_published_counts(write_counters(tmp_path / "c.duckdb", np.full((4, 6), 50), title=hostile))
    made = build(counters, tmp_path / "site", tmp_path / "headcount.duckdb", figures_of(tmp_path))
    for address in served(made.site):
        with visiting(browser, address) as visitor:
            for place in ("", "figures/", "figures/toy/activation/", "data/"):
                page = visitor.visit(place)
                assert page.locator("img[src=x]").count() == 0
