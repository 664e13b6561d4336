"""The published file: a fresh copy of the counters, the definitions and test results as rows, and the views that are the public API.

    counters.duckdb (read only) → copy → definitions.sql + rows → sql/views → headcount.duckdb

The copy is made beside its target and renamed at the end, so a reader never sees half a file. It is written in DuckDB's 1.0 storage format, which every
client since opens."""

import os
from itertools import pairwise
from pathlib import Path

import duckdb
from scipy.stats import t as student_t

from report import figures, queries, trends
from report.errors import DatabaseRefusal, UsageRefusal
from report.figures import Figure

SCHEMA_VERSION = 1
HERE = Path(__file__).parent


def open_counters(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a counters or published file read-only.

    Raises:
        DatabaseRefusal: no such file, not a DuckDB file, damaged, or written by a newer DuckDB or a newer Headcount.
    """
    if not path.is_file():
        raise DatabaseRefusal("no such file", path.name, "measure first with: make report, or python -m extract run runs/embedded.toml")
    with path.open("rb") as file:
        opening = file.read(16)
    if opening[8:12] != b"DUCK":
        kind = "looks like a Git LFS pointer" if opening.startswith(b"version https") else "its first bytes are not DuckDB's"
        raise DatabaseRefusal(f"not a DuckDB file: {kind}", path.name, "give the counters file that python -m extract run wrote")
    try:
        connection = duckdb.connect(str(path), read_only=True, config={"enable_external_access": False})
    except duckdb.Error as error:
        what = str(error).splitlines()[0]
        fix = "pip install -U duckdb" if "version number" in what else "restore the file from a backup, or measure again"
        raise DatabaseRefusal(f"DuckDB cannot open it: {what}", path.name, fix) from error
    tables = {name for (name,) in connection.execute("select table_name from duckdb_tables() where not internal").fetchall()}
    if not {"schema_version", "run", "shard", "shard_stat", "published_count"} <= tables:
        raise DatabaseRefusal("a DuckDB file without Headcount's tables", path.name, "give the counters file that python -m extract run wrote")
    (version,) = connection.execute("select max(version) from schema_version").fetchall()[0]
    if version != SCHEMA_VERSION:
        raise DatabaseRefusal(f"schema version {version}, this Headcount reads {SCHEMA_VERSION}", path.name, "install the matching Headcount")
    return connection


def publish(counters: Path, target: Path, folder: Path | None = None, allow_partial: bool = False) -> None:
    """Write `target` afresh from `counters`, with the figures of `folder` (default: the package's own).

    Raises:
        DatabaseRefusal: counters that cannot be read, or hold an unfinished run (unless `allow_partial`) or nothing at all.
        UsageRefusal: a figure file that cannot be followed, or a threshold that is not a stored edge.
    """
    open_counters(counters).close()
    shown = figures.load(folder) if folder else figures.load()
    temporary = target.with_name(f"{target.name}.tmp-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        copy_counters(counters, temporary)
        with duckdb.connect(str(temporary)) as connection:
            refuse_unfinished(connection, counters, allow_partial)
            add_definitions(connection, shown)
            add_tests(connection)
            connection.execute("checkpoint")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        for leftover in (temporary, temporary.with_name(temporary.name + ".wal")):
            leftover.unlink(missing_ok=True)


def copy_counters(counters: Path, target: Path) -> None:
    """Copy every table of the counters, with its comments, into a new file in the 1.0 storage format."""
    with duckdb.connect() as connection:
        connection.execute(f"attach {quoted(counters)} as counters (read_only)")
        connection.execute(f"attach {quoted(target)} as published (storage_version 'v1.0.0')")
        connection.execute("copy from database counters to published")
        connection.execute("detach published")


def quoted(path: Path) -> str:
    """A path as an SQL string literal: ATTACH takes no parameters."""
    return "'" + str(path).replace("'", "''") + "'"


def refuse_unfinished(connection: duckdb.DuckDBPyConnection, counters: Path, allow_partial: bool) -> None:
    """Refuse a file with nothing in it, or with a run that lacks shards unless that is allowed."""
    unfinished = connection.execute(
        "select run_id, count(shard.shard), any_value(run.shards) from run left join shard using (run_id) "
        "where kind = 'measured' group by run_id having count(shard.shard) < any_value(run.shards) order by run_id"
    ).fetchall()
    if unfinished and not allow_partial:
        run_id, done, asked = unfinished[0]
        raise DatabaseRefusal(
            f"run {run_id} is unfinished: {done} of {asked} shards", counters.name, "resume it with python -m extract run, or give --allow-partial"
        )
    if connection.execute("select count(*) from run").fetchall()[0][0] == 0:
        raise DatabaseRefusal("the file holds no run", counters.name, "measure first with python -m extract run runs/embedded.toml")


def add_definitions(connection: duckdb.DuckDBPyConnection, shown: tuple[Figure, ...]) -> None:
    """Create report's tables and fill them with the figures, bands and ranges of every run; then create the views."""
    connection.execute((HERE / "definitions.sql").read_text(encoding="utf-8"))
    measures = {name for (name,) in connection.execute("select id from measure").fetchall()}
    imported = imported_figures(connection, shown)
    for figure in (*shown, *imported):
        if figure.measure in measures:
            check_threshold(connection, figure)
            add_figure(connection, figure, "heads")
            for run_id, layers in runs_of(connection, figure):
                add_bands(connection, run_id, figure)
                add_ranges(connection, run_id, figure, layers)
    add_published_figures(connection, first_ordinal=1 + max((f.ordinal for f in (*shown, *imported)), default=0))
    shards = connection.execute("select distinct shards from run where shards > 1").fetchall()
    rows = [(count - 1, float(student_t.ppf(0.975, count - 1))) for (count,) in shards]
    partial = connection.execute("select distinct count(*) from shard group by run_id having count(*) > 1").fetchall()
    rows += [(count - 1, float(student_t.ppf(0.975, count - 1))) for (count,) in partial if (count,) not in shards]
    insert(connection, "student_t", rows)
    for view in queries.views():
        connection.execute(f"create view {view.id} as {view.sql}")
        connection.execute(f"comment on view {view.id} is '{view.question.replace(chr(39), chr(39) * 2)} {view.grain.capitalize()}.'")
    add_wide_view(connection)


def add_wide_view(connection: duckdb.DuckDBPyConnection) -> None:
    """View `heads`: one row per head and one column per measure in the file – the only view whose columns depend on the data."""
    names = [name for (name,) in connection.execute("select id from measure order by id").fetchall()]
    columns = "".join(f", max(mean) filter (measure = '{name.replace(chr(39), chr(39) * 2)}') as {identifier(name)}" for name in names)
    connection.execute(
        f"create view heads as select run_id, layer, head, kv_head{columns} from head left join head_measure using (run_id, layer, head) "
        "group by run_id, layer, head, kv_head"
    )
    connection.execute("comment on view heads is 'What does each head score on every measure? One row per (run_id, layer, head).'")


def identifier(name: str) -> str:
    """A name quoted as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


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
        words = {"high": "highest", "low": "lowest", "counts": f"the value of {title}, one per head, as published"}
        words["misreading"] = "Do not read an interval into a bar. The table gives one value per head and nothing about the text it came from."
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


def check_threshold(connection: duckdb.DuckDBPyConnection, figure: Figure) -> None:
    """Refuse a threshold that is not an edge of the histogram from which the figure's measure is computed, naming the two nearest."""
    if figure.threshold is None:
        return
    edges = connection.execute(
        "select distinct histogram_bin.low from histogram_bin join measure on measure.histogram_kind = kind where measure.id = $1 order by all", [figure.measure]
    ).fetchall()
    if not edges:
        raise UsageRefusal(f"measure {figure.measure} takes no threshold", f"figure {figure.id}", "remove the threshold")
    nearest = sorted((abs(low - figure.threshold), low) for (low,) in edges)[:2]
    if nearest[0][0] > 0:
        raise UsageRefusal(
            f"threshold {figure.threshold:g} is not a stored edge", f"figure {figure.id}", f"use {' or '.join(repr(low) for _, low in nearest)}"
        )


def add_figure(connection: duckdb.DuckDBPyConnection, figure: Figure, kind: str) -> None:
    """One row in table figure."""
    row = (figure.id, figure.ordinal, kind, figure.measure, figure.threshold, figure.threshold_half_mean_of, figure.selection, figure.title, figure.legend)
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
        insert(connection, "figure", [(name, first_ordinal + place, "published", None, None, None, name, title, "colour in the published figure")])
    connection.execute(
        "insert into band select distinct figure, figure, band_ordinal, band_colour, null::double, null::double, false, band_colour, band_ordinal "
        "from published_count order by all"
    )
    connection.execute(
        "insert into layer_range select distinct figure, figure, range_ordinal, range_label, first_layer, end_layer from published_count order by all"
    )


def add_tests(connection: duckdb.DuckDBPyConnection) -> None:
    """Rows in table test_result: the trend over layer ranges of every figure with two ranges or more."""
    for run_id, figure, kind in connection.execute(
        "select distinct layer_range.run_id, figure, figure.kind from layer_range join figure using (figure) where range_ordinal = 1 order by all"
    ).fetchall():
        results = published_trends(connection, figure) if kind == "published" else measured_trends(connection, run_id, figure)
        rows = [(run_id, figure, trend.test, band, trend.statistic, trend.value, trend.p, trend.draws, trend.seed) for band, trend in results]
        insert(connection, "test_result", rows)


def measured_trends(connection: duckdb.DuckDBPyConnection, run_id: str, figure: str) -> list[tuple[int | None, trends.Trend]]:
    """Permutation and shifts of whole layers; heads per (layer, band) come from view head_band."""
    keys = {"run_id": run_id, "figure": figure}
    table = connection.execute(queries.question("heads_per_layer").sql, keys).fetchnumpy()
    edges = connection.execute(
        "select first_layer, end_layer from layer_range where run_id = $run_id and figure = $figure order by range_ordinal", keys
    ).fetchall()
    layers = table["heads"].reshape(edges[-1][1], -1)
    bounds = (*(first for first, _ in edges), edges[-1][1])
    return [(None, trends.layer_permutation(layers, bounds)), (None, trends.circular_shift(layers, bounds))]


def published_trends(connection: duckdb.DuckDBPyConnection, figure: str) -> list[tuple[int | None, trends.Trend]]:
    """The exact trend test of every band's share."""
    rows = connection.execute(
        "select band_ordinal, list(heads order by range_ordinal), list(range_heads order by range_ordinal) from ("
        "select *, sum(heads) over (partition by range_ordinal)::bigint as range_heads from band_counts where figure = $1) "
        "group by band_ordinal order by band_ordinal",
        [figure],
    ).fetchall()
    return [(band, trends.cochran_armitage_exact(inside, totals)) for band, inside, totals in rows]


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[object, ...]]) -> None:
    """Insert a few rows of definitions."""
    if rows:
        connection.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows)
