"""SQL as files: one question per file in sql/questions, one view per file in sql/views.

A file opens with `-- question:`, `-- grain: one row per (columns)` – or `one row` – and `-- reads:`; parameters are written `$name`. The
columns of the grain are the key by which a row is found again, so a fact names its row the same way in every build."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb

SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class Query:
    """One SQL file: its name, header and text."""

    id: str
    question: str
    grain: str
    key: tuple[str, ...]
    reads: tuple[str, ...]
    sql: str

    @property
    def sha256(self) -> str:
        """Hash of the text, by which a published fact says which query made it."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read(path: Path) -> Query:
    """One query from its file.

    Raises:
        ValueError: a header line is missing – a mistake in this repository, not in a user's input.
    """
    sql = path.read_text(encoding="utf-8")
    header = {name: text.strip() for name, text in re.findall(r"^-- (question|grain|reads):(.*)$", sql, re.MULTILINE)}
    if header.keys() != {"question", "grain", "reads"}:
        raise ValueError(f"{path.name} must open with -- question:, -- grain: and -- reads:")
    columns = re.search(r"\((.*)\)", header["grain"])
    key = tuple(name.strip() for name in columns.group(1).split(",")) if columns else ()
    return Query(
        path.stem, header["question"], header["grain"], key, tuple(name.strip() for name in header["reads"].split(",")), sql.rstrip("\n")
    )


@cache
def questions() -> dict[str, Query]:
    """All questions by name."""
    return {path.stem: read(path) for path in sorted((SQL / "questions").glob("*.sql"))}


def question(name: str) -> Query:
    """One question by name."""
    return questions()[name]


@cache
def views() -> tuple[Query, ...]:
    """All views, each after those it reads."""
    found = {path.stem: read(path) for path in sorted((SQL / "views").glob("*.sql"))}
    order = TopologicalSorter({name: sorted(set(view.reads) & found.keys()) for name, view in found.items()}).static_order()
    return tuple(found[name] for name in order)


@cache
def asked_views() -> tuple[str, ...]:
    """The views that some question reads, by itself or through another view, each after those it reads."""
    reads = {view.id: set(view.reads) for view in views()}
    wanted = {name for question in questions().values() for name in question.reads}
    while more := {name for view in wanted & reads.keys() for name in reads[view]} - wanted:
        wanted |= more
    return tuple(view.id for view in views() if view.id in wanted)


def printed(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """What DuckDB's command line prints for a query, safe in a fenced block."""
    return str(connection.sql(query)).rstrip().replace("```", "'''")
