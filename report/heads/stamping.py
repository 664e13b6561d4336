"""Stamping: MkDocs renders one page per home as a shell – theme, header, navigation – and every head's page is made from its HTML.

Rendered one by one, a thousand pages would take minutes, and each would carry the whole navigation of the site."""

import gzip
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from report.facts import inert
from report.heads import page
from report.heads.answers import HomeAnswers
from report.heads.page import HeadPage

SHELL = "head"
TITLE, LINE = "HEADCOUNT TITLE", "HEADCOUNT LINE"
# The search plugin leaves the shell out: the heads' own entries take its place.
DOCUMENT = f'---\ntitle: "{TITLE}"\ndescription: "{LINE}"\nhide: [toc]\nsearch:\n  exclude: true\n---\n\n# {TITLE} {{: #head }}\n'
TABS = re.compile(r'<a href="([^"]*)" class="md-tabs__link">(.*?)</a>', re.DOTALL)
SIDEBAR = re.compile(
    r'(<div class="md-sidebar md-sidebar--primary".*?<ul class="md-nav__list"[^>]*>).*?(</ul>\s*</nav>\s*</div>\s*</div>\s*</div>)',
    re.DOTALL,
)


@dataclass(frozen=True)
class Shell:
    """A rendered page without what is the head's own, in the pieces between; `place` is its folder's address."""

    before: str
    after: str
    place: str

    def stamped(self, head: HeadPage) -> str:
        """The page of one head."""
        whole = []
        for part in (self.before, self.after):
            own = part.replace(TITLE, inert(head.title)).replace(LINE, inert(head.line))
            whole.append(own.replace(self.place, self.place.removesuffix(f"{SHELL}/") + f"{head.name}/"))
        return f"{whole[0]}\n{head.article}\n{whole[1]}"


def write_shell(answers: HomeAnswers, documents: Path) -> None:
    """The document of a home's shell, for MkDocs to render."""
    folder = documents / answers.home.table
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{SHELL}.md").write_text(DOCUMENT, encoding="utf-8")


def stamp(answers: HomeAnswers, site: Path) -> None:
    """Write the pages of a home's heads in the place of its shell, and their entries in the search index and the site map."""
    folder = site / answers.home.table
    shell = read_shell((folder / SHELL / "index.html").read_text(encoding="utf-8"), f"{answers.home.table}{SHELL}/")
    lines = {}
    for place in answers.heads:
        head = page.write(answers, place)
        (folder / head.name).mkdir()
        (folder / head.name / "index.html").write_text(shell.stamped(head), encoding="utf-8")
        lines[f"{answers.home.table}{head.name}/"] = (head.title, head.line)
    shutil.rmtree(folder / SHELL)
    index(site, lines)
    map_out(site, shell.place, list(lines))


def read_shell(html: str, place: str) -> Shell:
    """The shell from its HTML: of the navigation its first level alone, which the tabs name too, and no space between tags but one."""
    entries = "".join(
        f'<li class="md-nav__item"><a href="{address}" class="md-nav__link"><span class="md-ellipsis">{label.strip()}</span></a></li>'
        for address, label in TABS.findall(html)
    )
    short = SIDEBAR.sub(lambda found: f"{found[1]}{entries}{found[2]}", html, count=1)
    before, _, rest = short.partition("<article")
    opening, closing = rest.partition(">")[0], rest.rpartition("</article>")[2]
    return Shell(tight(f"{before}<article{opening}>"), tight(f"</article>{closing}"), place)


def tight(html: str) -> str:
    """HTML without blank lines and indents; scripts stay as they are, as a policy may name their hashes."""
    pieces = re.split(r"(<script\b.*?</script>)", html, flags=re.DOTALL)
    return "".join(piece if piece.startswith("<script") else re.sub(r"\s*\n\s*", "\n", piece) for piece in pieces)


def index(site: Path, lines: dict[str, tuple[str, str]]) -> None:
    """Enter pages in the search index, each with its title and one line."""
    path = site / "search" / "search_index.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    found["docs"] += [{"location": place, "title": inert(title), "text": inert(line)} for place, (title, line) in lines.items()]
    path.write_text(json.dumps(found), encoding="utf-8")


def map_out(site: Path, shell: str, places: list[str]) -> None:
    """Put pages in the place of their shell in the site map; where the site's own address is not known, that names no page."""
    path = site / "sitemap.xml"
    text = path.read_text(encoding="utf-8")
    entry = next((found for found in re.findall(r"[ \t]*<url>.*?</url>\n?", text, re.DOTALL) if shell in found), None)
    if entry is None:
        return
    text = text.replace(entry, "".join(entry.replace(shell, place) for place in places))
    path.write_text(text, encoding="utf-8")
    packed = site / "sitemap.xml.gz"
    # The same time stamp as MkDocs gave it, so that two builds give the same bytes.
    stamped = int.from_bytes(packed.read_bytes()[4:8], "little")
    with packed.open("wb") as file, gzip.GzipFile("sitemap.xml", mode="wb", fileobj=file, mtime=stamped) as archive:
        archive.write(text.encode())
