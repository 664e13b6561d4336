"""The page of agreement: what others published, what is ours, and the difference – or what would have to be measured."""

from dataclasses import dataclass

from report.claims import Claim, claim
from report.facts import Ledger
from report.pages import Pages
from report.wording import Row


@dataclass(frozen=True)
class Entry:
    """One published list: what is told of it, its rows, ours beside theirs, and how far they lie apart."""

    told: Row
    gap: Claim
    rows: list[Row]


def write(pages: Pages) -> None:
    """Write agreement.md."""
    ledger = pages.ledger
    summary = ledger.one("agreement_summary")
    pages.write(
        "agreement.md",
        "agreement.md.j2",
        summary=summary,
        one_measured=summary["measured_lists"].value == 1,
        found=claim(ledger, "published_lists", "agreement", {}, lists=summary["lists"], measured=summary["measured_lists"]),
        lists=entries(ledger),
        tables=ledger.ask("agreement_tables"),
        counts=ledger.ask("agreement_counts"),
    )


def entries(ledger: Ledger) -> list[Entry]:
    """Every published list with its values."""
    values: dict[object, list[Row]] = {}
    for row in ledger.ask("agreement_values"):
        values.setdefault(row["list"].value, []).append(row)
    return [
        Entry(
            row,
            claim(
                ledger, "published_gap", f"agreement/{row['list'].value}", {}, gap=row["gap"], measured=row["measured"], unit=row["unit"]
            ),
            values[row["list"].value],
        )
        for row in ledger.ask("agreement_lists")
    ]
