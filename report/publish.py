"""The published file: a fresh copy of the counters, the definitions and test results as rows, and the views that are the public API.

    counters.duckdb (read only) → copy → definitions.sql + rows → sql/views → headcount.duckdb

The copy is made beside its target and renamed at the end, so a reader never sees half a file. It is written in DuckDB's 1.0 storage format,
which every client since opens."""

import os
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from report import database, definitions, older, opening, queries, statistics, unfinished, unmeasured, visible
from report.database import identifier
from report.errors import DatabaseRefusal, EnvironmentRefusal, disk_full
from report.figures import Figure

SCHEMA_VERSION = 4
# DuckDB writes the name that a file is opened by beside every table in it: one that is ours, not the one that the user gives the file.
OPENED_AS = "headcount.duckdb"
# The tables of the counters, as in extract/schema.sql. Any other that a file has is an earlier report's, or somebody else's.
COUNTERS = (
    "schema_version", "run", "head", "measure", "shard", "quarantine", "shard_stat", "histogram_bin", "shard_histogram", "worked_token",
    "example_kind", "example", "example_token", "window_document", "published_count", "imported_band", "planted_score", "calibration",
    "intervention", "intervention_window", "intervention_kl", "calibration_head",
)  # fmt: skip
TABLES_THERE = "select table_name from duckdb_tables() where not internal and schema_name = 'main'"


