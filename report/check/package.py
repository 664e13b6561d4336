"""datapackage.json and SHA256SUMS: what they say of each file, against the file, its rows' types, and the comments of the database."""

import contextlib
import filecmp
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from report import __version__
from report.check.downloads import UNREADABLE, files, is_table
from report.check.ledger import CHECKSUMS, DOWNLOAD, sha256
from report.check.recount import Answers

# Arrow's names of types, and those of table schemas.
TYPES = {
    "bool": "boolean",
    "int32": "integer",
    "int64": "integer",
    "decimal128(38, 0)": "integer",
    "double": "number",
    "date32[day]": "date",
}
APOSTROPHE = "A text that a spreadsheet would take for a formula has an apostrophe before it; the Parquet file has none."
OWN_LICENCE = "Apache License 2.0"
MEDIA = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "duckdb": "application/vnd.duckdb"}


def compare_package(site: Path, answers: Answers) -> Iterator[str]:
    """What is wrong with the descriptions in datapackage.json."""
    resources = read_resources(site)
    named = Counter(str(resource.get("path")) for resource in resources)
    wanted = Counter([DOWNLOAD, *(name for name in files(site) if is_table(name))])
    yield from (f"datapackage.json: not one entry of {name}" for name in sorted((named - wanted) + (wanted - named)))
    yield from compare_head(site, answers)
    if len({resource.get("name") for resource in resources}) != len(resources):
        yield "datapackage.json: two entries of one name"
    meanings = comments(answers)
    for resource in resources:
        path = str(resource.get("path"))
        ending = path.rpartition(".")[2]
        if resource.get("format") != ending or resource.get("mediatype") != MEDIA.get(ending):
            yield f"datapackage.json: {path} is of another kind"
        if resource.get("description") != (APOSTROPHE if ending == "csv" else None):
            yield f"datapackage.json: {path} is described otherwise"
        if path != DOWNLOAD:
            yield from (f"datapackage.json: {path}: {text}" for text in compare_fields(site / path, resource, meanings))


def compare_head(site: Path, answers: Answers) -> Iterator[str]:
    """What datapackage.json says of all tables together."""
    own = {
        "name": "headcount",
        "title": "Headcount",
        "description": "A census of a language model's attention heads.",
        "version": __version__,
    }
    try:
        package = json.loads((site / "datapackage.json").read_text(encoding="utf-8"))
        told = {name: package.get(name) for name in own}
        licences = [entry["name"] for entry in package["licenses"]]
        sources = [entry["title"] for entry in package["sources"]]
        under = {resource["path"]: [entry["title"] for entry in resource.get("licenses", [])] for resource in package["resources"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        yield "datapackage.json is missing or cannot be read"
        return
    runs = answers.connection.execute("select source, model, corpus, corpus_licence from run").fetchall()
    known = sorted({source or ": ".join(part for part in (model, corpus) if part) for source, model, corpus, _ in runs})
    if told != own or licences != ["Apache-2.0"] or sorted(sources) != known:
        yield "datapackage.json: its title, version, sources or licences are others"
    # A piece of a measured text stands under the licence of that text; no other table holds one.
    texts = sorted({licence for *_, licence in runs if licence})
    for path, titles in under.items():
        holds_text = path == DOWNLOAD or path.startswith("data/examples.")
        if titles != ([OWN_LICENCE, *texts] if holds_text and texts else []):
            yield f"datapackage.json: {path} is under another licence"


def compare_fields(path: Path, resource: Mapping[str, Any], meanings: Mapping[str, set[tuple[str, str]]]) -> Iterator[str]:
    """The columns of a table, against those of its Parquet file; each meaning is that of a column of its name."""
    try:
        columns = [(field.name, TYPES.get(str(field.type), "string")) for field in pq.read_schema(path.with_suffix(".parquet"))]
    except UNREADABLE:
        return
    fields = resource.get("schema", {}).get("fields", [])
    if [(field.get("name"), field.get("type")) for field in fields] != columns:
        yield "its columns are others"
    for field in fields:
        known = meanings.get(str(field.get("name")), set())
        own = {text for table, text in known if table == path.stem} if path.parent.name == "data" else {text for _, text in known}
        if field.get("description", "") not in (own or {""}):
            yield f"column {field.get('name')} means something else"


def comments(answers: Answers) -> dict[str, set[tuple[str, str]]]:
    """The comments of the columns of each name, with their tables."""
    rows = answers.connection.execute(
        "select column_name, table_name, comment from duckdb_columns() "
        "where not internal and database_name <> 'temp' and comment is not null"
    ).fetchall()
    found: dict[str, set[tuple[str, str]]] = {}
    for column, table, comment in rows:
        found.setdefault(column, set()).add((table, comment))
    return found


def read_resources(site: Path) -> list[dict[str, Any]]:
    """The entries of datapackage.json; none where it cannot be read."""
    try:
        package = json.loads((site / "datapackage.json").read_text(encoding="utf-8"))
        return [resource for resource in package["resources"] if isinstance(resource, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def compare_checksums(site: Path, digests: Mapping[str, str]) -> Iterator[str]:
    """Sizes and checksums in datapackage.json and SHA256SUMS that are not those of the files, whose `digests` are known."""
    for resource in read_resources(site):
        path = str(resource.get("path"))
        if path in digests and (resource.get("bytes"), resource.get("hash")) != ((site / path).stat().st_size, f"sha256:{digests[path]}"):
            yield f"datapackage.json: the size or checksum of {path} is another"
    listed = read_checksums(site)
    expected = {**digests, "facts.json": sha256(site / "facts.json")}
    for name in sorted((listed.keys() | expected.keys()) - {DOWNLOAD}):
        if listed.get(name) != expected.get(name):
            yield f"{CHECKSUMS}: the checksum of {name} is another"
    if DOWNLOAD not in listed:
        yield f"{CHECKSUMS}: no checksum of {DOWNLOAD}"


def compare_download_checksum(site: Path, published: Path) -> list[str]:
    """The checksum of the whole file in SHA256SUMS, where that is the published one to the byte; another is compared by its tables."""
    with contextlib.suppress(OSError):
        if filecmp.cmp(site / DOWNLOAD, published, shallow=False) and read_checksums(site).get(DOWNLOAD) != sha256(published):
            return [f"{CHECKSUMS}: the checksum of {DOWNLOAD} is another"]
    return []


def read_checksums(site: Path) -> dict[str, str]:
    """Checksums by file, as SHA256SUMS has them; empty where it cannot be read."""
    try:
        lines = (site / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    return {name: digest for digest, name in re.findall(r"(?m)^([0-9a-f]{64})  (.+)$", "\n".join(lines))}
