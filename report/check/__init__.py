"""The check: a site is true when every number on it can be asked for again, and everything else on it is said twice alike.

It parses the built HTML, asks the published file the question behind each fact, takes each claim's decision anew, and compares; it imports
no renderer. It has two parts. The seal is what facts.json, SHA256SUMS, datapackage.json and the page of downloads say of the bytes of every
file, and facts.json of the content of every table: any change at all breaks it, unless they are changed along. The rest holds without the
seal, from what the file, the pages and their companions say:
    definitions  views as in report/sql; labels that spell their edges; histograms that add up
    facts        each question unchanged, each value the file's, each text one of its spellings, no value of an answer left out
    claims       each decision follows from its facts
    pages        facts as in facts.json, linked to their queries, with fitting units, in the order of the answer in tables; phrases that
                 follow from decisions and stand with facts about the same thing; no digit outside a fact; queries shown as they are
    words        every word and heading of a page as the search index has it
    links        every address leads somewhere; downloads, figures, navigation and llms.txt lead to what they name
    policy       the scripts that the Content-Security-Policy allows are those that stand in the pages
    charts       page, specification, CSV, Parquet, SQL and both SVG pictures show one answer; alternative texts say the finding
    downloads    public tables hold what the file holds; sizes and rows are written as they are; datapackage.json fits types and comments
    plain text   the Markdown version of each page reads, links and shows as the page
    heads        the pages of heads and their tables: cells, texts, links, order and bars as the file answers, words as in the template
    heads data   each cell of the script files that the map and the table of heads are drawn from
    thresholds   counts, texts and heads that a figure shows when its threshold is moved are the answers of the file
    console      the engine's files are the pinned ones, its scripts and examples ours, and on no other page
    maps         pages, pictures and scales of the maps of heads, against their question and the script files
What it cannot see without the seal: an edit of plain words that is made in the search index as well; another sound PNG; where a link of
hand-written prose leads, as long as it arrives; the colours and the curve in the pictures of a map; what the description of a page that is
no figure's, and the comments of the file, say; counters that no answer on the site depends on. And never: whether the words of a template
are true in the first place."""

from pathlib import Path
from typing import Any

import duckdb

from report import database
from report.check.addresses import is_head_page
from report.check.charts import compare_charts
from report.check.console import compare_console
from report.check.definitions import compare_definitions
from report.check.downloads import compare_bytes, compare_downloads
from report.check.head_map import compare_maps
from report.check.heads import compare_heads
from report.check.heads_data import compare_heads_data
from report.check.ledger import DOWNLOAD, compare_download, compare_files, compare_tables, fingerprints, manifest, read_ledger
from report.check.links import compare_links
from report.check.package import compare_checksums, compare_download_checksum, compare_package
from report.check.page import Page, read_page, stray_digits
from report.check.pages import Pages
from report.check.policy import compare_policy
from report.check.recount import Answers, Recount
from report.check.spelling import spelling
from report.check.thresholds import compare_thresholds
from report.check.twins import compare_twins
from report.check.words import compare_words
from report.errors import DatabaseRefusal

__all__ = [
    "DOWNLOAD",
    "SEAL",
    "Recount",
    "check",
    "compare_download",
    "compare_heads",
    "differences",
    "differences_of",
    "fingerprints",
    "manifest",
    "read_ledger",
    "spelling",
    "stray_digits",
]

# The parts that compare with the hashes of facts.json; whoever changes a file and facts.json alike passes them.
SEAL = ("tables", "files", "checksums")


def check(published: Path, site: Path) -> list[str]:
    """All differences between a site and its file, worst first; empty where there is none.

    Raises:
        DatabaseRefusal: the file or the site's facts.json cannot be read.
    """
    return [text for found in differences(published, site).values() for text in found]


def differences(published: Path, site: Path) -> dict[str, list[str]]:
    """All differences by the part of the check that found them.

    Raises:
        DatabaseRefusal: the file or the site's facts.json cannot be read.
    """
    try:
        with database.read(published) as connection:
            return differences_of(connection, fingerprints(connection), published, site)
    except duckdb.Error as error:
        raise DatabaseRefusal(
            f"DuckDB cannot read it: {str(error).splitlines()[0]}", published.name, "build the site again from the counters"
        ) from error


def differences_of(connection: duckdb.DuckDBPyConnection, tables: dict[str, str], published: Path, site: Path) -> dict[str, list[str]]:
    """All differences by part, for a file that is open already and whose `fingerprints` are known; as after a build."""
    try:
        return compare_all(connection, tables, published, site)
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError):
        # What was damaged cannot always be read as what it was; which file it is, the checksums say. Where all fit, it is a bug.
        if not (damaged := list(compare_checksums(site, manifest(site)))):
            raise
        return {"tables": [], "files": [], "checksums": damaged}


def compare_all(connection: duckdb.DuckDBPyConnection, tables: dict[str, str], published: Path, site: Path) -> dict[str, list[str]]:
    """Every part of the check."""
    found, recount = compare_file(connection, tables, read_ledger(site))
    found["heads data"] = list(compare_heads_data(connection, site))
    site_found = compare_site(site, recount)
    site_found["checksums"] += compare_download_checksum(site, published)
    return found | site_found | {"download": compare_download(site, tables, published)}


def compare_file(
    connection: duckdb.DuckDBPyConnection, found: dict[str, str], ledger: dict[str, Any]
) -> tuple[dict[str, list[str]], Recount]:
    """The parts of the check that ask the published file, and the recount with its answers."""
    tables = compare_tables(found, ledger)
    definitions = list(compare_definitions(connection))
    recount = Recount(Answers(connection), ledger)
    return {"tables": tables, "definitions": definitions, "facts": list(recount.differences())}, recount


def compare_site(site: Path, recount: Recount) -> dict[str, list[str]]:
    """The parts of the check that read the site's files."""
    pages: dict[str, Page] = {}
    for path in sorted(site.rglob("*.html")):
        if is_head_page(path.relative_to(site).as_posix()):
            continue
        page = read_page(site, path)
        pages[page.name] = page
    facts = Pages(recount)
    digests = manifest(site)
    unsaid = sorted(recount.claims.keys() - {claim.id for page in pages.values() for claim in page.claims})
    return {
        "pages": [
            *(f"{page.name}: {text}" for page in pages.values() for text in facts.differences(page)),
            *(f"claim {name} is said on no page" for name in unsaid),
        ],
        "words": list(compare_words(site, pages)),
        "links": list(compare_links(site, pages)),
        "policy": list(compare_policy(site, pages)),
        "charts": list(compare_charts(site, pages, facts)),
        "thresholds": list(compare_thresholds(site, pages, facts)),
        "maps": list(compare_maps(site, pages, facts)),
        "heads": list(compare_heads(site, pages, recount.answer, recount.ledger)),
        "downloads": [*compare_downloads(site, pages, recount.answer), *compare_package(site, recount.answer)],
        "plain text": list(compare_twins(site, pages)),
        "files": compare_files(digests, recount.ledger),
        "checksums": [*compare_bytes(site, pages, digests), *compare_checksums(site, digests)],
        "console": list(compare_console(site, pages)),
    }
