"""What facts.json seals: the content of every table, the definition of every view, and the bytes of every file of the site."""

import contextlib
import filecmp
import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb

from report import database
from report.errors import DatabaseRefusal

DOWNLOAD = "data/headcount.duckdb"
CHECKSUMS = "SHA256SUMS"


def read_ledger(site: Path) -> dict[str, Any]:
    """The site's facts.json.

    Raises:
        DatabaseRefusal: there is none, or it is none that this version wrote.
    """
    path = site / "facts.json"
    try:
        ledger: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatabaseRefusal("no readable facts.json", site.name, "give the folder that python -m report build wrote") from error
    if not isinstance(ledger, dict) or not {"tables", "files", "charts", "heads", "facts", "claims"} <= ledger.keys():
        raise DatabaseRefusal("facts.json of another version of Headcount", site.name, "build the site again from the counters")
    return ledger


def fingerprints(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Rows and content hash of every table, independent of row order, the hash of every view's definition, and one of all comments."""
    own = "where not internal and database_name <> 'temp'"
    found = {}
    for (name,) in connection.execute(f"select table_name from duckdb_tables() {own} order by table_name").fetchall():
        # The alias makes it the whole row: a table may have a column of its own name, as figure, head and shard do.
        rows, total = connection.execute(
            f"select count(*), sum(md5_number_lower(whole_row::varchar)::hugeint) from {name} as whole_row"
        ).fetchall()[0]
        found[name] = f"{rows}:{total or 0}"
    # A file that is opened and written again may put other brackets and spaces into its views.
    views = f"select view_name, md5(regexp_replace(sql, '[\\s()]', '', 'g')) from duckdb_views() {own} order by view_name"
    found |= {f"view {name}": digest for name, digest in connection.execute(views).fetchall()}
    # The data page prints them.
    comments = connection.execute(
        f"select table_name as thing, column_name, comment from duckdb_columns() {own} union all "
        f"select table_name, null, comment from duckdb_tables() {own} union all "
        f"select view_name, null, comment from duckdb_views() {own} order by all"
    ).fetchall()
    return found | {"comments": hashlib.sha256(json.dumps(comments).encode()).hexdigest()}


def manifest(site: Path) -> dict[str, str]:
    """SHA-256 of every file of a site but facts.json, which holds them, SHA256SUMS, which is written after it, and the database, which is
    compared table by table."""
    left_out = (site / "facts.json", site / CHECKSUMS, site / DOWNLOAD)
    files = (path for path in site.rglob("*") if path.is_file() and path not in left_out)
    return {path.relative_to(site).as_posix(): sha256(path) for path in files}


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def compare_files(found: dict[str, str], ledger: dict[str, Any]) -> list[str]:
    """Files that were changed, added or removed: pictures, specifications and downloads speak too. `found` is the site's manifest."""
    expected = ledger["files"]
    names = sorted(found.keys() | expected.keys())
    return [f"{name} is not the file that was built" for name in names if found.get(name) != expected.get(name)]


def compare_download(site: Path, tables: dict[str, str], published: Path) -> list[str]:
    """The downloadable database, where it is missing or says anything else than the published file, whose fingerprints are given."""
    with contextlib.suppress(OSError):
        # The same bytes, as after a build: to read all tables takes seconds.
        if filecmp.cmp(site / DOWNLOAD, published, shallow=False):
            return []
    changed = [f"{DOWNLOAD} is not the file that was built"]
    try:
        with database.read(site / DOWNLOAD) as connection:
            return [] if fingerprints(connection) == tables else changed
    except duckdb.Error:
        return changed


def compare_tables(found: dict[str, str], ledger: dict[str, Any]) -> list[str]:
    """Tables, views and comments that are not those the site was made from."""
    names = sorted(found.keys() | ledger["tables"].keys())
    return [f"{name} is not what the site was built from" for name in names if found.get(name) != ledger["tables"].get(name)]
