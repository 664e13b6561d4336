"""Sizes, row counts and checksums of files, as cells that say which file they were taken from; `report check` takes them again."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from report.facts import inert

SHORT = 12


@dataclass(frozen=True)
class File:
    """A file of the site: its address from the root, and its measures as HTML; `rows` is empty where it has none."""

    path: str
    label: str
    bytes: str
    checksum: str = ""
    rows: str = ""


def read(root: Path, path: str, label: str = "") -> File:
    """All measures of a file; `root` is the root of the documents or of the site."""
    content = (root / path).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    counted = rows_of(root / path)
    return File(
        path,
        label or path,
        cell(path, "bytes", len(content), size(len(content))),
        cell(path, "sha256", digest, digest[:SHORT]),
        "" if counted is None else cell(path, "rows", counted, f"{counted:,}"),
    )


def sized(root: Path, path: str, label: str) -> File:
    """A file's size alone, for the line under a chart."""
    count = (root / path).stat().st_size
    return File(path, label, cell(path, "bytes", count, size(count)))


def rows_of(path: Path) -> int | None:
    """Rows of a table; None where the file holds none. A CSV has those of the Parquet file beside it: both are one answer."""
    if path.suffix not in (".csv", ".parquet"):
        return None
    beside = path.with_name(path.name.removesuffix(path.suffix) + ".parquet")
    return int(pq.read_metadata(beside).num_rows) if beside.is_file() else 0


def cell(path: str, measure: str, value: int | str, text: str) -> str:
    """A measure as HTML."""
    return f'<data value="{value}" data-file="{inert(path, keep="_/")}" data-measure="{measure}">{inert(text)}</data>'


def size(count: int) -> str:
    """Bytes in the unit that suits them."""
    if count < 1_000:
        return f"{count} bytes"
    return f"{count / 1e3:,.1f} kB" if count < 1_000_000 else f"{count / 1e6:,.1f} MB"
