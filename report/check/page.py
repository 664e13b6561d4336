"""One page of the site as plain values: what a reader sees, and what it is said to come from."""

import json
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

Row = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class RenderedFact:
    """A fact where it stands: `after` is the plain text that follows it, `block` the generated section, `link` where it leads."""

    id: str
    value: str
    text: str
    link: str
    after: str
    block: int


@dataclass(frozen=True)
class RenderedClaim:
    """A judging phrase where it stands; `chart` is the figure whose caption it is part of."""

    id: str
    text: str
    block: int
    chart: str


@dataclass(frozen=True)
class Link:
    """A link of the page's text; `chart` is the figure that holds it, or the last one before it."""

    label: str
    target: str
    chart: str
    inside: bool


@dataclass(frozen=True)
class Measured:
    """A measure of a file where it stands, in the item or row whose first link has this label and target."""

    file: str
    measure: str
    value: str
    text: str
    label: str
    target: str


@dataclass(frozen=True)
class Chart:
    """A chart: its pictures (class, address, alternative text) and the specification behind them."""

    slug: str
    pictures: tuple[tuple[str, str, str], ...]
    specification: str


@dataclass(frozen=True)
class Page:
    """A page: addresses are relative to the root of the site, anchors after #."""

    name: str
    title: str
    description: str
    heading: str
    finding: str
    facts: tuple[RenderedFact, ...]
    claims: tuple[RenderedClaim, ...]
    strays: tuple[str, ...]
    measured: tuple[Measured, ...]
    tables: tuple[tuple[Row, ...], ...]
    queries: tuple[tuple[str, str, tuple[str, ...]], ...]
    charts: tuple[Chart, ...]
    links: tuple[Link, ...]
    contents: tuple[tuple[str, str], ...]
    navigation: tuple[tuple[str, str], ...]
    addresses: frozenset[str]
    anchors: frozenset[str]
    html: str

    @property
    def folder(self) -> str:
        """Its address as other pages give it."""
        return self.name.removesuffix("index.html")


def squeeze(text: str) -> str:
    """Text with single spaces, without the marks of headings."""
    return " ".join(text.replace("¶", " ").split())


def text_of(node: LexborNode | None) -> str:
    """Visible text of a node; empty where there is none."""
    return squeeze(node.text()) if node else ""


def attribute(node: LexborNode | None, name: str) -> str:
    """An attribute; empty where there is none."""
    return (node.attributes.get(name) or "") if node else ""


def read_page(site: Path, path: Path) -> Page:
    """One page of a site."""
    return parse(path.relative_to(site).as_posix(), path.read_text(encoding="utf-8"))


def parse(name: str, html: str) -> Page:
    """A page's values from its HTML; `name` is its address from the root of the site."""
    tree = LexborHTMLParser(html)

    def place(address: str) -> str:
        """An address of this page as one from the root of the site; those of other hosts stay."""
        if re.match(r"[a-z]+:|//", address):
            return address
        path, mark, anchor = address.partition("#")
        whole = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), path)).lstrip("/") if path else name
        return f"{whole}{'/' if path.endswith('/') and whole else ''}{mark}{anchor}"

    blocks = {node.mem_id: number for number, node in enumerate(tree.css("[data-generated]"))}
    return Page(
        name=name,
        title=text_of(tree.css_first("title")),
        description=squeeze(attribute(tree.css_first("meta[name=description]"), "content")),
        heading=text_of(tree.css_first("article h1")),
        finding=text_of(tree.css_first("article .finding p")),
        facts=tuple(fact_at(node, blocks) for node in tree.css("data[data-fact]")),
        claims=tuple(claim_at(node, blocks) for node in tree.css("[data-claim]")),
        strays=tuple(piece for section in tree.css("[data-generated]") for piece in stray_digits(section)),
        measured=tuple(measured_at(node, place) for node in tree.css("data[data-file]")),
        tables=tuple(tuple(row_of(row) for row in table.css("tbody tr")) for table in tree.css("article table")),
        queries=tuple(query_at(node) for node in tree.css("div.query[id]")),
        charts=tuple(chart_at(node, place) for node in tree.css("figure.chart")),
        links=tuple(links_of(tree, place)),
        contents=tuple((text_of(node), attribute(node, "href")) for node in tree.css('a.md-nav__link[href^="#"]')),
        navigation=tuple(
            (text_of(node), place(attribute(node, "href")))
            for node in tree.css("a.md-nav__link, a.md-tabs__link")
            if not attribute(node, "href").startswith("#")
        ),
        addresses=frozenset(
            place(attribute(node, key)) for key in ("href", "src") for node in tree.css(f"a[{key}], img[{key}], script[{key}], link[{key}]")
        ),
        anchors=frozenset(re.findall(r'\bid="([^"]*)"', html)),
        html=html,
    )


