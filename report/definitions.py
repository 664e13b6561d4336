"""Definitions: what report adds to the counters as rows – figures, bands, layer ranges, and quantiles."""

import difflib
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import duckdb
from scipy.special import stdtrit

from report import figures
from report.errors import UsageRefusal
from report.figures import Figure


def add(connection: duckdb.DuckDBPyConnection, shown: tuple[Figure, ...]) -> None:
    """Create report's tables and fill them with the figures, bands and ranges of every run."""
    connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    known = [name for (name,) in connection.execute("select id from measure order by id").fetchall()]
    # The package's own figures may show what an older run has not measured; of somebody else's, such a measure is a mistake.
    own = {figure.measure for figure in figures.load()}
    imported = imported_figures(connection, shown)
    for figure in (*shown, *imported):
        if is_misspelt(figure.measure, known) or figure.measure not in (*known, *own):
            refuse_unknown(connection, figure.measure, f"figure {figure.id}")
        # A file that lacks the measure, such as one of imports alone, simply has no such figure.
        if runs := runs_of(connection, figure):
            check_figure(connection, figure)
            add_figure(connection, figure, "heads")
            for run_id, layers in runs:
                add_bands(connection, run_id, figure)
                add_ranges(connection, run_id, figure, layers)
    add_published_figures(connection, first_ordinal=1 + max((f.ordinal for f in (*shown, *imported)), default=0))
    # For intervals over shards, over a calibration's windows, and over half of those.
    most = "select max(n) from (select count(*) as n from shard group by run_id union all select windows from calibration)"
    (largest,) = connection.execute(most).fetchall()[0]
    rows = [(degrees, float(stdtrit(degrees, 0.975))) for degrees in range(1, largest or 1)]
    insert(connection, "student_t", rows)


def imported_figures(connection: duckdb.DuckDBPyConnection, shown: tuple[Figure, ...]) -> tuple[Figure, ...]:
    """One figure per imported table of heads, with the bands that came with it."""
    rows = connection.execute(
        "select run_id, measure, list(imported_band.low order by band_ordinal), max(imported_band.high), any_value(measure.title) "
        "from imported_band join measure on measure.id = imported_band.measure group by run_id, measure order by run_id, measure"
    ).fetchall()
    made = []
    taken = {figure.id for figure in shown}
    ordinal = max((figure.ordinal for figure in shown), default=0)
    for run_id, measure, lows, high, title in rows:
        ordinal += 1
        name = measure if measure not in taken else f"{measure} of {run_id}"
        taken.add(name)
        edges = (*lows, high)
        words = {"high": "highest", "low": "lowest", "counts": "the value that the table gives for each head"}
        words["misreading"] = (
            "Do not read an interval into a bar. The table gives one value per head and nothing about the text it came from."
        )
        made.append(Figure(name, ordinal, measure, title, title, edges, figures.colours_for(len(edges) - 1), words, selection=run_id))
    return tuple(made)


def runs_of(connection: duckdb.DuckDBPyConnection, figure: Figure) -> list[tuple[str, int]]:
    """Runs (with their number of layers) that have the figure's measure and are selected by it."""
    rows = connection.execute(
        "with measured as (select distinct run_id, measure from shard_stat union select distinct run_id, measure.id from shard_histogram "
        "join measure on measure.histogram_kind = shard_histogram.kind) "
        "select run_id, any_value(layers) from measured join run using (run_id) where measure = $measure group by run_id order by run_id",
        {"measure": figure.measure},
    ).fetchall()
    own = {run_id for (run_id,) in connection.execute("select run_id from imported_band where measure = $1", [figure.measure]).fetchall()}
    return [(run_id, layers) for run_id, layers in rows if figure.selects(run_id) and (run_id not in own or figure.selection == run_id)]


