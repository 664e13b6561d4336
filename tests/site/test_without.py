"""Without JavaScript, and on paper: everything that matters is there."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from kinds import file_of, kinds
from selectolax.lexbor import LexborHTMLParser, LexborNode
from visiting import WIDE, Visitor

NO_SCRIPT = WIDE | {"java_script_enabled": False}


@pytest.mark.parametrize("visitor", [NO_SCRIPT], indirect=True)
def test_without_javascript_a_page_shows_its_pictures_texts_and_tables(visitor: Visitor, place: str) -> None:
    page = visitor.visit(place, live=False)
    for picture in page.locator("figure.chart").all():
        shown = picture.locator("img.scheme-light")
        assert shown.is_visible()
        box = shown.bounding_box()
        assert box is not None
        assert box["height"] > 150
    for table in page.locator("article table").all():
        assert (
            table.is_visible()
            or table.locator("xpath=ancestor::details").count()
            or table.locator("xpath=ancestor::*[@class='tabbed-block']").count()
        )
    assert page.locator("article h1").first.is_visible()
    # A summary opens without a script.
    if page.locator("article details summary").count():
        page.locator("article details summary").first.click()
        assert page.locator("article details").first.get_attribute("open") is not None


@pytest.mark.parametrize("visitor", [NO_SCRIPT], indirect=True)
def test_without_javascript_the_downloads_of_a_figure_arrive(visitor: Visitor, site: Path) -> None:
    page = visitor.visit(kinds(site)["figure"], live=False)
    addresses = [str(link.get_attribute("href")) for link in page.locator("article a[href*='charts/']").all()]
    assert any(address.endswith(".csv") for address in addresses)
    for address in addresses:
        answer = page.request.get(visitor.address + address.replace("../", ""))
        assert answer.status == 200, address
    page.get_by_role("link", name="Figures").first.click()
    page.wait_for_url("**/figures/")


def letters(text: str) -> str:
    """Letters and digits alone: on paper, lines break where they may and ligatures join."""
    return re.sub(r"[^0-9A-Za-z]", "", text)


def within(node: LexborNode) -> list[LexborNode]:
    """Parts of a text that are texts of their own."""
    return [part for part in node.css("p, li, table, details") if part.mem_id != node.mem_id]


def test_a_printed_page_is_complete(visitor: Visitor, place: str, site: Path, tmp_path: Path) -> None:
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("pdftotext is not on this machine; it reads the printed page")
    page = visitor.visit(place)
    page.pdf(path=str(tmp_path / "page.pdf"), prefer_css_page_size=False, format="A3")
    printed = subprocess.run([reader, "-raw", str(tmp_path / "page.pdf"), "-"], capture_output=True, text=True, check=True).stdout
    tree = LexborHTMLParser(file_of(site, place).read_text(encoding="utf-8"))
    article = tree.css_first("article")
    for node in article.css("template, script, a.headerlink, .depth, .chart-downloads, [data-module]"):
        node.decompose()
    wanted = [node.text() for node in article.css("h1, h2, h3, p, li, summary, td, figcaption") if not within(node)]
    missing = [text for text in wanted if letters(html.unescape(text)) not in letters(printed)]
    # A text that runs over the end of a sheet is parted by what else stands there.
    assert len(missing) <= len(wanted) / 50, missing[:5]
    assert len(wanted) > 1