def open_counters(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a counters or published file read-only.

    Raises:
        DatabaseRefusal: no such file, not a DuckDB file, damaged, or written by a newer DuckDB or a newer Headcount.
    """
    if not path.is_file():
        raise DatabaseRefusal("no such file", path.name, "measure first with: make report, or python -m extract run runs/embedded.toml")
    opening.refuse_foreign(path)
    with opening.told(path):
        connection = database.read(path)
        tables = {name for (name,) in connection.execute(TABLES_THERE).fetchall()}
        if not {"schema_version", "run", "shard", "shard_stat", "published_count"} <= tables:
            what = "a DuckDB file without Headcount's tables"
            raise DatabaseRefusal(what, path.name, "give the counters file that python -m extract run wrote")
        version = older.version_of(connection)
    if version > SCHEMA_VERSION:
        raise DatabaseRefusal(f"schema version {version}, newer than {SCHEMA_VERSION}", path.name, "update Headcount")
    if version in older.LACKING:
        older.stand_in(connection)
    elif version < SCHEMA_VERSION:
        what = f"schema version {version}, older than {SCHEMA_VERSION}"
        raise DatabaseRefusal(what, path.name, "install the Headcount that wrote it, or choose another file and measure again")
    there = {name for (name,) in connection.execute(TABLES_THERE).fetchall()}
    if missing := [table for table in COUNTERS if table not in there]:
        raise DatabaseRefusal(f"damaged: table {missing[0]} is missing", path.name, "restore the file from a backup, or measure again")
    return connection


def refuse_older(path: Path) -> None:
    """Refuse a published file of an older schema, whose site another version built: it can be built again from it."""
    with database.read(path) as connection:
        version = older.version_of(connection)
    if version < SCHEMA_VERSION:
        fix = f"build its site again: python -m report build {path.name}"
        raise DatabaseRefusal(f"schema version {version}, older than {SCHEMA_VERSION}", path.name, fix)


def publish(counters: Path, target: Path, shown: tuple[Figure, ...], allow_partial: bool = False) -> None:
    """Write `target` afresh from `counters`, with the figures that are to be shown.

    Raises:
        DatabaseRefusal: counters that cannot be read, or hold an unfinished run (unless `allow_partial`) or nothing at all.
        UsageRefusal: a figure file that cannot be followed, or a threshold that is not a stored edge.
    """
    open_counters(counters).close()
    with unfinished.beside(target) as folder, full_disk_told(target):
        temporary = folder / OPENED_AS
        copy_counters(counters, temporary)
        finish(temporary, counters, shown, allow_partial)
        temporary.replace(target)


@contextmanager
def full_disk_told(target: Path) -> Iterator[None]:
    """Turn what DuckDB says of a full disk into a refusal, also where it leaves the reason out, as of a failed checkpoint."""
    try:
        yield
    except duckdb.Error as error:
        if disk_full(error) is None and shutil.disk_usage(target.parent).free >= opening.BLOCK:
            raise
        fix = "free some space and run the same command again"
        raise EnvironmentRefusal("the disk is full; the last good site stands", target.name, fix) from error


def finish(temporary: Path, counters: Path, shown: tuple[Figure, ...], allow_partial: bool) -> None:
    """Add the definitions, test results and views to a copy of the counters, and wait until it is on the disk."""
    with database.write(temporary) as connection:
        refuse_unfinished(connection, counters, allow_partial)
        definitions.add(connection, shown)
        statistics.create(connection)
        add_views(connection)
        statistics.fill(connection)
        connection.execute("checkpoint")
    with temporary.open("rb") as file:
        os.fsync(file.fileno())


def copy_counters(counters: Path, target: Path) -> None:
    """Copy every table of the counters, with its comments, into a new file in the 1.0 storage format.

    A published file serves as well – it holds its counters – so what an earlier report added to it is left behind.
    """
    with database.in_memory(counters, target) as connection:
        with opening.told(counters):
            connection.execute(f"attach {literal(str(counters))} as counters (read_only)")
        connection.execute(f"attach {literal(str(target))} as published (storage_version 'v1.0.0')")
        source = "counters"
        # Of what else is in the file, nothing is handed on to readers, on whose machines a view or a macro would run.
        added = "select 1 from duckdb_tables() where database_name = 'counters' "
        added += "and not (schema_name = 'main' and list_contains($1, table_name))"
        added += " union all select 1 from duckdb_views() where database_name = 'counters' and not internal"
        added += " union all select 1 from duckdb_functions() where database_name = 'counters' and not internal"
        stripped = bool(connection.execute(added, [list(COUNTERS)]).fetchall())
        if stripped or unmeasured.stand_in(connection, source) or visible.hides(connection, source):
            source = strip(connection)
            unmeasured.leave_out(connection)
            visible.show(connection, source, counters.name)
        connection.execute(f"copy from database {source} to published")
        connection.execute("use published")
        older.complete(connection)
        connection.execute("use memory")
        connection.execute("detach published")


def strip(connection: duckdb.DuckDBPyConnection) -> str:
    """Copy the attached counters into memory and take out all that is none of theirs; gives the name of that database.

    Not in the new file itself: what is dropped or deleted there would stay in its bytes.
    """
    connection.execute("copy from database counters to memory")
    schemas = "select schema_name from duckdb_schemas() where database_name = 'memory' and not internal and schema_name <> 'main'"
    for (schema,) in connection.execute(schemas).fetchall():
        connection.execute(f"drop schema memory.{identifier(schema)} cascade")
    for kind in ("view", "table"):
        names = connection.execute(f"select {kind}_name from duckdb_{kind}s() where database_name = 'memory' and not internal").fetchall()
        for (name,) in names:
            if kind == "view" or name not in COUNTERS:
                connection.execute(f"drop {kind} memory.{identifier(name)}")
    macros = "select distinct function_name, function_type from duckdb_functions() where database_name = 'memory' and not internal"
    for name, kind in connection.execute(macros).fetchall():
        connection.execute(f"drop macro {'table ' if kind == 'table_macro' else ''}memory.{identifier(name)}")
    return "memory"


def refuse_unfinished(connection: duckdb.DuckDBPyConnection, counters: Path, allow_partial: bool) -> None:
    """Refuse a file with nothing in it, or with a run that lacks shards unless that is allowed."""
    unfinished = connection.execute(
        "with had as (select run_id, shard from shard union select run_id, shard from quarantine) "
        "select run_id, count(had.shard), any_value(run.shards) from run left join had using (run_id) "
        "where kind = 'measured' group by run_id having count(had.shard) < any_value(run.shards) order by run_id"
    ).fetchall()
    if unfinished and not allow_partial:
        run_id, done, asked = unfinished[0]
        raise DatabaseRefusal(
            f"run {run_id} is unfinished: {done} of {asked} shards",
            counters.name,
            "resume it with python -m extract run, or give --allow-partial",
        )
    if connection.execute("select count(*) from run").fetchall()[0][0] == 0:
        raise DatabaseRefusal("the file holds no run", counters.name, "measure first with python -m extract run runs/embedded.toml")


def add_views(connection: duckdb.DuckDBPyConnection) -> None:
    """The public API: every view of sql/views with its comment, and the wide view `heads`, each column with its meaning."""
    for view in queries.views():
        connection.execute(f"create view {view.id} as {view.sql}")
        comment(connection, f"view {view.id}", f"{view.question[0].upper()}{view.question[1:]} {view.grain.capitalize()}.")
    measures = dict(connection.execute("select id, title || ', ' || unit || '.' from measure order by id").fetchall())
    columns = "".join(f", max(mean) filter (measure = {literal(name)}) as {identifier(name)}" for name in measures)
    connection.execute(
        f"create view heads as select run_id, layer, head, kv_head{columns}, any_value(rise_millinats) as effect_millinats from head "
        "left join head_measure using (run_id, layer, head) left join "
        "(select run_id, layer, head, rise_millinats from head_effect where kind = 'attribution') using (run_id, layer, head) "
        "group by run_id, layer, head, kv_head"
    )
    comment(connection, "view heads", "What does each head score on every measure? One row per (run_id, layer, head).")
    described = connection.execute("select table_name, column_name, comment from duckdb_columns() where comment is not null").fetchall()
    own = tomllib.loads((queries.SQL / "views" / "columns.toml").read_text(encoding="utf-8"))
    anywhere = {column: meaning for _, column, meaning in described} | own
    # A column of the same name may mean something else in another table: those that the view reads come first, in their order.
    near = {
        (view.id, column): meaning
        for view in queries.views()
        for read in reversed(view.reads)
        for table, column, meaning in described
        if table == read
    }
    missing = connection.execute("select table_name, column_name from duckdb_columns() where comment is null and not internal").fetchall()
    for view_name, column in missing:
        meaning = measures[column] if view_name == "heads" and column in measures else own.get(column)
        # A column that somebody added to a table of counters may have none.
        if meaning := meaning or near.get((view_name, column)) or anywhere.get(column):
            comment(connection, f"column {view_name}.{identifier(column)}", meaning)


def comment(connection: duckdb.DuckDBPyConnection, thing: str, text: str) -> None:
    """Attach a comment: COMMENT takes no parameters."""
    connection.execute(f"comment on {thing} is {literal(text)}")


def literal(text: str) -> str:
    """Text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