def block_of(node: LexborNode, blocks: dict[int, int]) -> int:
    """Number of the generated section that holds a node; -1 outside of any."""
    around: LexborNode | None = node
    while around is not None:
        if around.mem_id in blocks:
            return blocks[around.mem_id]
        around = around.parent
    return -1


def fact_at(node: LexborNode, blocks: dict[int, int]) -> RenderedFact:
    """A fact with its link and what follows it."""
    around = node.parent
    linked = around is not None and around.tag == "a"
    following = around.next if linked and around is not None else node.next
    after = (following.text_content or "") if following is not None and following.tag == "-text" else ""
    link = attribute(around, "href") if linked else ""
    return RenderedFact(attribute(node, "data-fact"), attribute(node, "value"), node.text(), link, after, block_of(node, blocks))


def claim_at(node: LexborNode, blocks: dict[int, int]) -> RenderedClaim:
    """A claim with the section or caption around it."""
    around = node.parent
    while around is not None and around.tag != "figure":
        around = around.parent
    return RenderedClaim(attribute(node, "data-claim"), node.text(), block_of(node, blocks), attribute(around, "data-chart"))


def measured_at(node: LexborNode, place: Any) -> Measured:
    """A measure of a file with the link that it stands beside."""
    around = node.parent
    while around is not None and around.tag not in ("li", "tr"):
        around = around.parent
    link = around.css_first("a[href]") if around is not None else None
    file, measure, value = (attribute(node, name) for name in ("data-file", "data-measure", "value"))
    return Measured(file, measure, value, node.text(), text_of(link), place(attribute(link, "href")) if link else "")


def row_of(row: LexborNode) -> Row:
    """The facts of each cell of a row of a table."""
    return tuple(tuple(attribute(fact, "data-fact") for fact in cell.css("data[data-fact]")) for cell in row.css("td"))


def query_at(node: LexborNode) -> tuple[str, str, tuple[str, ...]]:
    """A query shown on a page: its name, its text, and the pieces of code among its parameters."""
    code, last = node.css_first("pre code"), node.css("p")
    pieces = tuple(piece.text() for piece in last[-1].css("code")) if last else ()
    return attribute(node, "id").removeprefix("query-"), code.text() if code else "", pieces


def chart_at(node: LexborNode, place: Any) -> Chart:
    """A chart with its pictures and specification."""
    pictures = tuple(
        (attribute(picture, "class"), place(attribute(picture, "src")), squeeze(attribute(picture, "alt"))) for picture in node.css("img")
    )
    # A template's content is no child of it: only its markup has it.
    template = node.css_first("template.chart-spec")
    inside = re.search(r"<template[^>]*>(.*)</template>", template.html or "", re.DOTALL) if template else None
    return Chart(attribute(node, "data-chart"), pictures, LexborHTMLParser(inside.group(1)).text() if inside else "")


def links_of(tree: LexborHTMLParser, place: Any) -> list[Link]:
    """The links of the page's text that are no facts, each with the chart it stands in or after."""
    found, chart = [], ""
    for node in tree.css("article figure.chart, article a[href]"):
        if node.tag == "figure":
            chart = attribute(node, "data-chart")
        elif attribute(node, "class") not in ("fact", "fact sentence", "headerlink"):
            inside = node.parent is not None and node.parent.tag == "figcaption"
            found.append(Link(text_of(node), place(attribute(node, "href")), chart, inside))
    return found


def specification_of(text: str) -> dict[str, Any]:
    """A chart's specification without its colours of type and ground; empty where the text is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {name: value for name, value in found.items() if name != "config"} if isinstance(found, dict) else {}


def stray_digits(section: LexborNode) -> list[str]:
    """Pieces of visible text that hold a digit, in a generated section, outside facts and code."""
    clone = LexborHTMLParser(section.html or "")
    for node in clone.css("data[data-fact], data[data-file], [data-claim], code, pre, template, script, style, svg"):
        node.decompose()
    return [piece.strip() for piece in (clone.text(separator="\n") or "").splitlines() if re.search(r"\d", piece)]
