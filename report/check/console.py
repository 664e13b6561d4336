"""The SQL console, where a site has one: the engine's files are the pinned ones, its examples those of this version, the pages that
should lead to it do, and no other page has any part in it."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from report.check.page import Page, squeeze

REPORT = Path(__file__).parents[1]
PAGE = "console/index.html"
ENGINE = "assets/duckdb"
# The pages whose text leads to it; all others have it in their navigation.
DOORS = ("index.html", "data/index.html")
SCRIPTS = REPORT / "assets" / "console"


def compare_console(site: Path, pages: Mapping[str, Page]) -> Iterator[str]:
    """What is wrong with a console; for a site without one, what is left of one."""
    listed = tomllib.loads((REPORT / "console.toml").read_text(encoding="utf-8"))["file"]
    pinned = {file["name"]: file["sha256"] for file in listed} if PAGE in pages else {}
    found = {path.name: path for path in sorted((site / ENGINE).glob("*"))}
    for name in sorted(pinned.keys() | found.keys()):
        if name not in found:
            yield f"{ENGINE}/{name} is missing"
        elif name not in pinned:
            yield f"{ENGINE}/{name} is no file of the console"
        elif hashlib.sha256(found[name].read_bytes()).hexdigest() != pinned[name]:
            yield f"{ENGINE}/{name} is not the file that is pinned"
    for own in sorted(SCRIPTS.glob("*.js")):
        script = f"assets/{own.name}"
        if (site / script).is_file() != (PAGE in pages):
            yield f"{script} is {'missing' if PAGE in pages else 'there without a console'}"
        elif PAGE in pages and (site / script).read_bytes() != own.read_bytes():
            yield f"{script} is not this version's"
    if PAGE in pages:
        yield from (f"{PAGE}: {text}" for text in compare_page(pages[PAGE]))
    # The pages of heads too, which are not among the pages that were read.
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).as_posix()
        if name != PAGE and re.search(r'data-module="console"|assets/(?:duckdb/|console)', path.read_text(encoding="utf-8")):
            yield f"{name}: loads a part of the console"
    for door in DOORS:
        if PAGE in pages and door in pages and "console/" not in {link.target for link in pages[door].links}:
            yield f"{door}: does not lead to the console"


def compare_page(page: Page) -> Iterator[str]:
    """Facts on the console's page, which has none, and examples that are not the files of this version."""
    yield from (f"{fact.id} stands on a page without facts" for fact in page.facts)
    shown: dict[str, str] = {}
    for node in LexborHTMLParser(page.html).css("details.console-example"):
        question, code = node.css_first("summary"), node.css_first("code")
        shown[squeeze(question.text()) if question else ""] = code.text().strip() if code else ""
    expected: dict[str, str] = {}
    for path in sorted((REPORT / "sql" / "console").glob("*.sql")):
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        title = head.removeprefix("-- question:").strip()
        expected[title[:1].upper() + title[1:]] = "\n".join(line for line in lines if not line.startswith("-- ")).strip()
    for asked in sorted(shown.keys() | expected.keys()):
        if shown.get(asked) != expected.get(asked):
            yield f"example “{asked}” is not the file's"
