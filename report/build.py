"""The build: counters → published file → pages → MkDocs → checked site, in a temporary folder that takes the place of the old site at the end.

An interrupted or failed build leaves the last good site, and the work tree is never written."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import yaml
from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config import load_config
from mkdocs.exceptions import MkDocsException

from report import charts, check, figures, publish, queries, theme
from report.errors import DatabaseRefusal, EnvironmentRefusal
from report.facts import Fact, Ledger, inert, script_safe
from report.pages import HOME_OBSERVATIONS, PRIMARY, TWIN, Drawing, Pages

ROOT = Path(__file__).parents[1]
ASSETS = Path(__file__).parent / "assets"
EXAMPLE = ROOT / "docs" / "examples" / "query.py"
# The oldest DuckDB release that the tests open the published file with.
OLDEST_CLIENT = "1.4"


@dataclass(frozen=True)
class Built:
    """What a build gives back for its summary."""

    site: Path
    published: Path
    pages: int
    facts: int


def build(counters: Path, site: Path, published: Path, folder: Path | None = None, allow_partial: bool = False) -> Built:
    """Publish the counters and build the site.

    Args:
        counters: the file that `extract` wrote.
        site: folder of the site; replaced as a whole.
        published: the file to write, also offered as the site's download.
        folder: figures to use instead of the package's own.
        allow_partial: report on unfinished runs, with a banner, instead of refusing.

    Raises:
        DatabaseRefusal, UsageRefusal: see `publish`.
        EnvironmentRefusal: the site or the published file cannot be written here.
    """
    for target in (site, published):
        refuse_unwritable(target)
    publish.publish(counters, published, folder, allow_partial)
    with tempfile.TemporaryDirectory(prefix="headcount-build-") as stage_name, temporary_site(site) as fresh:
        stage = Path(stage_name)
        with reading(published) as connection:
            ledger = Ledger(connection)
            shown = {figure.id: figure for figure in (figures.load(folder) if folder else figures.load())}
            drawings = compose(ledger, stage, shown)
            render(stage, fresh, epoch(connection), drawings)
            tables = check.fingerprints(connection)
        shutil.copyfile(published, fresh / "data" / "headcount.duckdb")
        ledger.write(fresh / "facts.json", tables)
        write_summary(fresh / "llms.txt", drawings)
        differences = check.check(published, fresh)
        if differences:
            raise DatabaseRefusal(f"the site differs from its file: {differences[0]}", "report check", "report this as a bug, with the counters file")
        replace_folder(fresh, site)
    return Built(site, published, pages=len(list(site.rglob("*.html"))), facts=len(ledger.facts))


def refuse_unwritable(target: Path) -> None:
    """Refuse an output that cannot be written, before any work is done."""
    if target.suffix == ".duckdb" and target.is_dir():
        raise EnvironmentRefusal("is a folder, not a file", target.name, "name a file")
    if not target.suffix and target.exists() and not target.is_dir():
        raise EnvironmentRefusal("is a file, not a folder", target.name, "give --out another name")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise EnvironmentRefusal(f"cannot write here: {error.strerror}", target.parent.name, "choose a folder you may write to") from error


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
        for view in queries.views():
            connection.execute(f"create temp table {view.id} as from {view.id}")
        yield connection


def epoch(connection: duckdb.DuckDBPyConnection) -> str:
    """The newest run's day as seconds since 1970: MkDocs writes it into the site map instead of today."""
    (day,) = connection.execute("select max(measured_on)::varchar from run").fetchall()[0]
    return str(int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())) if day else "0"


def compose(ledger: Ledger, stage: Path, shown: dict[str, figures.Figure]) -> list[Drawing]:
    """Copy the hand-written pages and write the generated ones beside them."""
    documents = stage / "docs"
    shutil.copytree(ROOT / "docs", documents)
    (documents / "assets").mkdir(exist_ok=True)
    for asset in ASSETS.iterdir():
        shutil.copyfile(asset, documents / "assets" / asset.name)
    (documents / "assets" / "vega-bundle.js").write_text(charts.script(), encoding="utf-8")
    configs = script_safe({scheme: theme.vega_config(scheme) for scheme in ("light", "dark")})
    (documents / "assets" / "headcount-theme.js").write_text(f"window.headcountConfigs = {configs};\n", encoding="utf-8")
    (documents / "data").mkdir(exist_ok=True)
    # MkDocs checks links when it runs, so the download must be there by then; the file itself takes its place at the end.
    (documents / "data" / "headcount.duckdb").touch()
    pages = Pages(ledger, documents, shown)
    drawings = [pages.draw(*row) for row in in_order(ledger.connection, shown)]
    for drawing in drawings:
        pages.write_chart(drawing)
        write_figure(pages, drawing, {other.figure: other for other in drawings if other.run_id == drawing.run_id})
    write_overview(pages, drawings)
    write_home(pages, drawings)
    pages.write("measures.md", "measures.md.j2", measures=ledger.ask("measures"))
    write_data(pages)
    return drawings


