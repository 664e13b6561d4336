"""The pages of the site: which there are, and what stands on each."""

import re
import shutil
from pathlib import Path
from typing import Any

import duckdb

from report import (
    charts,
    definitions,
    figure_controls,
    head_map,
    head_map_charts,
    heads_data,
    home,
    labels,
    price,
    proving,
    queries,
    sensitivity,
    theme,
    trust,
)
from report.comparisons import agreement
from report.comparisons import page as comparison_page
from report.comparisons.page import PairDrawing
from report.downloads import page as downloads_page
from report.facts import Ledger, inert, script_safe
from report.figures import Figure
from report.head_homes import homes
from report.pages import TWINS, Drawing, Pages, distinct_slugs

ROOT = Path(__file__).parents[1]
ASSETS = Path(__file__).parent / "assets"
EXAMPLE = ROOT / "docs" / "examples" / "query.py"
# The oldest DuckDB release that the tests open the published file with.
OLDEST_CLIENT = "1.4"
MISREADING = "Do not read a share of heads as a level of activity: a segment counts heads, and its colour is the published figure's own."


def compose(ledger: Ledger, documents: Path, shown: tuple[Figure, ...], console: bool = False) -> tuple[list[Drawing], list[PairDrawing]]:
    """Copy the hand-written pages into `documents` and write the generated ones beside them; gives the figures and pairs drawn.

    Where there will be a `console`, the home page and the data page link to it."""
    shutil.copytree(ROOT / "docs", documents)
    shutil.copyfile(ROOT / "CHANGELOG.md", documents / "changes.md")
    copy_assets(documents / "assets")
    (documents / "data").mkdir(exist_ok=True)
    # MkDocs checks links when it runs, so what is written after it must be there by then; the files themselves take its place at the end.
    for late in downloads_page.LATE:
        (documents / late).touch()
    pages = Pages(ledger, documents, console)
    wanted = in_order(ledger.connection, shown)
    folders = distinct_slugs(list(dict.fromkeys(run_id for run_id, *_ in wanted)))
    drawings = [pages.draw(run_id, figure, kind, words, folders[run_id]) for run_id, figure, kind, words in wanted]
    described = homes(ledger.connection)
    for drawing in drawings:
        pages.write_chart(drawing.chart)
        controls = figure_controls.controls_of(pages, drawing, described.get(drawing.run_id))
        write_figure(pages, drawing, {other.figure: other for other in drawings if other.run_id == drawing.run_id}, controls)
    write_overview(pages, drawings)
    pairs = comparison_page.write(pages, shown)
    home.write(pages, drawings, pairs)
    write_measures(pages)
    for page in (agreement, proving, price, labels):
        page.write(pages)
    write_data(pages)
    heads_data.write(ledger, documents)
    head_map.write(pages)
    downloads_page.write(pages)
    return drawings, pairs


def copy_assets(folder: Path) -> None:
    """Stylesheet – one, of all parts in order – and scripts: ours, the chart library, and the theme's colours for it."""
    folder.mkdir()
    for asset in ASSETS.glob("*.js"):
        shutil.copyfile(asset, folder / asset.name)
    parts = [part.read_text(encoding="utf-8") for part in sorted((ASSETS / "styles").glob("*.css"))]
    (folder / "headcount.css").write_text("\n".join(parts), encoding="utf-8")
    (folder / "vega-bundle.js").write_text(charts.script(), encoding="utf-8")
    (folder / "head-map-specs.js").write_text(head_map_charts.script(), encoding="utf-8")
    configs = script_safe({scheme: theme.vega_config(scheme) for scheme in ("light", "dark")})
    (folder / "headcount-theme.js").write_text(f"window.headcountConfigs = {configs};\n", encoding="utf-8")


def in_order(connection: duckdb.DuckDBPyConnection, shown: tuple[Figure, ...]) -> list[tuple[str, str, str, dict[str, str]]]:
    """Every figure of every run – run, figure, kind, and the words of its text – measured runs first, published counts last."""
    rows = connection.execute(
        "select distinct layer_range.run_id, figure.figure, figure.kind, run.kind, figure.ordinal from layer_range "
        "join figure using (figure) join run using (run_id) order by figure.kind, run.kind desc, layer_range.run_id, figure.ordinal"
    ).fetchall()
    known = {figure.id: figure.words for figure in (*shown, *definitions.imported_figures(connection, shown))}
    return [(run_id, figure, kind, known.get(figure) or colour_words(connection, run_id, figure)) for run_id, figure, kind, _, _ in rows]


def colour_words(connection: duckdb.DuckDBPyConnection, run_id: str, figure: str) -> dict[str, str]:
    """Words for published counts, whose bands are known by colour only."""
    ends = "select arg_min(label, stack_ordinal), arg_max(label, stack_ordinal) from band where run_id = $1 and figure = $2"
    base, far = connection.execute(ends, [run_id, figure]).fetchall()[0]
    return {"high": base, "low": far, "counts": "", "misreading": MISREADING}


