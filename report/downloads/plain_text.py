"""A Markdown version of every page, beside it as index.md, and llms.txt, which lists them (https://llmstxt.org).

It is made from the page as it was rendered, so that it reads the same; facts are plain text there. What comes from data cannot become a
link or a tag: the few marks that could make one are escaped."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

NAME = "index.md"
SITE_NAME = " - Headcount"
# What the theme says of a page without a description of its own.
SITE_DESCRIPTION = "A census of a language model's attention heads"
# A head's page says less than its row of the table of heads, and there may be thousands.
WITHOUT = re.compile(r"404\.html|heads/[^/]+/[^/]+/index\.html")
SECTIONS = (("figures/", "Figures"), ("comparisons/", "Side by side"), ("", "Pages"))
SILENT = ("script", "style", "template", "svg", "button", "input", "fieldset", "object")
BLOCKS = ("p", "ul", "ol", "table", "pre", "details", "summary", "div", "figure", "figcaption", "blockquote", "hr", "section", "dl", "dt",
          "dd", "h1", "h2", "h3", "h4", "h5", "h6")  # fmt: skip
# Not every reader of Markdown takes a backslash before a bracket that opens a tag: an entity is one to all.
DANGEROUS = re.compile(r"(\\|\](?=[(:\[])|`)")
# In a text alternative, which ends at a bracket, all of them.
IN_A_PICTURE = re.compile(r"(\\|[\[\]]|`)")
ENTITIES = {"<": "&lt;", "&": "&amp;"}
TAG_OR_ENTITY = re.compile(r"<(?=[a-zA-Z/!?])|&(?=#?\w+;)")


@dataclass(frozen=True)
class Described:
    """A page: its address from the root of the site, its title and its description."""

    folder: str
    title: str
    description: str


def write(site: Path, first: list[str]) -> None:
    """Write every page's Markdown version, and llms.txt, in which the pages of the addresses `first` come first and in their order."""
    found = []
    for path in sorted(site.rglob("index.html")):
        name = path.relative_to(site).as_posix()
        if WITHOUT.fullmatch(name):
            continue
        tree = LexborHTMLParser(path.read_text(encoding="utf-8"))
        path.with_name(NAME).write_text(Writer(path.parent).page(tree), encoding="utf-8")
        found.append(described(tree, name.removesuffix("index.html")))
    order = {address: place for place, address in enumerate(first)}
    found.sort(key=lambda page: (order.get(page.folder, len(order)), page.folder))
    (site / "llms.txt").write_text(summary(found), encoding="utf-8")


def described(tree: LexborHTMLParser, folder: str) -> Described:
    """Title and description of a page, as its head has them."""
    title, meta = tree.css_first("title"), tree.css_first("meta[name=description]")
    text = (meta.attributes.get("content") or "") if meta else ""
    return Described(folder, squeezed(title.text() if title else "").removesuffix(SITE_NAME), squeezed(text))


def summary(pages: list[Described]) -> str:
    """llms.txt: the site's name and description, and a line for each page; a page without a description of its own has none."""
    home = next(page for page in pages if page.folder == "")
    lines = [f"# {home.title}", "", f"> {escaped(home.description)}"]
    for start, title in SECTIONS:
        own = [page for page in pages if section_of(page.folder) == start]
        lines += ["", f"## {title}", ""] if own else []
        for page in own:
            told = "" if page.description in (home.description, SITE_DESCRIPTION) else f": {escaped(page.description)}"
            lines.append(f"- [{escaped(page.title)}]({page.folder}{NAME}){told}")
    lines += ["", "## Data", ""]
    lines += [f"- [{name}]({name})" for name in ("datapackage.json", "facts.json", "data/headcount.duckdb")]
    return "\n".join(lines) + "\n"


def section_of(folder: str) -> str:
    """The section of llms.txt that a page stands in, by the beginning of its address."""
    return next(start for start, _ in SECTIONS if folder.startswith(start) and (not start or folder != start))


def squeezed(text: str) -> str:
    """Text with single spaces."""
    return " ".join(text.split())


def escaped(text: str, marks: re.Pattern[str] = DANGEROUS) -> str:
    """Text in which nothing makes a link, a tag or code."""
    return TAG_OR_ENTITY.sub(lambda mark: ENTITIES[mark.group()], marks.sub(r"\\\1", text))