def in_order(connection: duckdb.DuckDBPyConnection, shown: dict[str, figures.Figure]) -> list[tuple[str, str, str, dict[str, str]]]:
    """Every figure of every run: run, figure, kind and, for imported tables, words; measured runs first."""
    rows = connection.execute(
        "select distinct layer_range.run_id, figure.figure, figure.kind, run.kind, figure.ordinal from layer_range join figure using (figure) "
        "join run using (run_id) order by figure.kind, run.kind desc, layer_range.run_id, figure.ordinal"
    ).fetchall()
    imported = {figure.id: figure.words for figure in publish.imported_figures(connection, tuple(shown.values()))}
    words = {"counts": "", "misreading": "Do not read a share of heads as a level of activity: a segment counts heads, and its colour rates something else."}
    found = []
    for run_id, figure, kind, _, _ in rows:
        colours = connection.execute(
            "select arg_min(colour, stack_ordinal), arg_max(colour, stack_ordinal) from band where run_id = $1 and figure = $2", [run_id, figure]
        ).fetchall()[0]
        found.append((run_id, figure, kind, imported.get(figure, words | {"high": colours[0], "low": colours[1]})))
    return found


def write_figure(pages: Pages, drawing: Drawing, siblings: dict[str, Drawing]) -> None:
    """The page of one figure; activation and its twin stand side by side."""
    twin = siblings.get({PRIMARY: TWIN, TWIN: PRIMARY}.get(drawing.figure, ""))
    title = f"{drawing.coverage['run_title']}: {inert(drawing.title)}" if drawing.kind == "heads" else f"{drawing.coverage['run_title']}: published counts"
    links = (("CSV", "csv"), ("SVG, light", "-light.svg"), ("SVG, dark", "-dark.svg"), ("PNG", "png"), ("Vega-Lite", "vl.json"))
    downloads = " · ".join(f"[{name}](../charts/{drawing.slug}{ending if ending.startswith('-') else '.' + ending})" for name, ending in links)
    run_title = str(drawing.coverage["run_title"].value)
    pages.write(
        drawing.page,
        "figure.md.j2",
        page={
            "title": f'<span data-generated>{title}</span>',
            "plain_title": yaml_text(f"{run_title}: {drawing.title}"),
            "description": yaml_text(drawing.description),
        },
        kind=drawing.kind,
        reading=drawing.reading,
        coverage=drawing.coverage,
        cells=drawing.cells,
        ranges=drawing.ranges,
        bands=drawing.bands,
        words={name: inert(text) for name, text in drawing.words.items()},
        chart=pages.chart(drawing, "../../"),
        twin_chart=pages.chart(twin, "../../", f'The twin: <a href="../{twin.slug}/">{inert(twin.title)}</a>') if twin else "",
        notice=None,
        downloads=downloads + " · [the whole file](../data/headcount.duckdb)",
    )


def yaml_text(text: str) -> str:
    """Text for a double-quoted YAML value: nothing in it can end the value."""
    return "".join(letter for letter in text.replace("\\", "/").replace('"', "'") if letter.isprintable())


def write_overview(pages: Pages, drawings: list[Drawing]) -> None:
    """The page of all figures, run by run, two charts to a row."""
    runs: dict[str, dict[str, Any]] = {}
    for drawing in drawings:
        run = runs.setdefault(drawing.run_id, {"title": drawing.coverage["run_title"], "badge": badge(drawing), "charts": []})
        caption = f'<a href="{drawing.slug}/">{inert(drawing.title if drawing.kind == "heads" else "Published counts")}</a>: <span data-generated>'
        run["charts"].append(pages.chart(drawing, "../", f"{caption}{drawing.reading.lead if drawing.reading else 'No data.'}</span>"))
    for run in runs.values():
        run["pairs"] = [run["charts"][first : first + 2] for first in range(0, len(run["charts"]), 2)]
    pages.write("figures.md", "figures.md.j2", runs=list(runs.values()))


def badge(drawing: Drawing) -> str:
    """What stands under a run's name."""
    coverage = drawing.coverage
    if coverage["kind"].value == "measured":
        return f"{coverage['model_heads']} heads, {coverage['scored_tokens']} tokens of {coverage['corpus']}, {coverage['dtype']} on {coverage['hardware']}."
    return f"Imported: {coverage['source']}."


