"""A page of heads as plain values: the cells of its tables, its links, its picture, and the words between them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from report.check import head_shape
from report.check.page import attribute, squeeze, text_of

# Column, value (None where the cell is a name or the end of an interval), text.
Cell = tuple[str, str | None, str]
Rows = tuple[tuple[str, tuple[Cell, ...]], ...]
# Question, run, part, rows.
Table = tuple[str, str, str, Rows]


@dataclass(frozen=True)
class HeadPage:
    """A page; `around` is what lies around its article, `words` the pieces of text outside cells, links and headings."""

    title: str
    line: str
    heading: str
    tables: tuple[Table, ...]
    links: tuple[tuple[str, str], ...]
    picture: str
    bars: tuple[tuple[str, bool, tuple[float, ...]], ...]
    ticks: tuple[tuple[str, str, str], ...]
    runs: tuple[str, ...]
    words: frozenset[str]
    foreign: tuple[str, ...]
    around: str


def parse(html: str) -> HeadPage:
    """A page's values from its HTML."""
    article, around = html.partition("<article")[2].rpartition("</article>")[0], head_shape.around(html)
    tree = LexborHTMLParser(f"<article{article}</article>")
    title, line = (found[0] if (found := re.findall(text, around, re.DOTALL)) else "" for text in (r"<title>(.*?)</title>", DESCRIPTION))
    name, _, site = title.rpartition(" - ")
    svg = tree.css_first("svg")
    values = {
        "title": plain(title),
        "line": plain(line),
        "heading": text_of(tree.css_first("h1")),
        "tables": tuple(table_of(node) for node in tree.css("[data-question]")),
        "links": tuple((text_of(node), attribute(node, "href")) for node in tree.css("a")),
        "picture": squeeze(" ".join(node.text() for node in svg.css("title, desc"))) if svg else "",
        "bars": tuple(bar_of(node) for node in tree.css("rect[data-bar]")),
        "ticks": tuple((attribute(node, "data-tick"), attribute(node, "x"), node.text()) for node in tree.css("text")),
        "runs": tuple(node.text() for node in tree.css("[data-run-title]")),
        "foreign": tuple(head_shape.foreign(tree)),
    }
    # What is this head's own is left out, what is the site's stays: so the shells of all heads of a home are the same.
    for own in filter(None, (name, line)):
        around = around.replace(own, "")
    return HeadPage(**values, words=frozenset(words_of(tree)), around=f"{site}\n{around}")  # type: ignore[arg-type]


DESCRIPTION = r'<meta name="description" content="([^"]*)"'


def plain(markup: str) -> str:
    """Markup without entities."""
    return LexborHTMLParser(markup).text() or ""


def table_of(table: LexborNode) -> Table:
    """What a table says that names its question."""
    rows = tuple((attribute(row, "data-row"), tuple(cell_of(cell) for cell in row.css("[data-cell]"))) for row in table.css("[data-row]"))
    return attribute(table, "data-question"), attribute(table, "data-run"), attribute(table, "data-part"), rows


def cell_of(cell: LexborNode) -> Cell:
    """A cell."""
    named = cell.attributes
    return named["data-cell"] or "", named.get("value"), cell.text()


def bar_of(bar: LexborNode) -> tuple[str, bool, tuple[float, ...]]:
    """A bar: its step, whether it is quiet, and x, y, width and height."""
    try:
        place = tuple(float(attribute(bar, name)) for name in ("x", "y", "width", "height"))
    except ValueError:
        place = ()
    return attribute(bar, "data-bar"), attribute(bar, "class") == "quiet", place


def words_of(tree: LexborHTMLParser) -> Iterator[str]:
    """The pieces of text outside cells, links, the picture and the names of runs; takes the rest out of the tree."""
    for node in tree.css("[data-cell], a, svg, h1, [data-run-title]"):
        node.decompose()
    for piece in tree.text(separator="\0").split("\0"):
        if words := squeeze(piece):
            yield words


def template_words() -> frozenset[str]:
    """The pieces of text in the template, and the names of the profile's rows: no other word stands between the cells."""
    text = re.sub(r"\{#.*?#\}", "", head_shape.TEMPLATE.read_text(encoding="utf-8"), flags=re.DOTALL)
    tree = LexborHTMLParser(re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "<i></i>", text, flags=re.DOTALL))
    for node in tree.css("a"):
        node.decompose()
    return frozenset(words for piece in tree.text(separator="\0").split("\0") if (words := squeeze(piece)))