def check_figure(connection: duckdb.DuckDBPyConnection, figure: Figure) -> None:
    """Refuse a figure whose bands leave out values that its measure can take, or whose threshold does not fit the measure."""
    where = f"figure {figure.id}"
    low, high, histogram = connection.execute("select low, high, histogram_kind from measure where id = $1", [figure.measure]).fetchall()[0]
    if figure.band_edges[0] > low > -sys.float_info.max:
        raise UsageRefusal(f"bands leave a gap {low:g}..{figure.band_edges[0]:g}", where, f"begin the edges at {low:g}")
    if figure.band_edges[-1] < high < sys.float_info.max:
        raise UsageRefusal(f"bands leave a gap {figure.band_edges[-1]:g}..{high:g}", where, f"end the edges at {high:g}")
    given = figure.threshold is not None or figure.threshold_half_mean_of is not None
    if histogram is None and given:
        raise UsageRefusal(f"measure {figure.measure} takes no threshold", where, "remove the threshold")
    if histogram is not None and not given:
        raise UsageRefusal(f"measure {figure.measure} needs a threshold", where, "give threshold or threshold_half_mean_of")
    if figure.threshold_half_mean_of is not None:
        refuse_unknown(connection, figure.threshold_half_mean_of, where)
    if figure.threshold is not None:
        check_edge(connection, figure.threshold, histogram, where)


def check_edge(connection: duckdb.DuckDBPyConnection, threshold: float, histogram: str, where: str) -> None:
    """Refuse a threshold that is not an edge of the histogram, naming the two nearest."""
    edges = connection.execute("select low from histogram_bin where kind = $1 order by low", [histogram]).fetchall()
    nearest = sorted((abs(low - threshold), low) for (low,) in edges)[:2]
    if nearest[0][0] > 0:
        fix = f"use {' or '.join(repr(low) for _, low in nearest)}"
        raise UsageRefusal(f"threshold {threshold:g} is not a stored edge", where, fix)


def refuse_unknown(connection: duckdb.DuckDBPyConnection, measure: str, where: str) -> None:
    """Refuse a measure that the file has not, naming those with nearly its name."""
    known = [name for (name,) in connection.execute("select id from measure order by id").fetchall()]
    if measure not in known:
        near = difflib.get_close_matches(measure, known, cutoff=0.8)
        fix = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
        raise UsageRefusal(f"no measure {measure}", where, fix)


def is_misspelt(measure: str, known: list[str]) -> bool:
    """True for a measure that the file lacks and whose name nearly is that of one it has: a slip rather than an older file."""
    return measure not in known and bool(difflib.get_close_matches(measure, known, cutoff=0.8))


def add_figure(connection: duckdb.DuckDBPyConnection, figure: Figure, kind: str) -> None:
    """One row in table figure."""
    row = (
        figure.id,
        figure.ordinal,
        kind,
        figure.measure,
        figure.threshold,
        figure.threshold_half_mean_of,
        figure.selection,
        figure.title,
        figure.legend,
    )
    insert(connection, "figure", [row])


def add_bands(connection: duckdb.DuckDBPyConnection, run_id: str, figure: Figure) -> None:
    """Rows in table band: lowest band first; the highest stands on the baseline."""
    count = len(figure.colours)
    rows = []
    for ordinal, (low, high) in enumerate(pairwise(figure.band_edges)):
        last = ordinal == count - 1
        label = f"[{low:g}, {high:g}{']' if last else ')'}"
        rows.append((run_id, figure.id, ordinal, label, low, high, last, figure.colours[ordinal], count - 1 - ordinal))
    insert(connection, "band", rows)


def add_ranges(connection: duckdb.DuckDBPyConnection, run_id: str, figure: Figure, layers: int) -> None:
    """Rows in table layer_range."""
    edges = figure.edges_of_ranges(layers)
    insert(
        connection,
        "layer_range",
        [(run_id, figure.id, ordinal, f"[{first}, {end})", first, end) for ordinal, (first, end) in enumerate(pairwise(edges))],
    )


def add_published_figures(connection: duckdb.DuckDBPyConnection, first_ordinal: int) -> None:
    """Figures, bands and ranges of counts that somebody published: everything comes from the imported table."""
    rows = connection.execute("select figure, any_value(title) from published_count group by figure order by figure").fetchall()
    for place, (name, title) in enumerate(rows):
        insert(
            connection,
            "figure",
            [(name, first_ordinal + place, "published", None, None, None, name, title, "colour in the published figure")],
        )
    connection.execute(
        "insert into band select distinct figure, figure, band_ordinal, band_colour, null::double, null::double, false, band_colour, "
        "band_ordinal "
        "from published_count order by all"
    )
    connection.execute(
        "insert into layer_range select distinct figure, figure, range_ordinal, range_label, first_layer, end_layer from published_count "
        "order by all"
    )


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows whose values stand in the table's order of columns; column by column, which is many times faster than row by row."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(f"insert into {table} select {', '.join('unnest(?)' for _ in columns)}", columns)
