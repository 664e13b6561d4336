"""The build: counters → published file → pages → MkDocs → checked site.

It happens in a temporary folder, never in the work tree, that takes the old site's place at the end: if it fails, the last one stays."""

import json
import logging
import os
import shutil
import tempfile
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

from report import __version__, check, console, console_files, csp, figures, head_map, pages, publish, queries, site_pages, verify
from report.comparisons.page import PairDrawing
from report.downloads import checksums, plain_text
from report.errors import DatabaseRefusal, EnvironmentRefusal, UsageRefusal
from report.facts import Ledger, inert
from report.heads import site as head_site
from report.progress import step

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
    if counters == published:
        raise UsageRefusal("the published file would replace the counters", published.name, "give --publish another name")
    refuse_unwritable(published)
    refuse_foreign(site)
    shown = figures.load(folder) if folder else figures.load()
    publish.open_counters(counters).close()
    inputs = digest(counters, folder, options)
    if up_to_date(site, published, inputs):
        return built(site, published, fresh=False)
    engine = console_files.fetch() if options.console else None
    with step(f"reading all of {counters.name}, publishing {published.name}"):
        verify.verify(counters)
        publish.publish(counters, published, shown, options.allow_partial)
    with tempfile.TemporaryDirectory(prefix="headcount-build-") as stage, temporary_site(site) as fresh:
        with reading(published) as connection:
            ledger = Ledger(connection)
            with step("asking the file, drawing charts, writing pages"):
                drawings, pairs = site_pages.compose(ledger, Path(stage) / "docs", shown)
                heads = head_site.write(ledger, Path(stage) / "docs")
                if engine:
                    console.write(pages.Pages(ledger, Path(stage) / "docs"), engine)
            with step("rendering the site"):
                groups = navigation_groups(Path(stage) / "docs", drawings, pairs, head_site.navigation(heads))
                render(Path(stage) / "docs", fresh, epoch(connection), groups, options.site_url)
                head_site.stamp(heads, fresh)
            with step("checking the site"):
                tables = check.fingerprints(connection)
                shutil.copyfile(published, fresh / "data" / "headcount.duckdb")
                csp.write(fresh)
                plain_text.write(fresh, [f"{page.removesuffix('.md')}/" for page in site_pages.addresses(drawings, pairs)])
                ledger.write(fresh / "facts.json", inputs, tables, check.manifest(fresh))
                checksums.write(fresh)
                found = check.differences_of(connection, tables, published, fresh)
        if differences := [text for part in found.values() for text in part]:
            what = f"the site differs from its file: {differences[0]}"
            raise DatabaseRefusal(what, "report check", "report this as a bug, with the counters file")
        replace_folder(fresh, site)
    return built(site, published, fresh=True)


def built(site: Path, published: Path, fresh: bool) -> Built:
    """What stands in the finished site."""
    facts = json.loads((site / "facts.json").read_text(encoding="utf-8"))["facts"]
    with duckdb.connect(str(published), read_only=True) as connection:
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


def refuse_unwritable(target: Path) -> None:
    """Refuse a file that cannot be written, before any work is done."""
    if target.is_dir():
        raise EnvironmentRefusal("is a folder already", target.name, "give it another name")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        fix = "choose a folder you may write to"
        raise EnvironmentRefusal(f"cannot write here: {error.strerror}", target.parent.name, fix) from error


def refuse_foreign(site: Path) -> None:
    """Refuse a folder that is not an earlier site: it will be replaced as a whole."""
    if site.is_file():
        raise EnvironmentRefusal("is a file already", site.name, "give --out another name")
    if site.is_dir() and any(site.iterdir()) and not (site / "facts.json").is_file():
        raise EnvironmentRefusal("the folder holds something else than a site", site.name, "give --out a new or empty folder")
    refuse_unwritable(site.with_suffix(".tmp"))


@contextmanager
def temporary_site(site: Path) -> Iterator[Path]:
    """A folder beside the site, on the same file system, gone at the end whatever happens."""
    fresh = site.with_name(f"{site.name}.tmp-{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def replace_folder(fresh: Path, site: Path) -> None:
    """Put the fresh site in the place of the old one."""
    old = site.with_name(f"{site.name}.old-{os.getpid()}")
    if site.exists():
        site.rename(old)
    fresh.rename(site)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def reading(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, read-only, with its views computed once: every question reads them many times."""
    with duckdb.connect(str(published), read_only=True) as connection:
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