def write_figure(pages: Pages, drawing: Drawing, siblings: dict[str, Drawing], controls: str) -> None:
    """The page of one figure; activation and its twin stand side by side."""
    twin = siblings.get(TWINS.get(drawing.figure, ""))
    caption = f'The twin: <a href="../{twin.slug.rpartition("/")[2]}/">{inert(twin.title)}</a>' if twin else ""
    title = "Published counts" if drawing.kind == "published" else str(drawing.coverage["figure_title"])
    keys = {"run_id": drawing.run_id, "figure": drawing.figure}
    sure = trust.read(pages.ledger, **keys) if drawing.reading else trust.NOTHING
    pages.write(
        drawing.page,
        "figure.md.j2",
        title=f"<span data-generated>{drawing.coverage['run_title']}: {title}</span>",
        base_name=drawing.bands[0]["band_label"].Word if drawing.kind == "published" else inert(drawing.words["high"].capitalize()),
        plain_title=inert(drawing.plain_title),
        description=inert(drawing.description),
        kind=drawing.kind,
        reading=drawing.reading,
        coverage=drawing.coverage,
        quarantined=pages.ledger.ask("quarantined", run_id=drawing.run_id),
        cells=drawing.cells,
        ranges=drawing.ranges,
        bands=drawing.bands,
        uneven=drawing.kind == "heads" and len({row["range_heads"].value for row in drawing.ranges}) > 1,
        one_range=len(drawing.ranges) == 1,
        words={name: inert(text) for name, text in drawing.words.items()},
        chart=pages.chart(drawing.chart, "../../../", controls=controls),
        twin_chart=pages.chart(twin.chart, "../../../", caption) if twin else "",
        trust=sure,
        sensitivity=sensitivity.charts_of(pages, drawing, sure),
        depth=pages.render("depth.html.j2"),
    )


def write_overview(pages: Pages, drawings: list[Drawing]) -> None:
    """The page of all figures, run by run, two charts to a row."""
    runs: dict[str, dict[str, Any]] = {}
    for drawing in drawings:
        run = runs.setdefault(drawing.run_id, {"title": drawing.coverage["run_title"], "badge": badge(drawing), "charts": []})
        lead = drawing.reading.lead if drawing.reading else "No data."
        caption = f'<a href="{drawing.slug}/">{inert(drawing.title)}</a>: <span data-generated>{lead}</span>'
        run["charts"].append(pages.chart(drawing.chart, "../", caption))
    for run in runs.values():
        run["pairs"] = [run["charts"][first : first + 2] for first in range(0, len(run["charts"]), 2)]
    pages.write("figures.md", "figures.md.j2", runs=list(runs.values()))


def badge(drawing: Drawing) -> str:
    """What stands under a run's name."""
    coverage = drawing.coverage
    if coverage["kind"].value == "measured":
        text = f"{coverage['scored_tokens']} tokens of {coverage['corpus']}"
        return f"{coverage['model_heads']} heads, {text}, {coverage['dtype']} on {coverage['hardware']}."
    return f"Imported: {coverage['source']}."


def write_measures(pages: Pages) -> None:
    """The page of measures. An imported one may have any name, its anchor not."""
    rows = pages.ledger.ask("measures")
    names = [str(row["id"].value) for row in rows]
    odd = distinct_slugs([name for name in names if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII)])
    pages.write("measures.md", "measures.md.j2", measures=rows, anchors={name: odd.get(name, name) for name in names})


def write_data(pages: Pages) -> None:
    """The data page: how to query, the runs, and the schema from the file's own comments."""
    connection = pages.ledger.connection
    runs = connection.execute("select run_id from run order by kind desc, run_id").fetchall()
    line = "select run_id, layer, head, round(activation_pct, 1) as activation_pct from head_activation order by all limit 5"
    pages.write(
        "data.md",
        "data.md.j2",
        oldest_client=OLDEST_CLIENT,
        python_example="\n".join(f"    {row}" for row in EXAMPLE.read_text(encoding="utf-8").splitlines()),
        head_line=f'duckdb headcount.duckdb "{line}"',
        head_output=queries.printed(connection, line),
        **busiest_head(connection),
        runs=[pages.ledger.one("run_summary", run_id=run_id) for (run_id,) in runs],
        quarantined={run_id: pages.ledger.ask("quarantined", run_id=run_id) for (run_id,) in runs},
        tables=schema(connection),
        console=pages.console,
    )


def busiest_head(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """A head that has examples, for the page's command: the one with the longest output of all; the first where there are none."""
    query = "select layer, head from example order by relative_norm desc, layer, head limit 1"
    layer, head = next(iter(connection.execute(query).fetchall()), (0, 0))
    return {"example_layer": layer, "example_head": head}


def schema(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Views first, then tables, with the comments of the published file."""
    own = "where not internal and database_name <> 'temp'"
    things = connection.execute(
        f"select view_name, coalesce(comment, ''), 0 from duckdb_views() {own} union all "
        f"select table_name, coalesce(comment, ''), 1 from duckdb_tables() {own} order by 3, 1"
    ).fetchall()
    columns: dict[str, list[dict[str, str]]] = {}
    for table, name, kind, comment in connection.execute(
        f"select table_name, column_name, data_type, coalesce(comment, '') from duckdb_columns() {own} order by table_name, column_index"
    ).fetchall():
        columns.setdefault(table, []).append({"name": inert(name), "type": kind.lower(), "comment": inert(comment)})
    return [{"name": name, "comment": inert(comment), "columns": columns[name], "view": place == 0} for name, comment, place in things]


def addresses(drawings: list[Drawing], pairs: list[PairDrawing]) -> list[str]:
    """The pages of figures and pairs in the order of the navigation."""
    return [*(drawing.page for drawing in drawings), *(pair.page for pair in pairs)]
