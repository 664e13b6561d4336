"""The build: counters → published file → pages → MkDocs → checked site.

It happens in a folder beside the site; site and published file take the place of the old ones together, at the end (see `replacing`): an
interrupted or failed build leaves the last good ones, and the work tree is never written."""

import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import yaml
from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config import load_config
from mkdocs.exceptions import MkDocsException

from report import (
    __version__,
    check,
    console,
    console_files,
    csp,
    database,
    figures,
    head_map,
    pages,
    places,
    publish,
    queries,
    site_pages,
    verify,
)
from report.comparisons.page import PairDrawing
from report.downloads import checksums, plain_text
from report.errors import DatabaseRefusal, EnvironmentRefusal
from report.facts import Ledger, inert
from report.heads import site as head_site
from report.progress import step
from report.replacing import put_in_place, workplace

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Built:
    """What a build gives back for its summary: `runs` says what was measured; `fresh` is false where nothing had changed."""

    site: Path
    published: Path
    pages: int
    facts: int
    runs: tuple[str, ...]
    fresh: bool


@dataclass(frozen=True)
class Options:
    """How a site is built.

    allow_partial: report on unfinished runs, with a banner, instead of refusing.
    site_url: where the site will lie, for canonical links and the site's map; it works anywhere without.
    console: add the page on which a reader queries the file in the browser."""

    allow_partial: bool = False
    site_url: str = ""
    console: bool = False


AS_USUAL = Options()


def build(counters: Path, site: Path, published: Path, folder: Path | None = None, options: Options = AS_USUAL) -> Built:
    """Publish the counters and build the site; a site that was made from the very same inputs is only checked again.

    Args:
        counters: the file that `extract` wrote.
        site: folder of the site; replaced as a whole.
        published: the file to write, also offered as the site's download.
        folder: figures to use instead of the package's own.
        options: see there.

    Raises:
        DatabaseRefusal, UsageRefusal: see `publish`.
        EnvironmentRefusal: the site or the published file cannot be written here, MkDocs refuses a page, or the console's engine
            cannot be fetched.
    """
    counters, site, published = counters.resolve(), site.resolve(), published.resolve()
    places.refuse_within(counters, site, published)
    # First what is read: nothing is made for a name that is misspelt.
    publish.open_counters(counters).close()
    shown = figures.load(folder) if folder else figures.load()
    places.refuse_unwritable(published)
    places.refuse_foreign(site)
    with workplace(site) as work:
        begun = counters.stat()
        inputs = digest(counters, folder, options)
        if up_to_date(site, published, inputs):
            return built(site, published, fresh=False)
        places.check_space(work, counters)
        engine = console_files.fetch() if options.console else None
        copy, documents, fresh = work / published.name, work / "docs", work / "site"
        with step(f"reading all of {counters.name}, publishing {published.name}"):
            verify.verify(counters)
            publish.publish(counters, copy, shown, options.allow_partial)
            places.refuse_replaced(counters, begun)
        with reading(copy) as connection:
            ledger = Ledger(connection)
            with step("asking the file, drawing charts, writing pages"):
                drawings, pairs = site_pages.compose(ledger, documents, shown, options.console)
                heads = head_site.write(ledger, documents)
                if engine:
                    console.write(pages.Pages(ledger, documents), engine)
            with step("rendering the site"):
                groups = navigation_groups(documents, drawings, pairs, head_site.navigation(heads))
                render(documents, fresh, epoch(connection), groups, options.site_url)
                head_site.stamp(heads, fresh)
            with step("checking the site"):
                tables = check.fingerprints(connection)
                shutil.copyfile(copy, fresh / "data" / "headcount.duckdb")
                csp.write(fresh)
                plain_text.write(fresh, [f"{page.removesuffix('.md')}/" for page in site_pages.addresses(drawings, pairs)])
                ledger.write(fresh / "facts.json", inputs, tables, check.manifest(fresh))
                checksums.write(fresh)
                found = check.differences_of(connection, tables, copy, fresh)
        if differences := [text for part in found.values() for text in part]:
            what = f"the site differs from its file: {differences[0]}"
            raise DatabaseRefusal(what, "report check", "report this as a bug, with the counters file")
        put_in_place(copy, published, fresh, site)
    return built(site, published, fresh=True)


