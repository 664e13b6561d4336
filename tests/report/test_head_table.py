"""The table of all heads in a real browser: sorted, filtered, chosen, handed out; and its rows without a script."""

import csv
import io
from collections.abc import Iterator

import pytest
from browsing import Watched, needs_browser, served, visiting
from playwright.sync_api import Browser, Page, expect

from report.build import Built

pytestmark = needs_browser
PLACE = "heads/toy/"
EVERY = [f"L{layer}H{head}" for layer in range(8) for head in range(3)]


@pytest.fixture(scope="module")
def address(exemplary: Built) -> Iterator[str]:
    yield from served(exemplary.site)


def opened(watched: Watched, place: str = PLACE) -> Page:
    page = watched.visit(place)
    page.locator(".head-count").wait_for()
    return page


def names(page: Page) -> list[str]:
    return page.locator("table[data-heads-table] tbody th").all_inner_texts()


def settled(page: Page, count: str) -> None:
    expect(page.locator(".head-count")).to_have_text(count)


@pytest.mark.parametrize("watched", [{"java_script_enabled": False}], indirect=True)
def test_without_a_script_every_head_stands_there_with_its_values(watched: Watched) -> None:
    watched.page.goto(watched.address + PLACE)
    assert names(watched.page) == EVERY
    row = watched.page.locator("tr[data-row=L2H1]").inner_text()
    assert row.split()[:2] == ["L2H1", "2"]
    assert "88.0" in row


def test_from_a_file_the_table_works_as_well(browser: Browser, exemplary: Built) -> None:
    with visiting(browser, f"{exemplary.site.as_uri()}/") as visitor:
        page = opened(visitor, f"{PLACE}index.html")
        settled(page, "All 24 heads.")
        assert names(page) == EVERY
        page.get_by_label("Head or label").fill("L2H")
        settled(page, "3 of 24 heads.")
        assert names(page) == ["L2H0", "L2H1", "L2H2"]


def test_a_click_on_a_column_sorts_by_it_and_another_turns_it_round(watched: Watched) -> None:
    page = opened(watched)
    column = page.locator("th[data-column=activation_pct]")
    column.get_by_role("button").click()
    assert column.get_attribute("aria-sort") == "descending"
    # Planted 100, then 95 twice: the first head first.
    assert names(page)[:3] == ["L2H2", "L0H2", "L7H2"]
    column.get_by_role("button").press("Enter")
    assert column.get_attribute("aria-sort") == "ascending"
    assert names(page)[0] == "L7H0"
    assert page.locator("th[aria-sort]").count() == 1


def test_filters_narrow_the_table_and_the_count_says_so(watched: Watched) -> None:
    page = opened(watched)
    settled(page, "All 24 heads.")
    assert page.get_by_role("status").filter(has_text="All 24 heads.").count() == 1
    page.get_by_label("Layers from").fill("2")
    page.get_by_label("to", exact=True).fill("3")
    settled(page, "6 of 24 heads.")
    page.get_by_role("combobox", name="Measure", exact=True).select_option("activation_pct")
    page.get_by_label("at least").fill("87")
    settled(page, "3 of 24 heads.")
    assert names(page) == ["L2H1", "L2H2", "L3H2"]
    page.get_by_label("Head or label").fill("h2")
    settled(page, "2 of 24 heads.")
    page.get_by_label("Head or label").fill("nothing is called so")
    settled(page, "0 of 24 heads.")
    assert names(page) == []


def test_a_label_can_be_chosen(watched: Watched) -> None:
    page = opened(watched)
    labels = page.locator("select").first.locator("option").all_inner_texts()
    assert labels[0] == "any"
    page.get_by_role("combobox", name="Label", exact=True).select_option(labels[1])
    page.wait_for_function("/ of 24/.test(document.querySelector('.head-count').textContent)")
    shown = page.locator("table[data-heads-table] tbody tr td:nth-child(3)").all_inner_texts()
    assert set(shown) == {labels[1]}


def test_heads_chosen_in_a_chart_stand_alone_until_all_are_asked_for(watched: Watched) -> None:
    page = opened(watched, f"{PLACE}#heads=L0H1.L7H2")
    settled(page, "2 of 24 heads.")
    assert names(page) == ["L0H1", "L7H2"]
    assert "2 heads chosen in a chart" in page.locator(".head-chosen").inner_text()
    page.evaluate("location.hash = '#heads=L3H0'")
    settled(page, "1 of 24 heads.")
    page.get_by_role("button", name="Show all").click()
    settled(page, "All 24 heads.")
    assert "#" not in page.url
    assert page.locator(".head-chosen").is_hidden()


def test_columns_can_be_added_and_taken_away(watched: Watched) -> None:
    page = opened(watched)
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="Windows not dominated by the first token").check()
    assert page.locator("th[data-column=non_sink_windows_pct]").count() == 1
    page.get_by_role("checkbox", name="activation_pct", exact=True).uncheck()
    assert page.locator("th[data-column=activation_pct]").count() == 0


def test_what_is_shown_is_what_is_downloaded(watched: Watched) -> None:
    page = opened(watched)
    page.get_by_label("Head or label").fill("L2H")
    settled(page, "3 of 24 heads.")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download what is shown").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))
    assert [row["head"] for row in rows] == ["L2H0", "L2H1", "L2H2"]
    assert [float(row["activation_pct"]) for row in rows] == [50, 88, 100]
    assert waiting.value.suggested_filename == "heads-toy.csv"


def test_a_head_leads_to_its_page_and_back_with_the_table_alive(watched: Watched) -> None:
    page = opened(watched)
    page.evaluate("window.before = true")
    page.locator("tbody a", has_text="L2H1").click()
    page.wait_for_url("**/heads/toy/L2H1/")
    # The window is the same: no page was loaded anew.
    expect(page.locator("article h1")).to_have_text("L2H1 – toy")
    assert page.evaluate("window.before")
    page.locator("[data-heads=steps]").get_by_role("link", name="all heads").click()
    page.wait_for_url("**/heads/toy/")
    expect(page.locator("article h1")).to_contain_text("Heads of toy")
    settled(page, "All 24 heads.")
    assert names(page) == EVERY
    assert page.evaluate("window.before")


@pytest.mark.parametrize(
    "watched",
    [
        {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}},
        {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}},
    ],
    indirect=True,
    ids=["light-wide", "dark-narrow"],
)
def test_neither_page_overflows_or_complains(watched: Watched) -> None:
    for place in (PLACE, f"{PLACE}L2H1/"):
        page = watched.visit(place)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), place
        assert page.locator("article [onerror], article script").count() == 0
