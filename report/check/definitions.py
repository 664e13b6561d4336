"""What must hold inside the published file, whatever it counts: views as written here, labels that spell their edges, sums that add up."""

import re
from collections.abc import Iterator

import duckdb

from report import queries

# Each finds rows that cannot be.
IMPOSSIBLE = {
    "a band's label does not spell its edges": """
        select run_id, figure, label from band where low is not null
            and label <> printf('[%g, %g%s', low, high, if(closed_high, ']', ')'))""",
    "a band does not begin where the one below it ends": """
        select run_id, figure, label from band where low is not null
        window bands as (partition by run_id, figure order by band_ordinal)
        qualify low is distinct from coalesce(lag(high) over bands, low) or low >= high
            or closed_high <> (row_number() over bands = count(*) over (partition by run_id, figure))""",
    "two bands have one place in the stack": "select run_id, figure, stack_ordinal from band group by all having count(*) > 1",
    "a layer range's label does not spell its edges": """
        select run_id, figure, label from layer_range join figure using (figure) where figure.kind = 'heads'
            and label <> printf('[%d, %d)', first_layer, end_layer)""",
    "a layer range does not begin where the one above it ends": """
        select run_id, figure, label from layer_range
        window ranges as (partition by run_id, figure order by range_ordinal)
        qualify first_layer <> coalesce(lag(end_layer) over ranges, first_layer) or first_layer >= end_layer""",
    "the layer ranges of a run are not its layers": """
        select run_id, figure, layers from layer_range join run using (run_id) where layers is not null
        group by run_id, figure, layers having min(first_layer) <> 0 or max(end_layer) <> layers""",
    "a figure's threshold is no edge of its histogram": """
        select figure, threshold from figure join measure on measure.id = figure.measure
        where threshold is not null and threshold not in (select low from histogram_bin where kind = measure.histogram_kind)""",
    "a head's histogram does not add up to its scored tokens": """
        select run_id, shard, kind, layer, head from shard_histogram join shard using (run_id, shard)
        where kind in ('relative_norm', 'relative_deviation', 'residual_share')
        group by run_id, shard, kind, layer, head, scored_tokens having sum(n) <> scored_tokens""",
    "a sum is larger than its squares allow": """
        select run_id, shard, measure, layer, head from shard_stat where total * total > n * total_of_squares * (1 + 1e-6) + 1e-9""",
}
# An imported measure may have any name: both are quoted, as DuckDB does where it must.
WIDE_COLUMN = r"""max\(mean\) FILTER \(WHERE \(measure = '((?:[^']|'')*)'\)\) AS (?:"((?:[^"]|"")*)"|(\w+))"""


def compare_definitions(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Views that are not those of sql/views, and rows of the file that cannot be.

    Views must be compared before their answers take their names, see `Answers`.
    """
    yield from compare_views(connection)
    for what, query in IMPOSSIBLE.items():
        rows = connection.execute(f"from ({query}) order by all limit 1").fetchall()
        yield from (f"{what}: {', '.join(map(str, row))}" for row in rows)


def compare_views(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Views whose definition is not the one written here, as DuckDB reads it."""
    own = "select view_name, sql from duckdb_views() where not internal and database_name <> 'temp' order by view_name"
    found = {name: sql.partition(" AS ")[2] for name, sql in connection.execute(own).fetchall()}
    wanted = {view.id: view.sql for view in queries.views()}
    for name in sorted(wanted):
        if name not in found or as_read(connection, found[name]) != as_read(connection, wanted[name]):
            yield f"view {name} is not as report/sql/views has it"
    yield from (f"view {name} is none of report's" for name in sorted(found.keys() - wanted.keys() - {"heads"}))
    # The wide view depends on the file's measures, so no file holds it: each measure must stand in the column of its name.
    measures = [name for (name,) in connection.execute("select id from measure order by id").fetchall()]
    pairs = re.findall(WIDE_COLUMN, found.get("heads", ""))
    columns = [(name.replace("''", "'"), quoted.replace('""', '"') or plain) for name, quoted, plain in pairs]
    if sorted(columns) != [(name, name) for name in measures]:
        yield "view heads has not each measure in the column of its name"


def as_read(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """A query as DuckDB prints it, without brackets, and cross joins as commas: a definition that went through a file has other ones."""
    connection.execute(f"create temp view as_read as {sql}")
    (text,) = connection.execute("select sql from duckdb_views() where view_name = 'as_read'").fetchall()[0]
    connection.execute("drop view temp.as_read")
    return re.sub(r" ?, ?", ", ", " ".join(re.sub(r"[()]|CROSS JOIN", lambda found: " " if len(found[0]) == 1 else ",", text).split()))
