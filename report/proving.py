"""The page of the proving ground: what each detector gives heads whose nature is known."""

from report.facts import Fact, Ledger
from report.pages import Pages

Row = dict[str, Fact]

# What the detectors look for, in the page's words.
LOOKS_FOR = {
    "previous_token_mass": "The token before",
    "self_mass": "The token itself",
    "duplicate_token_mass": "Earlier copies of the token",
    "induction_mass": "What followed earlier copies of the token",
    "sink_mass": "The first position",
}


def write(pages: Pages) -> None:
    """Write the page; where the file has no planted heads, one that says how they get there."""
    rows = pages.ledger.ask("proving")
    pages.write(
        "proving.md",
        "proving.md.j2",
        tables=tables(rows),
        scores={(str(row["detector"].value), str(row["planted_as"].value)): row for row in rows},
        made=made(pages.ledger) if rows else None,
    )


def made(ledger: Ledger) -> Row:
    """What the scores were made from."""
    return ledger.one("proving_made")


def tables(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    """One table per detector: what it looks for, and its rows, the head planted for it first."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row["detector"].value), []).append(row)
    return [(LOOKS_FOR[detector], scored) for detector, scored in found.items()]
