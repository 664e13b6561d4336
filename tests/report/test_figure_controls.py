"""Figures that can be moved, in a real browser, and the check that their data are the file's.

As planted, every head's tokens lie just at or just below a ratio of 0.5: one stored step lower all heads are always active, one step higher
none ever is. Five bands over four ranges of six heads; at 0.5 the first range holds four heads in [80, 100], one in [20, 40) and one in
[0, 20)."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from browsing import Watched, needs_browser, served, visiting
from planted_calibration import OWN, add_calibration
from planting import PLANTED, figures_of, write_counters
from playwright.sync_api import Browser, Locator, Page, Position, expect
from selectolax.lexbor import LexborHTMLParser

from report import check, figure_controls, figures, publish
from report.build import Built, build
from report.check.page import parse, read_page
from report.check.pages import Pages
from report.check.thresholds import compare_thresholds
from report.facts import Ledger, inert
from report.head_homes import Home
from report.queries import question

FIGURE = "figures/toy/activation/"
SCRIPT = "charts/toy/activation.thresholds.js"
RANGES = ("[0, 2)", "[2, 4)", "[4, 6)", "[6, 8)")
BUSIEST = (4, 4, 2, 1)
# Away from the printed percentage.
CORNER: Position = {"x": 5, "y": 5}
Judge = Callable[[str, str, str], list[str]]


@pytest.fixture(scope="module")
def address(small: Built) -> Iterator[str]:
    yield from served(small.site)


def first(page: Page) -> Locator:
    return page.locator("figure.chart").first


def bars(page: Page) -> dict[tuple[str, str], tuple[str, str, float]]:
    """Heads, share and height in pixels of each segment of the live chart, by range and band, as Vega names them."""
    found = {}
    for label, height in (
        first(page)
        .locator(".chart-live .mark-rect path")
        .evaluate_all("paths => paths.map(path => [path.getAttribute('aria-label'), path.getBBox().height])")
    ):
        named = dict(part.split(": ", 1) for part in label.split("; ") if ": " in part)
        found[named["Layers"], named["Band"]] = (named["Heads"], named["Share of the range"], height)
    return found


def move(page: Page, key: str) -> None:
    """Move the threshold by a key, and wait until the chart has followed."""
    before = bars(page)
    page.get_by_role("slider", name="Threshold").press(key)
    drawn(page, lambda now: now != before)


def drawn(page: Page, wanted: Callable[[dict[tuple[str, str], tuple[str, str, float]]], bool]) -> None:
    """Wait until the live chart is drawn as wanted, for ten seconds."""
    for _ in range(500):
        if wanted(bars(page)):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"after ten seconds the chart shows {bars(page)}")


@needs_browser
def test_the_slider_moves_every_count_to_that_of_its_threshold_and_back(watched: Watched) -> None:
    page = watched.visit(FIGURE)
    own = bars(page)
    assert [own[place, "[80, 100]"][0] for place in RANGES] == [str(heads) for heads in BUSIEST]
    move(page, "ArrowLeft")
    assert {bars(page)[place, "[80, 100]"][:2] for place in RANGES} == {("6", "100.0 %")}
    assert "Moved to a ratio of 0.459" in first(page).inner_text()
    assert "where 13 heads lie in another band" in first(page).locator("output").inner_text()
    move(page, "ArrowRight")
    move(page, "ArrowRight")
    assert {bars(page)[place, "[0, 20)"][:2] for place in RANGES} == {("6", "100.0 %")}
    assert "where 17 heads lie in another band. The text and the downloads speak of a ratio of 0.5." in first(page).inner_text()
    printed = first(page).locator(".chart-live svg text").all_text_contents()
    assert [text for text in printed if text.endswith("%")] == ["100.0 %"] * 4
    first(page).get_by_role("button", name="Back to 0.5").click()
    page.wait_for_function("document.querySelector('figure.chart .figure-told').textContent === 'At a ratio of 0.5'")
    drawn(page, lambda now: now == own)


@needs_browser
def test_the_slider_says_where_it_stands_and_the_table_follows(watched: Watched) -> None:
    page = watched.visit(FIGURE)
    slider = page.get_by_role("slider", name="Threshold")
    # As planted, the budget holds at the figure's own threshold too.
    assert slider.get_attribute("aria-valuetext") == "a ratio of 0.5, the figure's own"
    assert first(page).get_by_role("button", name="0.5: the figure's own, and the largest within the price budget").is_visible()
    first(page).get_by_text("Every segment as a table").click()
    cells = first(page).locator(".figure-cells tbody tr").first
    assert cells.inner_text().split() == [
        "[0,",
        "2)",
        "4",
        "66.7",
        "%",
        "0",
        "0.0",
        "%",
        "0",
        "0.0",
        "%",
        "1",
        "16.7",
        "%",
        "1",
        "16.7",
        "%",
    ]
    move(page, "ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "a ratio of 0.459"
    assert cells.inner_text().split()[2:5] == ["6", "100.0", "%"]
    assert first(page).locator(".figure-cells caption").inner_text().endswith("a ratio of 0.459")


@needs_browser
def test_as_shares_every_range_is_a_hundred_per_cent_high(watched: Watched) -> None:
    page = watched.visit(FIGURE)
    button = first(page).get_by_role("button", name="Shares")
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    page.wait_for_function(
        "[...document.querySelectorAll('.chart-live text')].some(text => text.textContent === '% of the range\\'s heads')"
    )
    assert button.get_attribute("aria-pressed") == "true"
    heights = {place: sum(height for (bar, _), (_, _, height) in bars(page).items() if bar == place) for place in RANGES}
    tallest = max(heights.values())
    assert all(height == pytest.approx(tallest, abs=0.1) for height in heights.values())
    assert bars(page)["[0, 2)", "[80, 100]"][2] == pytest.approx(tallest * 4 / 6, abs=0.1)
    move(page, "ArrowLeft")
    assert bars(page)["[0, 2)", "[80, 100]"][2] == pytest.approx(tallest, abs=0.1)


@needs_browser
def test_pointer_and_keys_name_the_same_segment_and_list_its_heads(watched: Watched) -> None:
    page = watched.visit(FIGURE)
    panel, stage = first(page).locator(".figure-panel"), first(page).locator(".chart-stage")
    assert "arrow keys" in panel.inner_text()
    stage.focus()
    page.keyboard.press("ArrowRight")
    panel.locator("a").first.wait_for()
    by_key = panel.inner_text()
    assert by_key.startswith("Layers [0, 2), band [80, 100]: 4 heads, 66.7 % of the range")
    assert page.locator(".chart-says").inner_text() == "Layers [0, 2), Band [80, 100], Heads 4, Share of the range 66.7 %"
    links = panel.locator("a").evaluate_all("links => links.map(link => [link.textContent, link.href])")
    root = watched.address + "heads/toy/"
    heads = ["L0H1", "L0H2", "L1H1", "L1H2"]
    assert links == [*([head, f"{root}{head}/"] for head in heads), ["All in the table", f"{root}#heads={'.'.join(heads)}"]]
    page.keyboard.press("Escape")
    assert "arrow keys" in panel.inner_text()
    first(page).locator('.chart-live path[aria-label*="Layers: [0, 2); Band: [80, 100]"]').hover(position=CORNER)
    panel.locator("a").first.wait_for()
    assert panel.inner_text() == by_key


@needs_browser
def test_at_a_moved_threshold_the_heads_are_those_of_that_threshold(watched: Watched) -> None:
    page = watched.visit(FIGURE)
    move(page, "ArrowLeft")
    first(page).locator(".chart-stage").focus()
    page.keyboard.press("ArrowRight")
    panel = first(page).locator(".figure-panel")
    panel.locator("a").first.wait_for()
    assert "6 heads, 100.0 % of the range, at a ratio of 0.459" in panel.inner_text()
    assert panel.locator("a").all_text_contents() == ["L0H0", "L0H1", "L0H2", "L1H0", "L1H1", "L1H2", "All in the table"]
    move(page, "ArrowRight")
    expect(panel).to_contain_text("4 heads, 66.7 % of the range")


@needs_browser
@pytest.mark.parametrize("by", ["click", "Enter"])
def test_a_chosen_segment_leads_to_the_table_of_its_heads(watched: Watched, by: str) -> None:
    page = watched.visit(FIGURE)
    page.evaluate("addEventListener('click', event => { if (event.target.closest('.figure-all')) event.preventDefault(); }, true)")
    page.evaluate("addEventListener('click', event => { window.led = event.target.href || window.led; }, true)")
    if by == "click":
        first(page).locator('.chart-live path[aria-label*="Layers: [6, 8); Band: [80, 100]"]').click(position=CORNER)
    else:
        first(page).locator(".chart-stage").focus()
        for key in ("ArrowRight", "End", "Enter"):
            page.keyboard.press(key)
    page.wait_for_function("window.led")
    assert page.evaluate("window.led") == watched.address + "heads/toy/#heads=L7H2"


@needs_browser
@pytest.mark.parametrize("watched", [{"has_touch": True, "viewport": {"width": 360, "height": 740}}], indirect=True, ids=["touch"])
def test_a_tap_shows_the_heads_and_leads_nowhere(watched: Watched) -> None:
    page = watched.visit(FIGURE)
    first(page).locator('.chart-live path[aria-label*="Layers: [6, 8); Band: [80, 100]"]').tap(position=CORNER)
    first(page).locator(".figure-panel a").first.wait_for()
    assert first(page).locator(".figure-panel a").all_text_contents() == ["L7H2", "All in the table"]
    assert page.url == watched.address + FIGURE
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")


@needs_browser
def test_every_chart_is_one_tab_stop_that_arrow_keys_walk_through(watched: Watched) -> None:
    for place in ("", "figures/", FIGURE, "price/"):
        page = watched.visit(place)
        charts = page.locator("figure.chart")
        assert charts.count() > 0
        focusable = "figure => [...figure.querySelectorAll('.chart-stage, .chart-stage *')].filter(one => one.tabIndex >= 0).length"
        assert charts.evaluate_all(f"figures => figures.map({focusable})") == [1] * charts.count(), place
        for number in range(charts.count()):
            charts.nth(number).locator(".chart-stage").focus()
            said = set()
            for key in ("ArrowRight", "ArrowRight", "ArrowUp", "End", "ArrowDown", "Home"):
                page.keyboard.press(key)
                said.add(page.locator(".chart-says").inner_text())
            assert len(said) > 1, (place, number)
            ring = charts.nth(number).locator(".chart-ring").bounding_box()
            chart = charts.nth(number).locator(".chart-live").bounding_box()
            assert ring is not None, (place, number)
            assert chart is not None
            assert chart["x"] - 9 <= ring["x"] <= chart["x"] + chart["width"]
            assert chart["y"] - 9 <= ring["y"] <= chart["y"] + chart["height"]


@needs_browser
@pytest.mark.parametrize("watched", [{"viewport": {"width": 360, "height": 740}}], indirect=True, ids=["narrow"])
def test_the_chart_of_the_price_keeps_its_width_on_a_narrow_page(watched: Watched) -> None:
    page = watched.visit("price/")
    places = page.locator(".chart-live .mark-symbol path").evaluate_all("points => points.map(point => point.getBoundingClientRect().x)")
    # Planted are thresholds from 0.25 to 1.
    assert max(places) - min(places) > 100


@needs_browser
def test_the_ring_lies_on_the_segment_that_is_spoken(watched: Watched) -> None:
    page = watched.visit(FIGURE)
    first(page).locator(".chart-stage").focus()
    for key in ("ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    bar = first(page).locator('.chart-live path[aria-label*="Layers: [2, 4); Band: [80, 100]"]').bounding_box()
    ring = first(page).locator(".chart-ring").bounding_box()
    assert bar is not None
    assert ring is not None
    # A bar's box counts its outline in.
    for side, length in (("x", "width"), ("y", "height")):
        assert ring[side] + ring[length] / 2 == pytest.approx(bar[side] + bar[length] / 2, abs=0.6)
        assert 0 <= bar[length] - ring[length] < 7


@needs_browser
@pytest.mark.parametrize("watched", [{"color_scheme": "light"}], indirect=True)
def test_palette_and_scheme_keep_the_moved_threshold(watched: Watched) -> None:
    page = watched.visit(FIGURE)
    move(page, "ArrowLeft")
    page.get_by_role("button", name="colour-blind safe").click()
    fills = "[...document.querySelectorAll('.figure-bar ~ .chart-stage .mark-rect path')].map(path => path.getAttribute('fill'))"
    page.wait_for_function(f"{fills}.includes('#2166ac')")
    assert bars(page)["[0, 2)", "[80, 100]"][0] == "6"
    title = "document.querySelector('.chart-live .role-title-text text').getAttribute('fill')"
    light = page.evaluate(title)
    page.get_by_title("Switch to dark").click()
    page.wait_for_function(f"{title} !== '{light}'")
    assert bars(page)["[0, 2)", "[80, 100]"][0] == "6"
    page.emulate_media(media="print")
    assert first(page).locator("img.scheme-light").is_visible()
    assert not first(page).locator(".figure-controls").is_visible()


@needs_browser
@pytest.mark.parametrize("watched", [{"java_script_enabled": False}], indirect=True)
def test_without_javascript_no_control_is_shown(watched: Watched) -> None:
    watched.page.goto(watched.address + FIGURE)
    assert watched.page.locator("img.scheme-light").first.is_visible()
    assert not watched.page.locator(".figure-controls").is_visible()
    assert watched.page.locator(".chart-stage[tabindex]").count() == 0


@pytest.fixture(scope="module")
def judge(small: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """Gives what the check says of the site when one text in a file is another."""
    site = Path(shutil.copytree(small.site, tmp_path_factory.mktemp("moved") / "site"))
    with duckdb.connect(str(small.published), read_only=True) as connection:
        _, recount = check.compare_file(connection, {}, check.read_ledger(site))
        shown = {name: read_page(site, site / name) for name in (f"{FIGURE}index.html", "figures/reference/published-counts/index.html")}

        def differences(name: str, before: str, after: str) -> list[str]:
            text = (site / name).read_text(encoding="utf-8")
            assert before in text
            (site / name).write_text(text.replace(before, after, 1), encoding="utf-8")
            try:
                read = {page: read_page(site, site / page) if page == name else kept for page, kept in shown.items()}
                return list(compare_thresholds(site, read, Pages(recount)))
            finally:
                (site / name).write_text(text, encoding="utf-8")

        yield differences


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('[4, "4", "66.7 %"]', '[5, "4", "66.7 %"]', "at 0.5: [0, 2), [80, 100] has [5, '4', '66.7 %'], the file [4, '4', '66.7 %']"),
        ('[4, "4", "66.7 %"]', '[4, "5", "66.7 %"]', "at 0.5: [0, 2), [80, 100] has [4, '5', '66.7 %'], the file [4, '4', '66.7 %']"),
        ('"66.7 %"', '"66.6 %"', "at 0.5: [0, 2), [80, 100] has [4, '4', '66.6 %'], the file [4, '4', '66.7 %']"),
        ('"17"', '"18"', "at 0.545: 18 heads in another band, in the file 17"),
        ('["L0H0", 0, "4', '["L0H0", 0, "3', "head L0H0 is"),
        ('["L0H0", 0,', '["L0H0", 1,', "head L0H0 is"),
        ('["L0H0", 0,', '["L0H9", 0,', "head L0H0 is"),
        ("window.headcount", "alert(1); window.headcount", "is no script of its data"),
        ("toy/activation", "toy/another", "is no script of its data"),
    ],
)
def test_changed_data_are_caught_cell_by_cell(judge: Judge, before: str, after: str, said: str) -> None:
    assert judge(SCRIPT, "", "") == []
    (found,) = judge(SCRIPT, before, after)
    assert said in found


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"0.545"', '"0.546"', "thresholds is not the file's"),
        ('"[0, 2)"', '"[0, 3)"', "ranges is not the file's"),
        ('"[80, 100]"', '"[80, 101]"', "bands is not the file's"),
        ('"own": ', '"own": 1', "own is not the file's"),
        ('"largest": ', '"largest": 1', "largest is not the file's"),
        ('"slug": "', '"slug": "x', "slug is not the file's"),
        ('"heads/toy/"', '"elsewhere/"', "its heads are not described at elsewhere/"),
        ('"heads/toy/"', "null", "its heads are not described at None"),
        ('"heads/toy/"', "7", "its heads are not described at 7"),
    ],
)
def test_changed_words_of_the_controls_are_caught(judge: Judge, before: str, after: str, said: str) -> None:
    (found,) = judge(f"{FIGURE}index.html", as_written(before), as_written(after))
    assert said in found


def test_a_segment_leads_to_the_table_of_its_own_runs_heads(tmp_path: Path) -> None:
    counters = write_counters(tmp_path / "c.duckdb", PLANTED)
    write_counters(counters, PLANTED, run_id="other")
    with duckdb.connect(str(counters)) as connection:
        connection.execute("update run set model = 'other', weights_sha256 = repeat('3', 64) where run_id = 'other'")
    made = build(counters, tmp_path / "site", tmp_path / "h.duckdb", figures_of(tmp_path))
    page = f"{FIGURE}index.html"
    text = (made.site / page).read_text(encoding="utf-8")
    with duckdb.connect(str(made.published), read_only=True) as connection:
        _, recount = check.compare_file(connection, {}, check.read_ledger(made.site))
        shown = {name: read_page(made.site, made.site / name) for name in (page, "figures/other/activation/index.html")}
        assert [about_of(kept.html)["table"] for kept in shown.values()] == ["heads/toy/", "heads/other/"]
        assert list(compare_thresholds(made.site, shown, Pages(recount))) == []
        # The other table is there and has heads of these names: only the run tells them apart.
        shown[page] = parse(page, text.replace(as_written('"heads/toy/"'), as_written('"heads/other/"'), 1))
        found = list(compare_thresholds(made.site, shown, Pages(recount)))
    assert found == [f"{page}: controls: its heads are not described at heads/other/"]


def as_written(text: str) -> str:
    """A piece of JSON as it stands in an attribute of a page."""
    return inert(text)


def test_controls_that_are_gone_and_data_of_no_page_are_caught(judge: Judge, small: Built) -> None:
    page = f"{FIGURE}index.html"
    found = judge(page, 'data-module="figure-controls"', "")
    assert found == [f"{page}: 0 controls of figures, instead of 1", f"{SCRIPT} belongs to no page"]


@pytest.mark.parametrize(("rises", "largest"), [((0.1, 0.2, 0.1, 0.2), 0.5), ((9.0, 9.0, 9.0, 9.0), 0.25)], ids=["own", "lower"])
def test_the_mark_is_the_largest_threshold_within_the_budget(tmp_path: Path, rises: tuple[float, ...], largest: float) -> None:
    counters = add_calibration(write_counters(tmp_path / "c.duckdb", PLANTED), {OWN: rises})
    publish.publish(counters, tmp_path / "h.duckdb", figures.load(figures_of(tmp_path, "activation", "residual_activation")))
    with duckdb.connect(str(tmp_path / "h.duckdb"), read_only=True) as connection:
        ledger = Ledger(connection)
        marks = {}
        for figure in ("activation", "residual_activation"):
            moves = ledger.answer(question("threshold_moves"), {"run_id": "toy", "figure": figure})
            place = figure_controls.largest_within_budget(ledger, "toy", moves)
            marks[figure] = None if place is None else moves[place]["threshold"]
    # The price is that of the output relative to its layer's mean; the other figure's threshold is another quantity.
    assert marks == {"activation": largest, "residual_activation": None}


def test_the_addresses_that_the_page_builds_are_those_of_the_heads(small: Built) -> None:
    home = Home("toy", "toy")
    about = about_of((small.site / FIGURE / "index.html").read_text(encoding="utf-8"))
    assert about["table"] == home.table
    # As figure-controls.js does it.
    assert f"{about['table']}L0H1/" == home.head(0, 1)


def about_of(page: str) -> dict[str, object]:
    """What the controls of a page say."""
    node = LexborHTMLParser(page).css_first("[data-module=figure-controls]")
    assert node is not None
    found: dict[str, object] = json.loads(node.attributes["data-about"] or "")
    return found


@needs_browser
def test_a_page_that_is_opened_from_a_file_can_be_moved_too(browser: Browser, small: Built) -> None:
    with visiting(browser, f"{small.site.as_uri()}/") as visitor:
        page = visitor.visit(f"{FIGURE}index.html")
        page.get_by_role("slider", name="Threshold").press("ArrowLeft")
        page.wait_for_function("document.querySelector('.figure-told').textContent === 'Moved to a ratio of 0.459'")
        first(page).locator(".chart-stage").focus()
        page.keyboard.press("ArrowRight")
        first(page).locator(".figure-panel a").first.wait_for()
        assert str(first(page).locator(".figure-panel a").first.get_attribute("href")).endswith("/heads/toy/L0H0/")
