"""datapackage.json: every table among the downloads as a resource of a Frictionless data package, with its columns' types and meanings.

https://datapackage.org: the two answers to one question (CSV and Parquet) are two resources with one schema."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from report import __version__
from report.downloads.answers import TABULAR

PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
MEDIA = {".csv": "text/csv", ".parquet": "application/vnd.apache.parquet"}
LICENCE = {"name": "Apache-2.0", "title": "Apache License 2.0", "path": "https://www.apache.org/licenses/LICENSE-2.0"}
# Tables that hold pieces of the measured text, which keeps its own licence.
WITH_TEXT = ("data/examples.csv", "data/examples.parquet", "data/headcount.duckdb")
APOSTROPHE = "A text that a spreadsheet would take for a formula has an apostrophe before it; the Parquet file has none."

Described = dict[str, Any]


def write(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Write datapackage.json over the tables that lie under `root` by now; no size or hash of the whole file, which no two builds share."""
    meanings = comments(connection)
    paths = sorted(path for folder in ("charts", "data") for path in (root / folder).rglob("*") if path.suffix in TABULAR)
    described = [resource(root, path.relative_to(root).as_posix(), meanings) for path in paths]
    whole = {"name": "headcount-duckdb", "path": "data/headcount.duckdb", "format": "duckdb", "mediatype": "application/vnd.duckdb"}
    licences = text_licences(connection)
    for entry in (*described, whole):
        if entry["path"] in WITH_TEXT and licences:
            entry["licenses"] = [LICENCE, *licences]
    package = {
        "$schema": PROFILE,
        "name": "headcount",
        "title": "Headcount",
        "description": "A census of a language model's attention heads.",
        "version": __version__,
        "licenses": [LICENCE],
        "sources": sources(connection),
        "resources": [whole, *described],
    }
    (root / "datapackage.json").write_text(json.dumps(package, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")


def resource(root: Path, path: str, meanings: dict[tuple[str, str], str]) -> Described:
    """One table as a resource."""
    file, suffix = root / path, Path(path).suffix
    schema = pq.read_schema(file.with_suffix(".parquet"))
    content = file.read_bytes()
    entry: Described = {
        "name": re.sub(r"[^-a-z0-9._]+", "-", path.lower()),
        "path": path,
        "format": suffix.removeprefix("."),
        "mediatype": MEDIA[suffix],
        "bytes": len(content),
        "hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "schema": {"fields": [field(column, file.stem, meanings) for column in schema]},
    }
    return entry | ({"encoding": "utf-8", "description": APOSTROPHE} if suffix == ".csv" else {})


def field(column: pa.Field, table: str, meanings: dict[tuple[str, str], str]) -> Described:
    """A column: its own comment, or that of the first table with a column of the same name; none for what a question computes."""
    own = meanings.get((table, column.name)) or meanings.get(("", column.name))
    return {"name": column.name, "type": type_of(column.type)} | ({"description": own} if own else {})


def type_of(kind: pa.DataType) -> str:
    """The type of a column in a table schema."""
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0):
        return "integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    return "date" if pa.types.is_date(kind) else "string"


def comments(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], str]:
    """The meaning of every column by table and name; under no table the first, in the order of the tables' names."""
    rows = connection.execute(
        "select table_name, column_name, comment from duckdb_columns() where not internal and database_name <> 'temp' "
        "and comment is not null order by all desc"
    ).fetchall()
    return {("", column): comment for _, column, comment in rows} | {(table, column): comment for table, column, comment in rows}


def text_licences(connection: duckdb.DuckDBPyConnection) -> list[Described]:
    """The licences of the measured texts, as the runs name them."""
    rows = connection.execute("select distinct corpus_licence from run where corpus_licence is not null order by all").fetchall()
    return [{"name": re.sub(r"[^-a-zA-Z0-9._]+", "-", licence).strip("-") or "other", "title": licence} for (licence,) in rows]


def sources(connection: duckdb.DuckDBPyConnection) -> list[Described]:
    """What was measured, and what was imported."""
    rows = connection.execute(
        "select distinct coalesce(source, concat_ws(': ', model, corpus)) as title from run where title <> '' order by all"
    ).fetchall()
    return [{"title": title} for (title,) in rows]
