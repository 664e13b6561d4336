"""The Markdown version of each page: the same letters in the same order, the same pictures, and links to the same places.

Letters are what is left when spaces and the marks of Markdown are taken away from both."""

import html
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from report.check.addresses import is_twinned
from report.check.links import ELSEWHERE
from report.check.page import Page

UNSEEN = re.compile(r'<!--.*?-->|<a class="headerlink".*?</a>|<(script|style|object|template|fieldset|svg|button)\b.*?</\1>', re.DOTALL)
TAG = re.compile(r"""</?[a-zA-Z](?:"[^"]*"|[^">])*>""")
# A mark after a backslash opens nothing; the backslash may be one that stands for itself.
CODE = re.compile(r"\\[\\`\[\]|]|(?<!`)(?P<marks>`+)(?!`)(?P<text>.*?)(?<!`)(?P=marks)(?!`)", re.DOTALL)
ESCAPED = re.compile(r"\\([\\`\[\]])")
PICTURE = re.compile(r"(?m)^[ >]*(?:- )?!\[((?:\\.|[^\]\\])*)\]\(([^()\s]*)\)$")
LINK = re.compile(r"(?<!\\)(?:\\\\)*\]\(([^()\s]*)\)")
MARKS = re.compile(r"[\s\u200b*#|\\`>\[\]-]+")


def compare_twins(site: Path, pages: Mapping[str, Page]) -> Iterator[str]:
    """Pages whose Markdown version is missing or says something else, and versions of no page."""
    wanted = {name.removesuffix("html") + "md": page for name, page in pages.items() if is_twinned(name)}
    for name, page in wanted.items():
        try:
            text = (site / name).read_text(encoding="utf-8")
        except (OSError, ValueError):
            yield f"{name} is missing or cannot be read"
            continue
        yield from (f"{name}: {what}" for what in compare_twin(site, text, page))
    found = {path.relative_to(site).as_posix() for path in site.rglob("*.md")}
    yield from (f"{name} is the version of no page" for name in sorted(found - wanted.keys()))


def compare_twin(site: Path, text: str, page: Page) -> Iterator[str]:
    """What is wrong with one Markdown version."""
    said, links, pictures = read(text)
    own = letters_of(page.html)
    if said != own:
        place = next((at for at, (one, other) in enumerate(zip(said, own, strict=False)) if one != other), min(len(said), len(own)))
        yield f"does not read as its page: “{said[place : place + 40]}”"
    shown = [(attributes["alt"], attributes["src"]) for attributes in images(page.html) if "scheme-dark" not in attributes.get("class", "")]
    if pictures != shown:
        yield "has not the pictures of its page"
    if [resolved(link, page) for link in links] != [expected(link.target, site) for link in page.links if not is_inside(link.target, page)]:
        yield "has not the links of its page"


def read(text: str) -> tuple[str, list[str], list[tuple[str, str]]]:
    """Letters, links and pictures of a Markdown text, in their order."""
    pieces, links, pictures = [], list[str](), list[tuple[str, str]]()
    end = 0
    for code in [*(found for found in CODE.finditer(text) if found["marks"]), None]:
        plain = text[end : code.start() if code else len(text)]
        pictures += [(" ".join(html.unescape(ESCAPED.sub(r"\1", alt)).split()), source) for alt, source in PICTURE.findall(plain)]
        plain = PICTURE.sub("", plain)
        links += LINK.findall(plain)
        pieces.append(html.unescape(re.sub(r"(?m)^\s*1\. ", "", LINK.sub("", plain))))
        if code:
            # The first line of a block is its language.
            pieces.append(code["text"].partition("\n")[2] if len(code["marks"]) > 2 and "\n" in code["text"] else code["text"])
            end = code.end()
    return MARKS.sub("", "".join(pieces)), links, pictures


def article_of(page: str) -> str:
    """The markup of a page's own text."""
    article = re.search(r"<article[^>]*>(.*)</article>", page, re.DOTALL)
    return UNSEEN.sub("", article.group(1)) if article else ""


def letters_of(page: str) -> str:
    """The letters of a page."""
    return MARKS.sub("", html.unescape(TAG.sub("", article_of(page))))


def images(page: str) -> list[dict[str, str]]:
    """The pictures of a page by their attributes."""
    found = [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) for tag in re.findall(r"<img\b[^>]*>", article_of(page))]
    return [{name: " ".join(html.unescape(value).split()) for name, value in ({"alt": "", "src": ""} | tag).items()} for tag in found]


def is_inside(target: str, page: Page) -> bool:
    """True for a link to a place of the page itself."""
    return target.startswith(f"{page.name}#")


def resolved(link: str, page: Page) -> str:
    """A link of a Markdown version as an address from the root of the site."""
    if ELSEWHERE.match(link):
        return html.unescape(link)
    path, mark, anchor = link.partition("#")
    return posixpath.normpath(posixpath.join("/", page.folder, path)).lstrip("/") + mark + anchor


def expected(target: str, site: Path) -> str:
    """Where the Markdown version of a link leads: pages become their Markdown versions."""
    if ELSEWHERE.match(target):
        return target
    place = target.partition("#")[0]
    return posixpath.join(place, "index.md") if (site / place / "index.html").is_file() else target
