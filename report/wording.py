"""Sentences: what a page says of one figure and run, put together from facts and claims.

Every number, label and name with digits is a fact; every judging word is a claim. What is exceptional comes first, and at most five
observations are kept. The sentences are plain Python so that a type checker and a reader see them whole; pages put them in place."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from report.claims import Claim, claim
from report.facts import Fact, Ledger, inert

Row = dict[str, Fact]
# An observation with its importance: exceptions and absences above extremes, extremes above what is as one would expect.
Scored = tuple[float, str]
MOST_OBSERVATIONS = 5


@dataclass(frozen=True)
class Reading:
    """The generated text of one figure and run, as Markdown with facts and claims inside."""

    lead: str
    summary: str
    observations: tuple[str, ...]
    details: tuple[str, ...]
    interpretation: tuple[str, ...]


def most_notable(scored: list[Scored | None]) -> tuple[str, ...]:
    """The texts of the most important observations, most important first; equals keep their order."""
    found = [item for item in scored if item is not None]
    return tuple(text for _, text in sorted(found, key=lambda item: -item[0])[:MOST_OBSERVATIONS])


def counted(fact: Fact, noun: str) -> str:
    """A count with its noun, in the singular where it is one."""
    return f"{fact.word} {noun}{'' if fact.value == 1 else 's'}"


def listed(parts: list[str]) -> str:
    """Parts joined as English does: a, b and c."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


class Author(ABC):
    """Asks the questions of one figure and run once, and writes its sentences."""

    def __init__(self, ledger: Ledger, run_id: str, figure: str, words: dict[str, str]) -> None:
        keys = {"run_id": run_id, "figure": figure}
        self.ledger, self.keys, self.place = ledger, keys, f"{run_id}/{figure}"
        self.plain_words, self.words = words, {name: inert(word) for name, word in words.items()}
        self.coverage = ledger.one("coverage", **keys)
        self.cells = ledger.ask("band_counts", **keys)
        self.ranges = ledger.ask("range_totals", **keys)
        self.bands = ledger.ask("band_totals", **keys)
        self.focus = ledger.one("focus", **keys)
        self.trend = ledger.one("trend", **keys)

    @property
    def empty(self) -> bool:
        """True where the figure has no head to show."""
        return not self.coverage["heads"].value

    def claim(self, kind: str, place: str = "", **facts: Fact) -> Claim:
        """A claim about this figure and run."""
        return claim(self.ledger, kind, f"{self.place}{place}", self.plain_words, **facts)

    def leads(self) -> Scored:
        """Which ranges the band on the baseline leads."""
        focus = self.focus
        found = self.claim("leads", missed=focus["ranges_not_led"], tied=focus["ranges_tied"], ranges=focus["ranges"])
        rival = (
            f"{focus['rival_label']} holds {counted(focus['rival_heads'], 'head')}, the {self.words['high']} band {focus['own_heads'].word}"
        )
        match found.decision:
            case "all but one":
                return 3.0, f"**{focus['not_led_label']} {found.say()}**: there {rival}."
            case "some":
                return 3.0, f"**{found.say()}**: in {focus['ranges_not_led'].word} of {focus['ranges'].word} another band holds more heads."
            case "nowhere":
                return 2.1, f"**{found.say()}**: in {focus['not_led_label']}, for one, {rival}."
            case "tied":
                return 2.5, f"**{found.say()}**: in {focus['ranges_tied'].word} of {focus['ranges'].word} another holds as many heads."
        if focus["ranges_minor"].value == 1:
            return 2.5, f"**{found.say()}**, but in {focus['minor_label']} only by a plurality: there it is no majority."
        return 1.0, f"**{found.say()}.** No other band comes first anywhere."

    def only_once(self) -> Scored | None:
        """A middle band that one range alone shows."""
        single = [band for band in self.bands[1:-1] if band["ranges_met"].value == 1]
        if not single or self.one_range:
            return None
        band = single[0]
        found = f"layers {band['some_range_label']} hold its {counted(band['heads'], 'head')}"
        return 2.3, f"**{band['band_label']} is met in one range only**: {found}."

    @property
    def one_range(self) -> bool:
        """True where there is no second range to compare with."""
        return self.focus["ranges"].value == 1

    def read(self, twin: str | None) -> Reading | None:
        """All sentences, or None where the figure has no head to show; `twin` is a figure to compare with."""
        return None if self.empty else self.reading(twin)

    @abstractmethod
    def reading(self, twin: str | None) -> Reading:
        """All sentences of a figure that shows a head."""


def printed_sums(ranges: list[Row]) -> str | None:
    """Says that printed percentages do not sum to a hundred, where one bar's do not."""
    sums = [row["printed_sum"] for row in ranges if row["range_heads"].value]
    if all(fact.value == "100.0" for fact in sums):
        return None
    return f"The printed percentages of the bars sum to {listed([str(fact) for fact in sums])}: rounding."