def built(site: Path, published: Path, fresh: bool) -> Built:
    """What stands in the finished site."""
    facts = json.loads((site / "facts.json").read_text(encoding="utf-8"))["facts"]
    with database.read(published) as connection:
        measured = connection.execute(
            "select title, layers * heads_per_layer, scored_tokens from runs where kind = 'measured' order by run_id"
        ).fetchall()
    runs = tuple(f"{title}: {heads:,} heads measured on {tokens:,} tokens" for title, heads, tokens in measured)
    return Built(site, published, len(list(site.rglob("*.html"))), len(facts), runs, fresh)


def digest(counters: Path, folder: Path | None, options: Options) -> str:
    """Hash of everything that a site is made from: counters, figures, hand-written pages, templates and code."""
    sources = [ROOT / name for name in ("mkdocs.yml", "CITATION.cff", "CHANGELOG.md")]
    sources += [*sorted((ROOT / "docs").rglob("*")), *sorted(Path(__file__).parent.rglob("*"))]
    sources += sorted(folder.glob("*.toml")) if folder else []
    whole = sha256(f"{__version__} {options} {duckdb.__version__}".encode())
    for path in (counters, *sources):
        if path.is_file() and "__pycache__" not in path.parts:
            whole.update(path.name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def up_to_date(site: Path, published: Path, inputs: str) -> bool:
    """True where the site was made from these inputs and still says what the published file holds."""
    try:
        return published.is_file() and check.read_ledger(site).get("inputs") == inputs and not check.check(published, site)
    except DatabaseRefusal:
        # Whatever is wrong with an older build, this one mends it.
        return False


@contextmanager
def reading(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, read-only, with its views computed once: every question reads them many times."""
    with database.read(published) as connection:
        for view in queries.asked_views():
            connection.execute(f"create temp table {view} as from {view}")
        yield connection


def epoch(connection: duckdb.DuckDBPyConnection) -> str:
    """The newest run's day as seconds since 1970: MkDocs writes it into the site map instead of today."""
    (day,) = connection.execute("select max(measured_on)::varchar from run").fetchall()[0]
    return str(int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())) if day else "0"


def navigation_groups(
    documents: Path, drawings: list[pages.Drawing], pairs: list[PairDrawing], tables: list[dict[str, str]]
) -> dict[str, list[Any]]:
    """The generated pages of each group of the navigation, figures by their run; the theme prints titles as they are."""
    runs: dict[str, list[pages.Drawing]] = {}
    for drawing in drawings:
        runs.setdefault(drawing.run_id, []).append(drawing)
    figures_of_runs = [
        {inert(str(shown[0].coverage["run_title"].value)): [{inert(drawing.title): drawing.page} for drawing in shown]}
        for shown in runs.values()
    ]
    return {
        "Figures": ["figures.md", *figures_of_runs],
        "Heads": [*tables, *head_map.navigation(documents)],
        "Side by side": ["agreement.md", *({inert(pair.title): pair.page} for pair in pairs)],
    }


def render(documents: Path, fresh: Path, seconds: str, groups: dict[str, list[Any]], site_url: str) -> None:
    """Run MkDocs, strictly, from the staged documents into the fresh site; `groups` as `navigation_groups` gives them.

    Raises:
        EnvironmentRefusal: MkDocs refuses a page.
    """
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = [{title: groups.get(title, address) for title, address in entry.items()} for entry in settings["nav"]]
    navigation = console.in_navigation([entry for entry in listed if all(entry.values())], documents)
    where = {"site_url": site_url} if site_url else {}
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = seconds
    try:
        config = load_config(str(ROOT / "mkdocs.yml"), docs_dir=str(documents), site_dir=str(fresh), nav=navigation, strict=True, **where)
        mkdocs_build(config)
    except MkDocsException as error:
        fix = "correct the page it names above"
        raise EnvironmentRefusal(f"MkDocs refused the pages: {error}", "mkdocs build --strict", fix) from error
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before
