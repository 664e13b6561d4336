"""Downloads: Parquet, CSV and SQL files, against answers that are asked for again; the page that lists them, against the files.

What compares bytes and checksums alone is part of the seal: whoever changes a file and every checksum of it passes that."""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from report import queries
from report.check.page import Measured, Page
from report.check.recount import Answers, Place

LIST = "downloads/index.html"
FIRST_LINE = "-- To be run on headcount.duckdb, from DuckDB 1.4 on.\n"
SETTING = re.compile(r"set variable (\w+) = '((?:[^']|'')*)';\n")
# The one view with a row per shard.
NOT_OFFERED = {"shard_total"}
# What reading a damaged Parquet file raises: a column's name may be no UTF-8 any more.
UNREADABLE = (OSError, UnicodeDecodeError, pa.ArrowException)
UNITS = (("MB", 1_000_000), ("kB", 1_000))


def compare_downloads(site: Path, pages: Mapping[str, Page], answers: Answers) -> Iterator[str]:
    """What is wrong with the public tables, and with what pages say of files."""
    yield from compare_offered(site, answers)
    for page in pages.values():
        yield from (f"{page.name}: {text}" for seen in page.measured for text in compare_measured(site, seen))
    listed = {(seen.file, seen.measure) for seen in pages[LIST].measured} if LIST in pages else set()
    for name in files(site):
        wanted = ("bytes", "sha256", *(("rows",) if is_table(name) else ()))
        yield from (f"{LIST}: no {measure} of {name}" for measure in wanted if (name, measure) not in listed)


def files(site: Path) -> list[str]:
    """The files that the page of downloads must list."""
    found = [path for path in (site / "charts").rglob("*") if path.is_file()]
    found += [path for path in (site / "data").glob("*") if is_table(path.name)]
    return sorted(path.relative_to(site).as_posix() for path in found)


def is_table(name: str) -> bool:
    """True for the files that hold rows."""
    return name.endswith((".csv", ".parquet"))


def compare_offered(site: Path, answers: Answers) -> Iterator[str]:
    """The public tables as files, against the tables of the published file; every view has one."""
    own = "where not internal and database_name <> 'temp'"
    rows = answers.connection.execute(
        f"select view_name, 1 from duckdb_views() {own} union all select table_name, 0 from duckdb_tables() {own}"
    )
    known = {name: bool(is_view) for name, is_view in rows.fetchall()}
    offered = {path.stem for path in (site / "data").glob("*.parquet")}
    yield from (f"data/{name}.parquet is missing" for name in sorted({name for name in known if known[name]} - offered - NOT_OFFERED))
    for path in sorted((site / "data").glob("*.parquet")) + sorted((site / "data").glob("*.csv")):
        if path.stem not in known:
            yield f"data/{path.name} is no table of the published file"
            continue
        try:
            table = answers.table(path.stem, "")
        except duckdb.Error as error:
            yield f"{path.stem} cannot be asked for: {str(error).splitlines()[0]}"
            continue
        if path.suffix == ".parquet":
            yield from compare_parquet(path, table, f"data/{path.name}")
        elif cells(path) != written(path.stem, answers):
            yield f"data/{path.name} is not the table of the published file"


def compare_companions(site: Path, slug: str, place: Place, answers: Answers) -> Iterator[str]:
    """The Parquet and SQL files of a chart whose CSV is the answer at a place."""
    yield from compare_parquet(site / "charts" / f"{slug}.parquet", answers.table(*place), "the Parquet file")
    try:
        text = (site / "charts" / f"{slug}.sql").read_text(encoding="utf-8")
    except (OSError, ValueError):
        yield "the SQL file is missing or cannot be read"
        return
    settings = {name: value.replace("''", "'") for name, value in SETTING.findall(text)}
    asked = re.sub(r"getvariable\('(\w+)'\)", r"$\1", SETTING.sub("", text))
    if settings != json.loads(place[1]) or asked != f"{FIRST_LINE}{queries.question(place[0]).sql};\n":
        yield "the SQL file does not ask for its answer"


def compare_parquet(path: Path, table: pa.Table, name: str) -> Iterator[str]:
    """A Parquet file, against the rows and types it should have."""
    try:
        same = pq.read_table(path).equals(table)
    except UNREADABLE:
        yield f"{name} is missing or cannot be read"
        return
    if not same:
        yield f"{name} does not hold its answer"


def cells(path: Path) -> list[list[str]]:
    """The cells of a CSV file, its head first."""
    try:
        # As it stands: a token may be the line end of another system.
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))
    except (OSError, ValueError, csv.Error):
        return []


def written(name: str, answers: Answers) -> list[list[str]]:
    """The cells of a table of the file as a CSV reader gives them, its head first."""
    if name not in answers.cells:
        table = answers.table(name, "")
        columns = [[cell_of(value) for value in column.to_pylist()] for column in table.columns]
        answers.cells[name] = [[cell_of(column) for column in table.column_names], *map(list, zip(*columns, strict=True))]
    return answers.cells[name]


def cell_of(value: Any) -> str:
    """A value as a CSV reader gives it; text that a spreadsheet would take for a formula has an apostrophe."""
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def compare_measured(site: Path, seen: Measured) -> Iterator[str]:
    """What is wrong with a measure of a file where it stands; whether the file has these bytes says `compare_bytes`."""
    if not (site / seen.file).is_file() or seen.measure not in ("bytes", "rows", "sha256"):
        yield f"{seen.text} is no {seen.measure} of a file {seen.file}"
        return
    if seen.target != seen.file or (seen.label.startswith(("charts/", "data/")) and seen.label != seen.file):
        yield f"{seen.measure} of {seen.file} stands beside {seen.label}, which leads to {seen.target}"
    if seen.text != spelled(seen.measure, seen.value):
        yield f"{seen.measure} of {seen.file}: {seen.value} is not written {seen.text}"
    if seen.measure == "rows" and seen.value != str(rows_of(site / seen.file)):
        yield f"{seen.file} has not {seen.value} rows"


def compare_bytes(site: Path, pages: Mapping[str, Page], digests: Mapping[str, str]) -> Iterator[str]:
    """Sizes and checksums on pages that are not those of the files."""
    for page in pages.values():
        for seen in page.measured:
            if seen.measure == "bytes" and (site / seen.file).is_file() and seen.value != str((site / seen.file).stat().st_size):
                yield f"{page.name}: {seen.file} has not {seen.value} bytes"
            if seen.measure == "sha256" and seen.value != digests.get(seen.file):
                yield f"{page.name}: the checksum of {seen.file} is another"


def rows_of(path: Path) -> int:
    """Rows of a table; -1 where it cannot be read."""
    if path.suffix == ".csv":
        return len(cells(path)) - 1
    try:
        return int(pq.read_metadata(path).num_rows)
    except UNREADABLE:
        return -1


def spelled(measure: str, value: str) -> str:
    """How a measure of a file is written."""
    if measure == "sha256":
        return value[:12]
    if not value.isdecimal():
        return ""
    if measure == "rows":
        return format(int(value), ",")
    unit = next(((name, scale) for name, scale in UNITS if int(value) >= scale), None)
    return format(int(value) / unit[1], ",.1f") + f" {unit[0]}" if unit else f"{value} bytes"
