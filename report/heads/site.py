"""What the build asks of this package: documents before MkDocs runs, their place in the navigation, and the stamped pages after."""

from pathlib import Path

from report.facts import Ledger, inert
from report.heads import answers, stamping, table
from report.heads.answers import HomeAnswers
from report.pages import Pages


def write(ledger: Ledger, documents: Path) -> list[HomeAnswers]:
    """Ask all questions, and write each home's table page and shell.

    Raises:
        DatabaseRefusal: DuckDB cannot answer; the file is damaged or was changed by hand.
    """
    found = list(answers.ask_all(ledger))
    for one in found:
        table.write(Pages(ledger, documents), one)
        stamping.write_shell(one, documents)
    return found


def navigation(found: list[HomeAnswers]) -> list[dict[str, str]]:
    """The entries of group “Heads”: the theme prints titles as they are."""
    return [{inert(table.title_of(one)): table.document_of(one)} for one in found]


def stamp(found: list[HomeAnswers], site: Path) -> None:
    """The pages of all heads, and the rows of the tables, into a site that MkDocs has rendered."""
    for one in found:
        stamping.stamp(one, site)
        table.fill(one, site)