@dataclass(frozen=True)
class Writer:
    """Writes a page's article as Markdown; `folder` is where the page lies."""

    folder: Path

    def page(self, tree: LexborHTMLParser) -> str:
        """The whole article."""
        article = tree.css_first("article")
        return "\n\n".join(self.blocks(article)) + "\n" if article else "\n"

    def blocks(self, node: LexborNode) -> list[str]:
        """The blocks inside a node; text between them makes paragraphs."""
        found: list[str] = []
        loose: list[str] = []
        for child in children(node):
            if child.tag in BLOCKS:
                found += [squeezed("".join(loose)), *self.block(child)]
                loose = []
            elif child.tag not in SILENT:
                loose.append(self.inline(child))
        return [text for text in [*found, squeezed("".join(loose))] if text]

    def block(self, node: LexborNode) -> list[str]:
        """One block as paragraphs of Markdown."""
        tag = node.tag or ""
        if re.fullmatch("h[1-6]", tag):
            return [f"{'#' * int(tag[1])} {self.line(node)}"]
        if tag in ("p", "figcaption", "dt"):
            text = self.line(node)
            return [f"**{text}**" if "admonition-title" in classes(node) and text else text]
        if tag in ("ul", "ol"):
            return ["\n".join(self.item(child, "-" if tag == "ul" else "1.") for child in children(node) if child.tag == "li")]
        match tag:
            case "summary":
                return [f"**{self.line(node)}**"]
            case "table":
                return [self.table(node)]
            case "pre":
                return [fenced(node)]
            case "blockquote":
                return [indented("\n\n".join(self.blocks(node)), "> ", "> ")]
            case "hr":
                return ["---"]
        if "tabbed-labels" in classes(node):
            return ["\n".join(self.item(child, "-") for child in children(node) if child.tag == "label")]
        return self.blocks(node)

    def item(self, node: LexborNode, mark: str) -> str:
        """An item of a list."""
        return indented("\n\n".join(self.blocks(node)), f"{mark} ", " " * (len(mark) + 1))

    def table(self, node: LexborNode) -> str:
        """A table; its first row is its head."""
        rows = [[self.line(cell).replace("|", r"\|") for cell in children(row) if cell.tag in ("td", "th")] for row in node.css("tr")]
        lines = [f"| {' | '.join(cells)} |" for cells in rows]
        return "\n".join([*lines[:1], f"|{'---|' * len(rows[0])}", *lines[1:]]) if rows else ""

    def line(self, node: LexborNode) -> str:
        """What stands inside a node, in one line."""
        return squeezed("".join(self.inline(child) for child in children(node)))

    def inline(self, node: LexborNode) -> str:
        """A piece of text with its emphasis and links."""
        tag = node.tag or ""
        if tag == "-text":
            return escaped(node.text_content or "")
        if tag in SILENT or "headerlink" in classes(node):
            return ""
        if tag == "code":
            return coded(squeezed(node.text()))
        if tag == "img":
            return "" if "scheme-dark" in classes(node) else self.picture(node)
        inside = "".join(self.inline(child) for child in children(node))
        href = node.attributes.get("href") or ""
        if tag == "a" and href and not href.startswith("#") and inside.strip():
            return f"[{squeezed(inside)}]({self.target(href)})"
        mark = {"strong": "**", "b": "**", "em": "*", "i": "*"}.get(tag, "")
        return f"{mark}{inside}{mark}" if inside.strip() else inside

    def picture(self, node: LexborNode) -> str:
        """A picture with its text alternative, in which nothing ends it."""
        alternative = escaped(squeezed(node.attributes.get("alt") or ""), IN_A_PICTURE)
        return f"![{alternative}]({node.attributes.get('src') or ''})"

    def target(self, href: str) -> str:
        """Where a link leads: to the Markdown version of a page of the site, and else where it led."""
        path = href.partition("#")[0]
        there = posixpath.normpath(posixpath.join(self.folder.as_posix(), path))
        leads_to_page = not re.match(r"[a-z]+:|//", href) and (Path(there) / "index.html").is_file()
        return posixpath.join(path, NAME) if leads_to_page else href.replace("(", "%28").replace(")", "%29").replace(" ", "%20")


def children(node: LexborNode) -> Iterator[LexborNode]:
    """The nodes inside a node, text among them."""
    return node.iter(include_text=True)


def classes(node: LexborNode) -> list[str]:
    """The classes of a node; none of a piece of text."""
    return [] if node.tag == "-text" else (node.attributes.get("class") or "").split()


def fence(text: str, least: int) -> str:
    """Backticks enough to enclose a text."""
    return "`" * max([least, *(len(run) + 1 for run in re.findall("`+", text))])


def coded(text: str) -> str:
    """A piece of code in a line."""
    marks = fence(text, 1)
    return f"{marks} {text} {marks}" if len(marks) > 1 else f"{marks}{text}{marks}"


def fenced(node: LexborNode) -> str:
    """A block of code, with the name of its language where the page has one."""
    text = node.text().strip("\n")
    around = node.parent
    named = re.search(r"language-(\w+)", (around.attributes.get("class") or "") if around is not None else "")
    marks = fence(text, 3)
    return f"{marks}{named.group(1) if named else ''}\n{text}\n{marks}"


def indented(text: str, first: str, other: str) -> str:
    """A text whose first line begins with one mark and whose other lines with another."""
    lines = text.split("\n")
    return "\n".join([f"{first}{lines[0]}", *(f"{other}{line}".rstrip() for line in lines[1:])])
