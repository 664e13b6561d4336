"""The SQL console: a page on which a reader queries the published file in the browser. Built only when it is asked for (`--console`).

The page is our script, styles and example queries; the engine, DuckDB-Wasm, is files that are not ours (see `console_files`). Nothing of
either is part of a site without a console, and on a site with one nothing of it is loaded on another page."""

import shutil
from pathlib import Path
from typing import Any

from report import console_files, queries
from report.facts import inert
from report.pages import Pages
from report.site_pages import schema

PAGE = "console.md"
TITLE = "SQL console"
GROUP = "Data"
SCRIPTS = Path(__file__).parent / "assets" / "console"
EXAMPLES = Path(__file__).parent / "sql" / "console"


def examples() -> list[queries.Query]:
    """The example queries, in the order of their files' names."""
    return [queries.read(path) for path in sorted(EXAMPLES.glob("*.sql"))]


def typed(query: queries.Query) -> str:
    """An example as a reader would type it: without the lines of its header."""
    return "\n".join(line for line in query.sql.splitlines() if not line.startswith("-- "))


def write(pages: Pages, engine: Path) -> None:
    """Write the console's page, and put its scripts and the engine's files – those of the folder `engine` – beside the site's own."""
    assets = pages.documents / "assets"
    (assets / "duckdb").mkdir()
    for package in console_files.packages():
        for file in package.files:
            shutil.copyfile(engine / file.name, assets / "duckdb" / file.name)
    for script in sorted(SCRIPTS.glob("*.js")):
        shutil.copyfile(script, assets / script.name)
    with (assets / "headcount.css").open("a", encoding="utf-8") as styles:
        styles.write((SCRIPTS / "console.css").read_text(encoding="utf-8"))
    shown = [{"question": inert(query.question[0].upper() + query.question[1:]), "sql": typed(query)} for query in examples()]
    pages.write(PAGE, "console.md.j2", title=TITLE, examples=shown, tables=schema(pages.ledger.connection))


def in_navigation(navigation: list[dict[str, Any]], documents: Path) -> list[dict[str, Any]]:
    """The navigation with the console in the group of the data page, where the documents have one."""
    if not (documents / PAGE).exists():
        return navigation
    return [{title: with_console(place) if title == GROUP else place for title, place in entry.items()} for entry in navigation]


def with_console(place: Any) -> list[Any]:
    """A group with the console as its last page; a single page becomes a group."""
    return [*(place if isinstance(place, list) else [place]), {TITLE: PAGE}]
