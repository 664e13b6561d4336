"""The command `python -m report diff`: two runs of one file side by side, as text. Nothing is written but in a temporary folder."""

import difflib
import shutil
import tempfile
from pathlib import Path

import duckdb

from report import database as opened
from report import definitions, figures, older, publish, queries, statistics
from report.comparisons import differences, pairs, summary
from report.comparisons.pairs import Pair, Run
from report.errors import DatabaseRefusal, UsageRefusal
from report.facts import Ledger
from report.pages import PRIMARY


def diff(database: Path, run_a: str, run_b: str, figure: str | None = None) -> str:
    """The summary of how run_b differs from run_a; `figure` is shown head by head, the primary one where it is not given.

    Raises:
        DatabaseRefusal: a file that cannot be read, or two runs that cannot be compared, with every reason.
        UsageRefusal: an unknown run or figure, or one run given twice.
    """
    a, b, is_published = chosen(database, run_a, run_b)
    with tempfile.TemporaryDirectory(prefix="headcount-diff-") as folder:
        copy = Path(folder) / "diff.duckdb"
        if is_published:
            shutil.copyfile(database, copy)
        else:
            prepare(database, copy)
        with opened.write(copy) as connection:
            pair = compared(connection, a, b, database.name)
            if figure is not None:
                refuse_unknown([topic.figure for topic in pair.topics], figure, "figure", "--figure")
            shown = [topic.figure for topic in pair.topics]
            main = figure or (PRIMARY if PRIMARY in shown else shown[0])
            return summary.text(Ledger(connection), pair, main)


def chosen(database: Path, run_a: str, run_b: str) -> tuple[Run, Run, bool]:
    """The two runs, and whether the file was published by this version; refuses runs that cannot be compared before any work is done."""
    with publish.open_counters(database) as connection:
        view = next(view for view in queries.views() if view.id == "runs")
        # A published file has the view already; under a temporary one it does no harm.
        connection.execute(f"create temp view runs as {view.sql}")
        found = pairs.runs(connection)
        for name, where in ((run_a, "RUN_A"), (run_b, "RUN_B")):
            refuse_unknown(list(found), name, "run", where)
        tables = {name for (name,) in connection.execute("select table_name from duckdb_tables() where not internal").fetchall()}
        current = older.version_of(connection) == publish.SCHEMA_VERSION
    if run_a == run_b:
        raise UsageRefusal(f"run {run_a} is given twice", "RUN_B", "give another run of the file")
    a, b = found[run_a], found[run_b]
    if a.kind == "measured" and b.kind == "imported":
        fix = f"turn them round: {run_b} first"
        raise UsageRefusal(f"{run_b} is an imported table, which has no text of its own", "RUN_B", fix)
    if reasons := pairs.why_not(a, b):
        what = f"{run_a} and {run_b} cannot be compared head by head: {'; '.join(reasons)}"
        raise DatabaseRefusal(what, database.name, "give two runs of one shape and window")
    return a, b, current and tables >= {"figure", *statistics.TABLES}


def refuse_unknown(known: list[str], name: str, what: str, where: str) -> None:
    """Refuse a name that is not among the known ones, with the nearest of them."""
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        fix = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
        raise UsageRefusal(f"no {what} {name}", where, fix)


def prepare(counters: Path, copy: Path) -> None:
    """Publish counters as far as a comparison needs: definitions and views, without the statistics of single runs."""
    publish.copy_counters(counters, copy)
    with opened.write(copy) as connection:
        definitions.add(connection, figures.load())
        statistics.create(connection)
        publish.add_views(connection)


def compared(connection: duckdb.DuckDBPyConnection, a: Run, b: Run, where: str) -> Pair:
    """Compare two runs in every figure that both can show; the results replace what the file says of this pair.

    Raises:
        DatabaseRefusal: no figure's measure is in both.
    """
    pair = Pair(a, b, "asked", pairs.topics(connection, a, b))
    if not pair.topics:
        what = f"{a.run_id} and {b.run_id} have no figure's measure in common"
        raise DatabaseRefusal(what, where, "measure one of them again with the other's version of Headcount")
    for table in ("comparison", "head_difference"):
        connection.execute(f"delete from {table} where run_a = $1 and run_b = $2", [a.run_id, b.run_id])
    definitions.insert(connection, "comparison", differences.comparison_rows(connection, pair))
    definitions.insert(connection, "head_difference", differences.head_rows(connection, pair))
    return pair
