"""The keyboard alone: it reaches everything, what it stands on is seen, a chart is one stop.

Menu, search and tables work without a pointer."""

import pytest
from visiting import NARROW, WIDE, WINDOWS, Visitor

# Everything on the page that a pointer could use and the keyboard must reach. Closed parts of a page are reached by opening them.
CONTROLS = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex], [onclick]")]
    .filter(node => node.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })
        && !node.disabled && !node.closest("[hidden]"))"""
# Controls that the keyboard cannot stand on, and those that do not look otherwise when it does.
UNREACHED = (
    "() => { const look = node => { const style = getComputedStyle(node); return [style.outlineStyle, style.outlineWidth,"
    " style.outlineColor, style.boxShadow, style.backgroundColor, style.color, style.borderColor,"
    " style.textDecorationColor, style.opacity].join('|'); };"
    # The two radio buttons of the scheme are drawn by their labels; search marks the whole of its dialog.
    " const drawn = node => node.matches('input.md-option') ? node.nextElementSibling : node;"
    " document.activeElement.blur(); const missed = []; for (const node of (" + CONTROLS + ")()) {"
    "   if (node.matches('.md-toggle, [tabindex=\"-1\"]')) continue;"
    "   const before = look(drawn(node)); node.focus({ preventScroll: true });"
    "   if (document.activeElement !== node) missed.push('out of reach: ' + node.outerHTML.slice(0, 120));"
    "   else if (look(drawn(node)) === before && !node.matches('.md-search__input'))"
    "     missed.push('no ring: ' + node.outerHTML.slice(0, 120));"
    "   node.blur(); } return missed; }"
)
STANDS_ON = """() => { const node = document.activeElement; if (!node || node === document.body) return null;
    const seen = node.matches("input.md-option") ? node.nextElementSibling : node;
    const box = seen.getBoundingClientRect();
    return { what: node.outerHTML.slice(0, 100), ring: node.matches(":focus-visible"),
             seen: box.width > 0 && box.height > 0
                 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth }; }"""
# The stage of a chart; charts that a module draws by itself, as those of the map, have theirs in the live chart or none.
STOPS_IN_CHARTS = """() => [...document.querySelectorAll("figure.chart[data-chart]:not([data-own])")].map(figure =>
    [...figure.querySelectorAll(".chart-stage, .chart-stage *")].filter(node => node.tabIndex >= 0).length)"""
STOPS_IN_OTHERS = """() => [...document.querySelectorAll("figure.chart[data-own]")].map(figure =>
    [...figure.querySelectorAll(".chart-live, .chart-live *")].filter(node => node.tabIndex >= 0).length)"""


@WINDOWS
def test_the_keyboard_reaches_everything_and_is_seen_where_it_stands(visitor: Visitor, place: str) -> None:
    page = visitor.visit(place)
    page.wait_for_timeout(100)
    # From the first key on, the browser marks what has the focus.
    page.keyboard.press("Tab")
    assert page.evaluate(UNREACHED) == []
    assert page.evaluate("() => [...document.querySelectorAll('[tabindex]')].filter(node => node.tabIndex > 0).length") == 0
    assert all(stops == 1 for stops in page.evaluate(STOPS_IN_CHARTS))
    assert all(stops <= 1 for stops in page.evaluate(STOPS_IN_OTHERS))


@WINDOWS
@pytest.mark.parametrize("kind", ["", "figures/"])
def test_tab_by_tab_the_keyboard_goes_through_a_page_and_out_of_it(visitor: Visitor, kind: str) -> None:
    page = visitor.visit(kind)
    page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
    stops = []
    for _ in range(45):
        page.keyboard.press("Tab")
        stands = page.evaluate(STANDS_ON)
        if stands is None:
            break
        stops.append(stands)
    assert len(stops) > 8
    # The theme's first stop, the way past the menu, comes into sight when the keyboard is on it.
    assert [stop["what"] for stop in stops if not stop["seen"]] == []
    assert [stop["what"] for stop in stops if not stop["ring"]] == []
    assert len({stop["what"] for stop in stops}) > len(stops) / 3


def test_the_first_stop_leads_past_the_menu(visitor: Visitor) -> None:
    page = visitor.visit("figures/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('.md-skip')")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    # Whatever the theme still does after the first key must not take the keyboard away.
    page.wait_for_timeout(500)
    assert page.evaluate("document.activeElement.closest('article') !== null")


@pytest.mark.parametrize("visitor", [NARROW], indirect=True)
def test_in_a_narrow_window_menu_and_search_open_with_the_keyboard(visitor: Visitor) -> None:
    page = visitor.visit("")
    menu = page.get_by_role("button", name="Menu")
    menu.focus()
    page.keyboard.press("Enter")
    inside = page.locator(".md-nav--primary a.md-nav__link", has_text="Figures").first
    inside.wait_for(state="visible")
    part = page.locator("label.md-nav__link[for]").first
    part.focus()
    page.keyboard.press("Enter")
    page.locator(".md-nav[data-md-level='1'] a.md-nav__link").last.wait_for(state="visible")
    menu.focus()
    page.keyboard.press("Enter")
    inside.wait_for(state="hidden")
    page.get_by_role("button", name="Search").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("heads")
    page.locator(".md-search-result__link").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.locator(".md-search-result__link:focus").wait_for()
    page.keyboard.press("Escape")
    assert visitor.complaints == []


@pytest.mark.parametrize("visitor", [NARROW], indirect=True)
def test_a_table_that_is_wider_than_the_window_scrolls_with_the_arrow_keys(visitor: Visitor) -> None:
    page = visitor.visit("figures/reference/published-counts/")
    region = page.locator(".md-typeset__scrollwrap[tabindex='0']").first
    region.focus()
    assert str(region.get_attribute("aria-label")).startswith("Table: ")
    page.keyboard.press("ArrowRight")
    # The browser scrolls in steps of its own.
    assert region.evaluate("""region => new Promise(told => {
        region.scrollLeft > 0 ? told(true) : region.addEventListener("scroll", () => told(region.scrollLeft > 0), { once: true });
        setTimeout(told, 10000, false); })""")


@pytest.mark.parametrize("visitor", [WIDE], indirect=True)
def test_colours_and_depth_are_chosen_with_the_keyboard(visitor: Visitor) -> None:
    page = visitor.visit("figures/reference/published-counts/")
    colours = "() => [...document.querySelectorAll('.chart-live path[fill]')].map(bar => bar.getAttribute('fill')).join()"
    classic = page.evaluate(colours)
    assert "#" in classic
    button = page.get_by_role("button", name="colour-blind safe").first
    button.focus()
    page.keyboard.press("Space")
    page.locator(".chart-ramp button[aria-pressed=true]", has_text="colour-blind safe").first.wait_for()
    page.wait_for_function(f"classic => ({colours})() !== classic", arg=classic)
    page.locator("#depth-statistics").focus()
    page.keyboard.press("Space")
    page.locator(".depth-statistics").first.wait_for(state="hidden")
    assert visitor.complaints == []
