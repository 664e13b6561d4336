"""The page of downloads: every file of the data, with its size, rows, checksum and where its numbers come from."""

import shutil
from itertools import groupby
from pathlib import Path

from report.downloads import checksums, measures, package, tables
from report.downloads.measures import File
from report.pages import Pages

ROOT = Path(__file__).parents[2]
# Written after the pages, which link to them; of these no size is told.
LATE = ("data/headcount.duckdb", "facts.json", "llms.txt", checksums.NAME)
CITATION = "CITATION.cff"


def write(pages: Pages) -> None:
    """Write the public tables, datapackage.json and downloads.md; charts must have been drawn by then."""
    documents, connection = pages.documents, pages.ledger.connection
    tables.write(connection, documents / "data")
    package.write(connection, documents)
    shutil.copyfile(ROOT / CITATION, documents / CITATION)
    runs = connection.execute("select run_id from run order by kind desc, run_id").fetchall()
    pages.write(
        "downloads.md",
        "downloads.md.j2",
        checksums=checksums.NAME,
        compare=f"sha256sum -c {checksums.NAME}",
        licence=package.LICENCE["name"],
        runs=[pages.ledger.one("run_summary", run_id=run_id) for (run_id,) in runs],
        tables=[file for name in tables.names(connection) for file in both(documents, f"data/{name}")],
        charts=charts(documents),
        about=[measures.read(documents, name) for name in (CITATION, "datapackage.json")],
    )


def both(documents: Path, stem: str) -> list[File]:
    """A table's Parquet and, where there is one, its CSV."""
    return [measures.read(documents, f"{stem}{ending}") for ending in (".parquet", ".csv") if (documents / f"{stem}{ending}").is_file()]


def charts(documents: Path) -> dict[str, list[File]]:
    """The files of all charts by their folder, which is the run's."""
    paths = sorted(path.relative_to(documents).as_posix() for path in (documents / "charts").rglob("*.*"))
    grouped = groupby(paths, key=lambda path: path.rpartition("/")[0])
    return {folder: [measures.read(documents, path) for path in group] for folder, group in grouped}
