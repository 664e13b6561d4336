"""The plain words of the pages, against their second witness: the search index, which MkDocs writes from the same text.

The words between facts come from templates, so no query can be asked about them. But the site says them twice – on the page and in its
search – and an edit of one alone shows."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from report.check.addresses import ERROR_PAGE, is_head_page
from report.check.page import Page

# Only headings and what may stand around them matter: all other tags are dropped before the text is walked. Rows of cells are put in after
# the index was written, and checked as what they are.
UNSEEN = re.compile(r'<!--.*?-->|<a class="headerlink".*?</a>|<tbody data-cells>.*?</tbody>|<(script|style|object)\b.*?</\1>', re.DOTALL)
OTHER_TAG = re.compile(r"""</?(?!(?:h[1-6]|div|section|details|figure|figcaption|blockquote)\b)[a-zA-Z](?:"[^"]*"|[^">])*>""")
TOKEN = re.compile(r"""<(/?)(\w+)((?:"[^"]*"|[^">])*)>|([^<]+)""")


def compare_words(site: Path, pages: Mapping[str, Page]) -> Iterator[str]:
    """Pages whose words or headings are not those of the search index, and pages of the index that are not there."""
    index = read_index(site)
    if not index:
        yield "search/search_index.json is missing or cannot be read"
    for page in pages.values():
        if page.name != ERROR_PAGE:
            yield from (f"{page.name}: {text}" for text in compare_page(page, index.get(page.folder, {})))
    unknown = sorted(index.keys() - {page.folder for page in pages.values()})
    yield from (f"search index: no page {folder}" for folder in unknown if not is_head_page(folder))


def compare_page(page: Page, index: dict[str, tuple[str, str]]) -> Iterator[str]:
    """Sections of a page that do not read as in the search index."""
    said = sections(page.html)
    first = dict.fromkeys(["", first_anchor(page.html)])
    indexed = {anchor: title + text for anchor, (title, text) in index.items() if anchor not in first}
    # Before the first heading stands what belongs to the page as a whole, under the page's title.
    indexed[""] = "".join(index[anchor][1] for anchor in first if anchor in index)
    said[""] = "".join(said.pop(anchor, "") for anchor in first)
    for anchor in sorted(said.keys() | indexed.keys()):
        if said.get(anchor, "") != indexed.get(anchor, ""):
            yield f"section “{anchor or page.heading}” does not read as in the search index"
    titles = {title for anchor, (title, _) in index.items() if anchor in first}
    # Entities that a reader sees are part of the heading.
    if page.heading and letters(html.escape(page.heading)) not in titles:
        yield f"“{page.heading}” is not its heading in the search index"


def read_index(site: Path) -> dict[str, dict[str, tuple[str, str]]]:
    """The letters of title and text of each section of each page by its anchor, as the search has them; empty where there is no index."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    try:
        for entry in json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]:
            folder, _, anchor = entry["location"].partition("#")
            title, text = found.setdefault(folder, {}).get(anchor, ("", ""))
            found[folder][anchor] = title + letters(entry["title"]), text + letters(re.sub(r"<[^>]+>", "", entry["text"]))
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}
    return found


def letters(text: str) -> str:
    """Text without entities, spaces and the marks of segmented scripts."""
    return re.sub(r"[\s\u200b]+", "", html.unescape(text))


def first_anchor(page: str) -> str:
    """The anchor of a page's first heading."""
    found = re.search(r'<h1 id="([^"]*)"', page)
    return found.group(1) if found else ""


def sections(page: str) -> dict[str, str]:
    """The letters of each section of a page by its anchor, its heading first but for the page's own.

    A section lasts to the next heading with an anchor, or to the end of the element that its heading stands in: then the last goes on.
    """
    article = re.search(r"<article[^>]*>(.*)</article>", page, re.DOTALL)
    text = OTHER_TAG.sub("", UNSEEN.sub("", article.group(1) if article else ""))
    found: dict[str, list[str]] = {"": []}
    outer: list[tuple[int, str]] = [(0, "")]
    depth, own_heading = 0, False
    for closing, tag, attributes, words in (match.groups() for match in TOKEN.finditer(text)):
        if words is not None:
            if not own_heading:
                found[outer[-1][1]].append(words)
        elif closing:
            depth, own_heading = depth - 1, False
            while outer[-1][0] > depth + 1:
                outer.pop()
        else:
            depth += 1
            anchor = re.search(r'\bid="([^"]*)"', attributes) if tag[0] == "h" else None
            if anchor:
                own_heading = tag == "h1"
                name = anchor.group(1)
                found.setdefault(name, [])
                outer = [*(entry for entry in outer if entry[0] < depth or entry[0] == 0), (depth, name)]
    return {anchor: letters("".join(pieces)) for anchor, pieces in found.items()}
