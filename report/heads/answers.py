"""The answers behind the pages of one home: each question asked once, its rows sorted by head."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from report import queries
from report.facts import Ledger
from report.head_homes import Home, in_order
from report.heads.cells import Row

HOMES = "head_homes"
STANDING = "head_standing"
QUESTIONS = ("head_profile", "head_examples", STANDING, "head_histogram", "head_similar")
Place = tuple[int, int]


@dataclass
class HomeAnswers:
    """All that the pages of one home say: `rows[question, run_id][layer, head]`; `runs` are the home's run and the others on its pages."""

    home: Home
    runs: list[Row]
    rows: dict[tuple[str, str], dict[Place, list[Row]]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Title of the run whose heads these are."""
        return str(self.runs[0]["title"])

    @property
    def heads(self) -> list[Place]:
        """Its heads, by layer and head."""
        return list(self.rows["head_profile", self.home.run_id])

    def of(self, question: str, place: Place, run_id: str | None = None) -> list[Row]:
        """The rows of an answer for one head, of the home's own run where none is given."""
        return self.rows.get((question, run_id or self.home.run_id), {}).get(place, [])


def ask_all(ledger: Ledger) -> Iterator[HomeAnswers]:
    """The answers of every home, in the order of their addresses; what was asked is entered in the ledger.

    Raises:
        DatabaseRefusal: DuckDB cannot answer; the file is damaged or was changed by hand.
    """
    described = ledger.answer(queries.question(HOMES), {})
    for home in in_order(ledger.connection):
        runs = [row for row in described if row["home"] == home.run_id]
        answers = HomeAnswers(home, runs)
        asked = [(name, home.run_id) for name in QUESTIONS] + [(STANDING, str(run["run_id"])) for run in runs[1:]]
        for name, run_id in asked:
            answers.rows[name, run_id] = by_head(ledger.answer(queries.question(name), {"run_id": run_id}))
        ledger.heads[home.slug] = {
            "run": home.run_id,
            "questions": [
                {"question": name, "sha256": queries.question(name).sha256, "parameters": {"run_id": run_id}} for name, run_id in asked
            ],
        }
        yield answers


def by_head(rows: list[Row]) -> dict[Place, list[Row]]:
    """Rows by layer and head, each list in the order of the answer."""
    found: dict[Place, list[Row]] = {}
    for row in rows:
        found.setdefault((int(str(row["layer"])), int(str(row["head"]))), []).append(row)
    return found
