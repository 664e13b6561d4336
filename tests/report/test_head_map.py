"""The map of heads: what its page says without a script, what its menus, brush and keys do, and that the check sees changes."""

import html
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest
from browsing import Watched, needs_browser, served, visiting
from planting import PLANTED, figures_of, write_counters
from playwright.sync_api import Browser, Page, expect

from report import check, database, theme
from report.build import Built, build
from report.check.head_map import compare_maps
from report.check.page import read_page
from report.check.pages import Pages
from report.head_map_charts import Scale, scale_of

LOW, HIGH = theme.RAMPS["light"][0], theme.RAMPS["light"][-1]
CELLS = """[...document.querySelectorAll('.head-map-map .chart-live .mark-rect')].map(group => [...group.querySelectorAll('path')])[0]"""
FILLS = f"{CELLS}.map(cell => cell.getAttribute('fill'))"
# The chosen cells of the map, by their place in the order of the heads, and the chosen dots of the scatter.
FRAMED = f"{CELLS}.flatMap((cell, place) => cell.getAttribute('stroke') === '{theme.CHOSEN}' ? [place] : [])"
BRIGHT = f"""[...document.querySelectorAll('.head-map-scatter .chart-live .mark-symbol path')]
    .filter(dot => dot.getAttribute('fill') === '{theme.CHOSEN}').map(dot => dot.__data__.datum.name).join(' ')"""


@pytest.fixture(scope="module")
def address(small: Built) -> Iterator[str]:
    yield from served(small.site)


@pytest.fixture
def as_usual() -> dict[str, object]:
    """Wide and high enough for the whole map, in the scheme whose colours the tests name."""
    return {"color_scheme": "light", "viewport": {"width": 1280, "height": 1000}}


def opened(watched: Watched, place: str = "maps/toy/") -> Page:
    """The page of the map, drawn."""
    watched.page.goto(watched.address + place)
    watched.page.locator(".head-map[data-ready]").wait_for()
    return watched.page


