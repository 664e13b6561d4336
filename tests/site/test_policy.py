"""The Content-Security-Policy that the site's own file of headers sends: enough for every page, and not more than they need."""

import re
from pathlib import Path

import pytest
from kinds import NOT_FOUND, kinds
from playwright.sync_api import Browser
from serving import serving
from visiting import Visitor, visiting


def test_pages_are_sent_with_the_sites_own_headers(visitor: Visitor, site: Path) -> None:
    stated = (site / "_headers").read_text(encoding="utf-8")
    for place in ("", "figures/", NOT_FOUND):
        answer = visitor.page.goto(visitor.address + place)
        assert answer is not None
        sent = answer.headers
        assert f"  Content-Security-Policy: {sent['content-security-policy']}\n" in stated
        assert sent["x-content-type-options"] == "nosniff"
        assert "referrer-policy" in sent
        assert "permissions-policy" in sent


@pytest.mark.parametrize("depth", [0, 1, 2, 3, NOT_FOUND])
def test_a_visit_that_begins_at_any_depth_breaks_the_policy_nowhere(visitor: Visitor, site: Path, depth: int | str) -> None:
    found = [place for place in kinds(site).values() if (place if place == NOT_FOUND else place.count("/")) == depth]
    if not found:
        pytest.skip(f"the site has no page of depth {depth}")
    page = visitor.visit(found[0])
    page.evaluate("window.neverReloaded = true")
    # The scripts of the page arrived at are those of another depth.
    for place in ("figures/", ""):
        page.locator(".md-tabs__link", has_text="Figures" if place else "Home").first.click()
        page.wait_for_url(visitor.address + place)
        visitor.settle()
    assert page.evaluate("window.neverReloaded")
    page.get_by_placeholder("Search").first.click()
    page.keyboard.type("heads")
    page.locator(".md-search-result__link").first.wait_for()
    assert visitor.refused() == []
    assert visitor.complaints == []


def test_a_policy_without_one_of_its_scripts_is_seen_to_be_broken(browser: Browser, site: Path) -> None:
    stated = re.search(r"Content-Security-Policy: (.*)", (site / "_headers").read_text(encoding="utf-8"))
    assert stated
    with serving(site, allowed=re.sub(r" 'sha256-[^']*'", "", stated.group(1))) as address, visiting(browser, address) as visitor:
        visitor.page.goto(address)
        assert any(text.startswith("script-src") for text in visitor.refused())
        assert visitor.complaints


def test_a_script_that_is_put_into_a_page_does_not_run(visitor: Visitor) -> None:
    page = visitor.visit("")
    page.evaluate("""() => { const script = document.createElement("script"); script.textContent = "window.ran = true";
        document.body.append(script); document.body.setAttribute("onclick", "window.ran = true"); document.body.click(); }""")
    assert page.evaluate("window.ran") is None
    assert len(visitor.refused()) >= 2
    assert page.evaluate("fetch('https://example.org/').then(() => 'answered', () => 'refused')") == "refused"
    assert any(text.startswith("connect-src") for text in visitor.refused())
