"""Links, titles and summaries: what leads from page to page must arrive, under the name of what it leads to."""

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from report.check.addresses import ERROR_PAGE, is_twinned
from report.check.ledger import DOWNLOAD
from report.check.page import Page, squeeze

SITE_NAME = " - Headcount"
SITE_DESCRIPTION = "A census of a language model's attention heads"
ELSEWHERE = re.compile(r"[a-z]+:|//")
# What a download is called, and how its address ends.
DOWNLOADS = {
    "CSV": ".csv",
    "Parquet": ".parquet",
    "SQL": ".sql",
    "Vega-Lite": ".vl.json",
    "SVG, light": "-light.svg",
    "SVG, dark": "-dark.svg",
    "PNG": ".png",
}
WHOLE_FILE = ("the whole file", "headcount.duckdb")
ENTRY = re.compile(r"- \[((?:\\.|\](?!\()|[^\]\\])*)\]\(([^()]*)\)(?:: (.*))?")


def compare_links(site: Path, pages: Mapping[str, Page]) -> Iterator[str]:
    """Links that lead nowhere or to something else than they say, and summaries that differ from their page."""
    own = {name: page for name, page in pages.items() if name != ERROR_PAGE}
    arrivals: dict[str, bool] = {}
    usual = Counter(entry for page in own.values() for entry in set(page.navigation))
    for page in own.values():
        for address in sorted(page.addresses):
            if address not in arrivals:
                arrivals[address] = arrives(address, site, pages)
            if not arrivals[address]:
                yield f"{page.name}: {address} leads nowhere"
        rare = {entry for entry in page.navigation if usual[entry] < len(own)}
        yield from (f"{page.name}: “{label}” in the navigation leads to {target}" for label, target in sorted(rare))
        yield from (f"{page.name}: {text}" for text in (*compare_names(page, own), *compare_targets(page, own)))
    yield from compare_summary(site, own)


def arrives(address: str, site: Path, pages: Mapping[str, Page]) -> bool:
    """True where an address is a file of the site – or of another host – and its anchor stands there."""
    if ELSEWHERE.match(address):
        return True
    place, _, anchor = address.partition("#")
    page = pages.get(place) or pages.get(f"{place}index.html") or pages.get(f"{place}/index.html")
    if page is not None:
        return not anchor or anchor in page.anchors
    return (site / place).is_file() or (not anchor and (site / place / "index.html").is_file())


def compare_names(page: Page, pages: Mapping[str, Page]) -> Iterator[str]:
    """The page's title and table of contents, against its headings and its name in the navigation."""
    title = page.title.removesuffix(SITE_NAME)
    names = {label for label, target in page.navigation if target in (page.folder, page.name)}
    if page.name == "index.html" and set(page.title.split(" - ")) != {SITE_NAME.removeprefix(" - ")}:
        yield f"title “{page.title}” is not the site's"
    if title not in {page.heading, *names} and page.folder:
        yield f"title “{title}” is neither its heading nor its name in the navigation"
    headings = {
        anchor: squeeze(html.unescape(re.sub(r"<[^>]+>", "", text)))
        for anchor, text in re.findall(r'<h[1-6] id="([^"]*)"[^>]*>(.*?)</h[1-6]>', page.html, re.DOTALL)
    }
    for label, target in page.contents:
        heading = headings.get(target.removeprefix("#"))
        if heading is not None and heading != label:
            yield f"contents: “{label}” leads to “{heading}”"


def compare_targets(page: Page, pages: Mapping[str, Page]) -> Iterator[str]:
    """Links to downloads and figures that lead to those of another figure than the one they stand with; downloads without a link."""
    offered = Counter((link.chart, link.label) for link in page.links if link.label in {*DOWNLOADS, WHOLE_FILE[0]})
    wanted = Counter((chart.slug, label) for chart in page.charts for label in (*DOWNLOADS, WHOLE_FILE[0]))
    yield from (
        f"chart {slug} has not each of its downloads once: {label}" for slug, label in sorted(offered - wanted) + sorted(wanted - offered)
    )
    for link in page.links:
        if link.label in WHOLE_FILE and link.target != DOWNLOAD:
            yield f"“{link.label}” leads to {link.target}"
        ending = DOWNLOADS.get(link.label)
        if ending and link.target != f"charts/{link.chart}{ending}":
            yield f"“{link.label}” leads to {link.target}"
        figure = re.fullmatch(r"figures/(.+)/", link.target)
        if not figure or f"{link.target}index.html" not in pages or link.chart in ("", figure.group(1)):
            continue
        # A link that stands after a chart leads to that chart's page, unless it names another.
        if link.inside or not pages[f"{link.target}index.html"].heading.endswith(link.label):
            yield f"“{link.label}” leads to {link.target}, beside the chart of {link.chart}"


def unescaped(text: str) -> str:
    """A text of llms.txt without the marks that keep it from being a link or a tag."""
    return html.unescape(re.sub(r"\\(.)", r"\1", text))


def compare_summary(site: Path, pages: Mapping[str, Page]) -> Iterator[str]:
    """llms.txt, whose lines are titles and descriptions of the pages whose Markdown they name, all of them, and then files of data."""
    try:
        lines = (site / "llms.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        yield "llms.txt is missing or cannot be read"
        return
    named: Counter[str] = Counter()
    home = pages["index.html"].description if "index.html" in pages else ""
    for line in lines:
        if entry := ENTRY.fullmatch(line):
            label, target, description = entry.groups()
            title, page = unescaped(label), pages.get(target.removesuffix("md") + "html")
            named[target] += 1
            if page is None and (title != target or description or not (site / target).is_file()):
                yield f"llms.txt: the line of {target} is neither a page's nor a file's"
            # A page without a description of its own has the site's, which is not told again.
            own = page and (page.description if page.description not in (home, SITE_DESCRIPTION) else "")
            if page and (page.title.removesuffix(SITE_NAME), own) != (title, squeeze(unescaped(description or ""))):
                yield f"llms.txt: the line of {target} is not that page's title and description"
        elif line.startswith("> ") and home != unescaped(line.removeprefix("> ")):
            yield "llms.txt: its description is not that of the home page"
        elif line.startswith("# ") and not all(page.title.endswith(line.removeprefix("# ")) for page in pages.values()):
            yield "llms.txt: its title is not the site's"
        elif line and not line.startswith(("> ", "# ", "## ")):
            yield f"llms.txt: “{line}” is the line of no page"
    wanted = Counter(name.removesuffix("html") + "md" for name in pages if is_twinned(name))
    pages_named = Counter({target: count for target, count in named.items() if target.endswith("index.md")})
    yield from (f"llms.txt: not one line of {target}" for target in sorted((wanted - pages_named) + (pages_named - wanted)))