def write_home(pages: Pages, drawings: list[Drawing]) -> None:
    """The home page: the primary figure of the first measured run, and the published reference figure."""
    primary = next((drawing for drawing in drawings if drawing.figure == PRIMARY and drawing.reading), None)
    reference = next((drawing for drawing in drawings if drawing.kind == "published" and drawing.reading), None)
    worked = pages.ledger.ask("worked_token", run_id=primary.run_id, figure=PRIMARY) if primary else []
    line = f"from band_counts where figure = '{PRIMARY}'" if primary else "from band_counts"
    pages.write(
        "index.md",
        "home.md.j2",
        description="A census of a language model's attention heads.",
        run=pages.ledger.one("run_summary", run_id=primary.run_id) if primary else None,
        reading=primary.reading if primary else None,
        observations=primary.reading.observations[:HOME_OBSERVATIONS] if primary and primary.reading else (),
        chart=pages.chart(primary, "") if primary else "",
        figure_page=primary.page if primary else "",
        loudest=worked[0] if worked else None,
        quietest=worked[-1] if worked else None,
        reference={
            "chart": pages.chart(reference, ""),
            "reading": reference.reading,
            "title": reference.coverage["run_title"],
            "page": reference.page,
        }
        if reference
        else None,
        query_line=f'duckdb headcount.duckdb "{line}"',
        query_output=output_of(pages.ledger.connection, line),
        flagship=any(drawing.run_id == "GPT-2 xl" for drawing in drawings),
    )


def output_of(connection: duckdb.DuckDBPyConnection, line: str) -> str:
    """What DuckDB prints for a query."""
    return str(connection.sql(line)).rstrip().replace("```", "'''")


def write_data(pages: Pages) -> None:
    """The data page: how to query, the runs, and the schema from the file's own comments."""
    connection = pages.ledger.connection
    runs = [run_id for (run_id,) in connection.execute("select run_id from run order by kind desc, run_id").fetchall()]
    line = "select layer, head, round(activation_pct, 1) as activation_pct from head_activation order by layer, head limit 5"
    pages.write(
        "data.md",
        "data.md.j2",
        oldest_client=OLDEST_CLIENT,
        python_example="\n".join(f"    {row}" for row in EXAMPLE.read_text(encoding="utf-8").splitlines()),
        head_line=f'duckdb headcount.duckdb "{line}"',
        head_output=output_of(connection, line),
        runs=[pages.ledger.one("run_summary", run_id=run_id) for run_id in runs],
        tables=schema(connection),
    )


def schema(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Views first, then tables, with the comments of the published file."""
    kinds = connection.execute(
        "select view_name, comment, 0 from duckdb_views() where not internal and database_name <> 'temp' union all "
        "select table_name, comment, 1 from duckdb_tables() where not internal and database_name <> 'temp' order by 3, 1"
    ).fetchall()
    columns = connection.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns() where not internal and database_name <> 'temp' order by column_index"
    ).fetchall()
    return [
        {
            "name": name,
            "comment": inert(comment or ""),
            "columns": [
                {"name": column, "type": kind.lower(), "comment": inert(text or "")} for table, column, kind, text in columns if table == name
            ],
        }
        for name, comment, _ in kinds
    ]


def render(stage: Path, fresh: Path, seconds: str, drawings: list[Drawing]) -> None:
    """Run MkDocs, strictly, from the staged documents into the fresh site.

    Raises:
        EnvironmentRefusal: MkDocs refuses a page.
    """
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    figure_pages = [{yaml_text(f"{drawing.coverage['run_title'].value}: {drawing.title}"): drawing.page} for drawing in drawings]
    navigation = [{"Figures": ["figures.md", *figure_pages]} if "Figures" in entry else entry for entry in settings["nav"]]
    before = os.environ.get("SOURCE_DATE_EPOCH")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    os.environ["SOURCE_DATE_EPOCH"] = seconds
    try:
        config = load_config(str(ROOT / "mkdocs.yml"), docs_dir=str(stage / "docs"), site_dir=str(fresh), nav=navigation, strict=True)
        mkdocs_build(config)
    except MkDocsException as error:
        raise EnvironmentRefusal(f"MkDocs refused the pages: {error}", "mkdocs build --strict", "correct the page it names above") from error
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before


def write_summary(path: Path, drawings: list[Drawing]) -> None:
    """llms.txt: one line per figure, the same text as on its page."""
    lines = ["# Headcount", "", "> A census of a language model's attention heads.", "", "## Figures", ""]
    for drawing in drawings:
        lines.append(f"- [{drawing.coverage['run_title'].value}: {drawing.title}]({drawing.page.removesuffix('.md')}/): {drawing.description}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


__all__ = ["Built", "Fact", "build"]
