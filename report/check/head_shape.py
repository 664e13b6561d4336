"""What a page of a head may be made of: the elements and attributes of its template and picture, and text only where it is read.

The cells, words and bars are compared as what they say; here stands that there is nothing beside them."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from report.check.page import attribute, squeeze

TEMPLATE = Path(__file__).parents[1] / "templates" / "head.html.j2"
TAG = re.compile(r"""<([a-z][a-z0-9]*)((?:\s+[\w-]+(?:="[^"]*")?)*)\s*/?>""")
# Cells, and the picture, which are written without a template.
BESIDE = {
    "article": {"class"},
    "span": {"data-cell"},
    "data": {"data-cell", "value"},
    "svg": {"class", "role", "aria-labelledby", "viewBox"},
    "title": {"id"},
    "desc": {"id"},
    "text": {"data-tick", "x", "y"},
    "rect": {"class", "data-bar", "x", "y", "width", "height"},
}
CLASSES = {"quiet", "head-histogram", "md-content__inner", "md-typeset"}
IN_A_ROW = "[data-question] [data-row] [data-cell], [data-question] [data-row][data-cell]"


@cache
def allowed() -> dict[str, set[str]]:
    """The attributes that each element may have."""
    found = {tag: set(names) for tag, names in BESIDE.items()}
    for tag, attributes in TAG.findall(template()):
        found.setdefault(tag, set()).update(re.findall(r"([\w-]+)(?=[=\s]|$)", re.sub(r'"[^"]*"', "", attributes)))
    return found


@cache
def template() -> str:
    """The template's markup."""
    return re.sub(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", "", TEMPLATE.read_text(encoding="utf-8"), flags=re.DOTALL)


@cache
def classes() -> set[str]:
    """The classes that an element may have."""
    return CLASSES.union(*(names.split() for names in re.findall(r'class="([^"]*)"', template())))


def foreign(tree: LexborHTMLParser) -> Iterator[str]:
    """What an article holds that belongs to no page of a head."""
    for node in tree.css("article, article *"):
        strange = set(node.attributes) - allowed().get(node.tag or "", set())
        if node.tag not in allowed() or strange:
            yield f"<{' '.join([str(node.tag), *sorted(strange)])}>"
        elif set(attribute(node, "class").split()) - classes():
            yield f"class {attribute(node, 'class')}"
    if len(tree.css("[data-cell]")) != len(tree.css(IN_A_ROW)):
        yield "a cell outside a table"
    if len(tree.css("h1")) != 1 or len(tree.css("svg")) > 1 or tree.css("svg svg"):
        yield "a second heading or picture"
    for node in tree.css("svg rect:not([data-bar]), svg text:not([data-tick])"):
        yield f"<{node.tag}> in the picture"
    for table in tree.css("table[data-question]"):
        yield from uneven(table)


def uneven(table: LexborNode) -> Iterator[str]:
    """Rows that have more or fewer cells than the head of their table, or an empty one: their values would stand under other names."""
    head = table.css_first("thead tr")
    columns = width(head) if head else 2
    for row in table.css("tbody tr"):
        if width(row) != columns or any(not squeeze(cell.text()) for cell in row.css("td, th")):
            yield f"a row of {columns} columns with other cells"


def width(row: LexborNode) -> int:
    """Columns that a row takes."""
    return sum(int(attribute(cell, "colspan") or 1) for cell in row.css("td, th"))


def around(page: str) -> str:
    """A page without its article."""
    before, _, rest = page.partition("<article")
    return before + rest.rpartition("</article>")[2]


def pieces(markup: str) -> set[str]:
    """The elements and the pieces of text in the body of some markup."""
    tree = LexborHTMLParser("<body" + markup.partition("<body")[2])
    for node in tree.css("script, style"):
        node.decompose()
    body = tree.body
    if body is None:
        return set()
    texts = {squeeze(text) for text in body.text(separator="\0").split("\0")} - {""}
    return {f"<{node.tag}>" for node in body.css("*")} | {f"“{text}”" for text in texts}
