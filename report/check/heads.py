"""The pages of heads: exactly those of the file's heads, each cell, text, link and bar the file's, each word the template's."""

import gzip
import html
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from report import queries
from report.check import head_page, head_shape, head_table
from report.check.addresses import head_page_in, is_head_page
from report.check.head_answers import PROFILE_NAMES, TICKED, Answer, Expected, Place, expect, name_of
from report.check.head_page import HeadPage, template_words
from report.check.links import arrives
from report.check.page import Page
from report.check.page import parse as parse_page
from report.check.spelling import spelling

SITE = " - Headcount"
PICTURE = (
    "How r is spread over the tokens "
    "Bars from the quietest tokens on the left to the loudest on the right; the table below has their numbers."
)


def parameters(run_id: str) -> str:
    """The parameters of a question about a run, as answers know them."""
    return json.dumps({"run_id": run_id}, sort_keys=True)


def compare_heads(site: Path, pages: Mapping[str, Page], answer: Answer, ledger: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the pages of heads; `pages` are all others."""
    homes: dict[str, list[dict[str, Any]]] = {}
    for row in answer("head_homes", "{}"):
        homes.setdefault(row["home"], []).append(row)
    slugs = {about.get("run"): slug for slug, about in ledger["heads"].items()}
    if sorted(slugs, key=str) != sorted(homes) or len(slugs) != len(ledger["heads"]):
        yield "facts.json names other homes of heads than the file has"
        return
    lines: dict[str, tuple[str, str]] = {}
    for run_id, runs in homes.items():
        slug, expected = slugs[run_id], expect(answer, runs, parameters)
        yield from (f"heads/{slug}/: {text}" for text in compare_asked(ledger["heads"][slug]["questions"], expected))
        table = pages.get(f"heads/{slug}/index.html")
        if table is None:
            yield f"heads/{slug}/ is missing"
            continue
        yield from (f"heads/{slug}/: {text}" for text in head_table.compare_table(table, expected))
        yield from compare_home(site, slug, expected, pages)
        lines |= {f"heads/{slug}/{name_of(place)}/": (expected.title(place), expected.line(place)) for place in expected.heads}
    found = {path.parent.relative_to(site).as_posix() + "/" for path in site.glob("heads/*/*/index.html")}
    yield from (f"{place} is the page of no head of the file" for place in sorted(found - lines.keys()))
    yield from compare_index(site, lines)
    yield from compare_map(site, set(lines))


def compare_asked(questions: list[dict[str, Any]], expected: Expected) -> Iterator[str]:
    """The questions that facts.json names for a home."""
    wanted = [{"question": name, "sha256": queries.question(name).sha256, "parameters": {"run_id": run}} for name, run in expected.asked]
    if questions != wanted:
        yield "facts.json names other questions than those behind its heads' pages"


def compare_home(site: Path, slug: str, expected: Expected, pages: Mapping[str, Page]) -> Iterator[str]:
    """The pages of one home's heads."""
    words = template_words() | PROFILE_NAMES
    shells: dict[str, list[str]] = {}
    for place in expected.heads:
        address = f"heads/{slug}/{name_of(place)}/"
        path = site / address / "index.html"
        if not path.is_file():
            yield f"{address} is missing"
            continue
        # Through the module, so that whoever asks often can keep what was parsed.
        page = head_page.parse(path.read_text(encoding="utf-8"))
        shells.setdefault(page.around.replace(address, ""), []).append(address)
        yield from (f"{address}: {text}" for text in compare_page(page, place, slug, expected, words))
    usual = max(shells.values(), key=len, default=[])
    yield from (
        f"{address}: what stands around its article is not as on the other heads"
        for own in shells.values()
        if own is not usual
        for address in own
    )
    if usual:
        yield from compare_shell(site, usual[0], pages, f"heads/{slug}/index.html")


def compare_shell(site: Path, address: str, pages: Mapping[str, Page], table: str) -> Iterator[str]:
    """What stands around the articles: its links arrive, its navigation is that of the table's page."""
    path = f"{address}index.html"
    page = parse_page(path, (site / path).read_text(encoding="utf-8"))
    for target in sorted(page.addresses):
        if not arrives(target, site, pages):
            yield f"{address}: {target} leads nowhere"
    # All heads of a home stand in the same shell, so it is compared with that of their table, which is checked as any page.
    around = head_page.parse((site / path).read_text(encoding="utf-8")).around
    strange_pieces = head_shape.pieces(around) - head_shape.pieces(head_shape.around(pages[table].html))
    yield from (f"{address}: {what} stands around its article, and not around the table" for what in sorted(strange_pieces))
    strange = set(page.navigation) - set(pages[table].navigation)
    yield from (f"{address}: “{label}” in the navigation leads to {target}" for label, target in sorted(strange))


def compare_page(page: HeadPage, place: Place, slug: str, expected: Expected, words: frozenset[str]) -> Iterator[str]:
    """One page against the answers about its head."""
    title, line = expected.title(place), expected.line(place)
    if (page.title, page.heading, page.line) != (title + SITE, title, line):
        yield "title, heading or description is not its head's"
    yield from compare_tables(page, expected.tables(place))
    if page.links != expected.links(place, slug):
        wrong = sorted(set(page.links) ^ set(expected.links(place, slug)))
        yield f"its links are not those of its head: {wrong[:2]}"
    yield from compare_picture(page, expected.of("head_histogram", place))
    if page.runs != tuple(run["title"] for run in expected.runs[1:]):
        yield "the other texts are not named as their runs"
    yield from (f"“{piece}” is no word of its template" for piece in sorted(page.words - words))
    yield from (f"its article holds what no template of ours has: {what}" for what in page.foreign)


def compare_tables(page: HeadPage, expected: tuple[head_page.Table, ...]) -> Iterator[str]:
    """The tables, row by row and cell by cell."""
    if page.tables == expected:
        return
    if [table[:3] for table in page.tables] != [table[:3] for table in expected]:
        yield "its tables answer other questions, or stand in another order"
        return
    for (question, _, _, found), (_, _, _, wanted) in zip(page.tables, expected, strict=True):
        if [name for name, _ in found] != [name for name, _ in wanted]:
            yield f"{question}: its rows are not those of the answer, in order"
            continue
        for (name, cells), (_, right) in zip(found, wanted, strict=True):
            if cells != right:
                first = next((pair for pair in zip(cells, right, strict=False) if pair[0] != pair[1]), (len(cells), len(right)))
                yield f"{question} {name}: the page says {first[0]}, the file {first[1]}"


def compare_picture(page: HeadPage, rows: list[dict[str, Any]]) -> Iterator[str]:
    """The bars against the counts; x, y, width and height to a tenth."""
    filled = [(number, row) for number, row in enumerate(rows) if row["tokens"]]
    if [(step, quiet) for step, quiet, _ in page.bars] != [(str(row["step"]), not row["is_active"]) for _, row in filled]:
        yield "the bars are not those of the histogram"
        return
    if not filled:
        return
    most, step_width = max(row["pct"] for row in rows), 624 / len(rows)
    for (step, _, bar), (number, row) in zip(page.bars, filled, strict=True):
        height = 150 * row["pct"] / most
        right = (step_width * number, 150 - height, step_width - 3, height)
        if len(bar) != len(right) or not all(math.isclose(a, b, abs_tol=0.06) for a, b in zip(bar, right, strict=True)):
            yield f"bar {step} does not show {row['tokens']} tokens"
    ticks = tuple(
        (str(row["step"]), f"{step_width * number:.1f}", text)
        for number, row in enumerate(rows)
        if (text := spelling("r_from", row["r_from"])) in TICKED
    )
    if page.ticks != ticks or page.picture != PICTURE:
        yield "the words of the picture are not those of the histogram"


def compare_index(site: Path, lines: dict[str, tuple[str, str]]) -> Iterator[str]:
    """The heads' entries in the search index: one each, title and line."""
    try:
        docs = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
        entries = [(doc["location"], html.unescape(doc["title"]), html.unescape(doc["text"])) for doc in docs]
    except (OSError, ValueError, KeyError, TypeError):
        return
    found = Counter(entry for entry in entries if is_head_page(entry[0].partition("#")[0]))
    wanted = Counter((place, *line) for place, line in lines.items())
    yield from (
        f"search index: {place} is not entered as its head" for place in sorted({entry[0] for entry in (found - wanted) + (wanted - found)})
    )


def compare_map(site: Path, places: set[str]) -> Iterator[str]:
    """The site map, packed and not: all heads or, where it names no page, none."""
    try:
        text = (site / "sitemap.xml").read_bytes()
        packed = gzip.decompress((site / "sitemap.xml.gz").read_bytes())
    except (OSError, EOFError):
        yield "sitemap.xml or its packed twin cannot be read"
        return
    if packed != text:
        yield "sitemap.xml.gz is not sitemap.xml, packed"
    named = [place for entry in re.findall(r"<loc>(.*?)</loc>", text.decode()) if (place := head_page_in(entry))]
    if ("<loc>" in text.decode()) and Counter(named) != Counter(places):
        yield "sitemap.xml does not name the page of every head once"