def spot(page: Page, chart: str, across: float, down: float) -> tuple[float, float]:
    """A place on a chart's plot, given from 0 to 1 of its width and height, as the mouse goes there."""
    plot = page.locator(f".head-map-{chart} .chart-live .role-frame > g > path.background").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def drag(page: Page, chart: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*spot(page, chart, *start))
    page.mouse.down()
    page.mouse.move(*spot(page, chart, (start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    page.mouse.move(*spot(page, chart, *end))
    page.mouse.up()


def cell(layer: int, head: int) -> tuple[float, float]:
    """The middle of a head's cell on the planted map of eight layers of three."""
    return (layer + 0.5) / 8, (head + 0.5) / 3


@needs_browser
def test_the_menu_recolours_the_cells_by_the_measures_own_values(watched: Watched) -> None:
    page = opened(watched)
    fills = page.evaluate(FILLS)
    planted = PLANTED.flatten().tolist()
    assert len(fills) == 24
    assert {fills[place] for place, value in enumerate(planted) if value == 100} == {HIGH}
    assert {fills[place] for place, value in enumerate(planted) if value == 0} == {LOW}
    assert len({fills[place] for place, value in enumerate(planted) if value == 90}) == 1
    # Shards alternate about the planted value: a head planted at 50 is above a half in every other window.
    page.select_option(".head-map-map select", "non_sink_windows_pct")
    page.wait_for_function(f"new Set({FILLS}).size === 3")
    fills = page.evaluate(FILLS)
    assert [fill == HIGH for fill in fills] == [value > 50 for value in planted]
    assert [fill == LOW for fill in fills] == [value < 50 for value in planted]
    assert "Windows not dominated by the first token, %" in page.locator(".head-map-legend").inner_text()


@needs_browser
def test_sorting_puts_the_highest_head_of_a_layer_on_top(watched: Watched) -> None:
    page = opened(watched)
    tops = f"{CELLS}.map(cell => Math.round(cell.getBoundingClientRect().top))"
    before = page.evaluate(tops)
    assert before[0] < before[1] < before[2]
    page.get_by_label("sorted within layers").check()
    # Layer 0 holds 10, 90 and 95; layer 4 holds 90, 10 and 90, of which the first comes first.
    page.wait_for_function(f"{tops}[0] > {tops}[2]")
    after = page.evaluate(tops)
    assert after[2] < after[1] < after[0]
    assert after[12] < after[14] < after[13]


@needs_browser
def test_a_brush_over_the_scatter_marks_its_heads_in_the_map(watched: Watched) -> None:
    page = opened(watched)
    drag(page, "scatter", (0.62, 0.001), (0.999, 0.999))
    page.locator(".head-map-chosen").wait_for()
    expected = [place for place, value in enumerate(PLANTED.flatten()) if value > 62 and value < 100]
    page.wait_for_function(f"JSON.stringify({FRAMED}) === '{json.dumps(expected).replace(' ', '')}'")
    assert page.locator(".head-map-chosen").inner_text().startswith(f"{len(expected)} heads chosen")
    # The numbers of the brush stand where they can be changed by hand.
    assert float(page.get_by_label("from", exact=True).first.input_value()) == pytest.approx(62, abs=1)
    page.get_by_role("button", name="clear", exact=True).click()
    page.wait_for_function(f"{FRAMED}.length === 0")
    assert not page.locator(".head-map-chosen").is_visible()


@needs_browser
def test_a_drag_over_the_map_marks_its_heads_in_the_scatter_and_leads_to_the_table(watched: Watched) -> None:
    page = opened(watched)
    drag(page, "map", cell(0, 0), cell(1, 1))
    page.wait_for_function(f"{BRIGHT} === 'L0H0 L0H1 L1H0 L1H1'")
    assert page.get_by_role("link", name="show them in the table").get_attribute("href").endswith("heads/toy/#heads=L0H0.L0H1.L1H0.L1H1")  # type: ignore[union-attr]
    # Few heads have their intervals: one line across and one up for each.
    assert page.locator(f".head-map-scatter .mark-rule line[stroke='{theme.CHOSEN}']").count() == 8
    # The number below a layer chooses the layer.
    across, down = spot(page, "map", *cell(5, 2))
    bottom = spot(page, "map", 0, 1)[1]
    page.mouse.click(across, bottom + 12)
    page.wait_for_function(f"{BRIGHT} === 'L5H0 L5H1 L5H2'")
    assert down < bottom


@needs_browser
def test_numbers_choose_heads_without_a_pointer(watched: Watched) -> None:
    page = opened(watched)
    page.get_by_text("Choose heads by numbers").click()
    start, end = page.get_by_label("from", exact=True).nth(0), page.get_by_label("to", exact=True).nth(0)
    start.fill("84")
    end.fill("89")
    expected = [place for place, value in enumerate(PLANTED.flatten()) if value in (85, 88)]
    page.wait_for_function(f"JSON.stringify({FRAMED}) === '{json.dumps(expected).replace(' ', '')}'")
    assert page.locator(".head-map-chosen").inner_text().startswith("2 heads chosen")
    start.fill("")
    end.fill("")
    page.wait_for_function(f"{FRAMED}.length === 0")


@needs_browser
def test_a_click_on_a_cell_leads_to_the_heads_page(watched: Watched) -> None:
    page = opened(watched)
    page.evaluate("window.before = true")
    page.mouse.click(*spot(page, "map", *cell(2, 1)))
    page.wait_for_url("**/heads/toy/L2H1/")
    expect(page.locator("article h1")).to_have_text("L2H1 – toy")
    # The window is the same: no page was loaded anew.
    assert page.evaluate("window.before")


@needs_browser
def test_the_keyboard_reaches_every_head_says_it_chooses_it_and_opens_it(watched: Watched) -> None:
    page = opened(watched)
    chart = page.locator(".head-map-map .chart-live")
    chart.focus()
    # A focus that a script gives shows where the keyboard stands after the first key.
    page.keyboard.press("Home")
    said = set()
    for row in range(3):
        for _ in range(7):
            said.add(page.locator(".head-map-readout").inner_text())
            page.keyboard.press("ArrowRight" if row % 2 == 0 else "ArrowLeft")
        said.add(page.locator(".head-map-readout").inner_text())
        page.keyboard.press("ArrowDown")
    assert {text.split(":")[0] for text in said} == {f"L{layer}H{head}" for layer in range(8) for head in range(3)}
    assert "L0H1: 90.0 %, 88.2 to 91.8, previous token" in said
    page.keyboard.press("Space")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+Space")
    page.wait_for_function(f"JSON.stringify({FRAMED}) === '[18,19,20,23]'")
    page.keyboard.press("Escape")
    page.wait_for_function(f"{FRAMED}.length === 0")
    page.keyboard.press("Enter")
    page.wait_for_url("**/heads/toy/L6H2/")


@needs_browser
@pytest.mark.parametrize("watched", [{"viewport": {"width": 360, "height": 740}}], indirect=True)
def test_on_a_narrow_screen_layers_run_down_and_keys_follow_what_is_seen(watched: Watched) -> None:
    page = opened(watched)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
    boxes = page.evaluate(f"{CELLS}.map(cell => cell.getBoundingClientRect()).map(box => [box.left, box.top])")
    assert boxes[0][1] == boxes[1][1] < boxes[3][1]
    page.locator(".head-map-map .chart-live").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.locator(".head-map-readout").inner_text().startswith("L1H1:")


@needs_browser
def test_a_site_opened_from_a_file_draws_its_map(browser: Browser, small: Built) -> None:
    with visiting(browser, f"{small.site.as_uri()}/") as visitor:
        assert len(opened(visitor, "maps/toy/index.html").evaluate(FILLS)) == 24


@needs_browser
def test_instant_navigation_and_the_scheme_switch_keep_the_map_alive(watched: Watched) -> None:
    page = watched.visit("")
    page.locator(".md-tabs__link", has_text="Heads").click()
    page.locator(".md-sidebar--primary").get_by_role("link", name="map of the heads").click()
    page.locator(".head-map[data-ready]").wait_for()
    assert HIGH in page.evaluate(FILLS)
    page.get_by_title("Switch to dark").click()
    page.wait_for_function(f"{FILLS}.includes('{theme.RAMPS['dark'][-1]}')")


@needs_browser
@pytest.mark.parametrize("watched", [{"java_script_enabled": False}], indirect=True)
def test_without_javascript_pictures_sentences_and_the_table_are_there(watched: Watched) -> None:
    page = watched.page
    page.goto(watched.address + "maps/toy/")
    assert page.locator("figure.chart img.scheme-light").count() == 3
    for picture in page.locator("figure.chart img.scheme-light").all():
        box = picture.bounding_box()
        assert box is not None and box["height"] > 80
    assert "2 of 24 heads" not in page.locator(".finding").inner_text()
    assert "of 24 heads L2H2 has the highest value, 100.0 %; the lowest is 0.0 %, of L7H0." in page.locator(".finding").inner_text()
    first = page.locator("article table").first.locator("tbody tr").first.locator("td").all_inner_texts()
    assert first == ["0", "65.0", "L0H0", "10.0", "L0H2", "95.0"]
    page.get_by_text("Download this chart").first.click()
    assert page.get_by_role("link", name="CSV").first.is_visible()


@needs_browser
def test_a_head_without_a_value_is_struck_through_and_never_zero(browser: Browser, tmp_path: Path) -> None:
    counters = write_counters(tmp_path / "counters.duckdb", np.array([[50, 60], [70, 80]]))
    with duckdb.connect(str(counters)) as connection:
        # What is not finite has no value; today's schema would not let it in.
        connection.execute("create or replace table shard_stat as from shard_stat")
        connection.execute("update shard_stat set total = 'nan' where measure = 'entropy' and layer = 1 and head = 0")
    made = build(counters, tmp_path / "site", tmp_path / "headcount.duckdb", figures_of(tmp_path))
    for address in served(made.site):
        with visiting(browser, address, color_scheme="light", viewport={"width": 1280, "height": 900}) as visitor:
            page = opened(visitor)
            assert page.locator(".head-map-missing").count() == 0
            page.select_option(".head-map-map select", "entropy")
            page.locator(".head-map-missing").wait_for()
            page.wait_for_function(f"{FILLS}.indexOf('transparent') === 2")
            assert page.locator(".head-map-map .mark-symbol path").count() == 1
            page.locator(".head-map-map .chart-live").focus()
            page.keyboard.press("ArrowRight")
            assert page.locator(".head-map-readout").inner_text() == "L1H0: no value"


def test_each_measure_gets_the_scale_that_suits_it() -> None:
    assert scale_of(0, "%", [3.0, 40.0]) == Scale("linear", 0, 100)
    assert scale_of(-1, "1", [-0.2, 0.731]) == Scale("diverging", -0.74, 0.74)
    assert scale_of(0, "share", [0.4, 0.5, 0.871]) == Scale("linear", 0, 0.88)
    assert scale_of(0, "share", [0.01, 0.02, 0.93]) == Scale("sqrt", 0, 0.93)
    assert scale_of(0, "1", [0.247, 3.0, 62.52]) == Scale("log", 0.24, 63)
    assert scale_of(0, "1", [0.0, 0.0]) == Scale("linear", 0, 1)
    assert scale_of(0, "share", []) == Scale("linear", 0, 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_ramp_changes_its_lightness_in_even_steps_of_one_direction(scheme: str) -> None:
    steps = np.diff([theme.lightness(colour) for colour in theme.RAMPS[scheme]])
    assert (np.sign(steps) == np.sign(steps[0])).all()
    assert np.abs(steps).min() > 3
    middle = [theme.lightness(colour) for colour in theme.DIVERGING[scheme]]
    peak = middle.index(max(middle) if scheme == "light" else min(middle))
    assert peak == len(middle) // 2


def changed(path: Path, change: Callable[[str], str]) -> None:
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before, path
    path.write_text(after, encoding="utf-8")


def on_settings(change: Callable[[dict], object]) -> Callable[[str], str]:
    """A change of what the module is told, as a change of the page."""

    def whole(page: str) -> str:
        text = re.search(r'<template class="head-map-settings">(.*?)</template>', page, re.DOTALL)
        assert text
        settings = json.loads(html.unescape(text.group(1)))
        change(settings)
        return page.replace(text.group(1), html.escape(json.dumps(settings)))

    return whole


PAGE = "maps/toy/index.html"
CHANGES: dict[str, tuple[str, Callable[[str], str]]] = {
    "the scale of activation_pct is not": (PAGE, on_settings(lambda found: found["scales"]["activation_pct"].update(high=50))),
    "opens with": (PAGE, on_settings(lambda found: found.update(measure="entropy"))),
    "its settings are of other measures": (PAGE, on_settings(lambda found: found["scales"].pop("entropy"))),
    "its module draws other": (PAGE, lambda text: text.replace('data-slug="toy"', 'data-slug="other"')),
    "its description is no sentence": (PAGE, lambda text: text.replace("the lowest is", "the least is")),
    "its rows are not the answer": ("charts/maps/toy/ecdf.vl.json", lambda text: text.replace('"share": 100.0', '"share": 99.0', 1)),
    "its light picture": (
        "charts/maps/toy/map-light.svg",
        lambda text: text.replace("Head: 1; activation_pct, %: 90", "Head: 1; activation_pct, %: 9", 1),
    ),
    "its dark picture": ("charts/maps/toy/profile-dark.svg", lambda text: re.sub(r"(Layer: 7; activation_pct, %: )55", r"\g<1>56", text)),
}


@pytest.fixture(scope="module")
def compared(small: Built) -> Iterator[Callable[[Path], list[str]]]:
    """What the check of the maps finds in a site, its answers asked once."""
    # Opened as the check does: one process opens a file in one way only.
    with database.read(small.published) as connection:
        _, recount = check.compare_file(connection, check.fingerprints(connection), check.read_ledger(small.site))

        def found(site: Path) -> list[str]:
            pages = {page.name: page for page in (read_page(site, path) for path in sorted(site.glob("maps/*/index.html")))}
            return list(compare_maps(site, pages, Pages(recount)))

        yield found


def copied(small: Built, site: Path) -> Path:
    """The parts of a site that the maps stand on, to be spoiled."""
    for part in ("maps", "heads", "charts/maps"):
        shutil.copytree(small.site / part, site / part)
    return site


@pytest.mark.parametrize("told", CHANGES)
def test_a_changed_map_turns_the_check_red_without_the_hashes(
    small: Built, compared: Callable[[Path], list[str]], tmp_path: Path, told: str
) -> None:
    site = copied(small, tmp_path)
    assert compared(site) == []
    name, change = CHANGES[told]
    changed(site / name, change)
    assert [text for text in compared(site) if told in text], compared(site)


def test_a_missing_map_turns_the_whole_check_red(small: Built, tmp_path: Path) -> None:
    shutil.copytree(small.site, tmp_path / "site")
    shutil.rmtree(tmp_path / "site" / "maps")
    assert "maps/toy/: no such page, but values of its heads" in check.differences(small.published, tmp_path / "site")["maps"]
