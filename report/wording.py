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
        found = self.claim("leads", missed=focus["ranges_not_led"], ranges=focus["ranges"])
        match found.decision:
            case "all but one":
                rival = f"{focus['rival_label']} does, with {focus['rival_heads'].word} heads to {focus['own_heads'].word}"
                return 3.0, f"**{focus['not_led_label']} {found.say()}**: there {rival}."
            case "some":
                return 3.0, f"**{found.say()}**: in {focus['ranges_not_led'].word} of {focus['ranges'].word} another band holds more heads."
            case "nowhere":
                return (
                    2.1,
                    f"**{found.say()}**; in {focus['not_led_label']}, for one, "
                    f"{focus['rival_label']} holds {focus['rival_heads'].word} heads.",
                )
        if focus["ranges_minor"].value == 1:
            return 2.5, f"**{found.say()}**, but in {focus['minor_label']} only by a plurality: there it is no majority."
        return 1.0, f"**{found.say()}.** No other band comes first anywhere."

    def only_once(self) -> Scored | None:
        """A middle band that one range alone shows."""
        single = [band for band in self.bands[1:-1] if band["ranges_met"].value == 1]
        if not single or self.focus["ranges"].value == 1:
            return None
        band = single[0]
        count = f"{band['heads'].word} head{'' if band['heads'].value == 1 else 's'}"
        return 2.3, f"**{band['band_label']} is met in one range only**: layers {band['some_range_label']} hold its {count}."

    def read(self, twin: str | None) -> Reading | None:
        """All sentences, or None where the figure has no head to show; `twin` is a figure to compare with."""
        return None if self.empty else self.reading(twin)

    @abstractmethod
    def reading(self, twin: str | None) -> Reading:
        """All sentences of a figure that shows a head."""


class HeadsAuthor(Author):
    """The text of a figure whose heads were measured, or imported one by one: a census, with layers known."""

    def reading(self, twin: str | None) -> Reading:
        """All sentences; `twin` is the figure to compare with, where there is one."""
        trend = self.claim("trend", heads=self.trend["heads"], effect=self.trend["effect"], p=self.trend["p"], shift=self.trend["shift_p"])
        majority = self.claim("majority", base=self.focus["heads"], far=self.bands[-1]["heads"], all=self.coverage["heads"])
        joint = "" if trend.decision in ("none", "few") else ","
        scored = [
            self.base_band() or self.leads(),
            self.far_band(),
            self.extremes(),
            self.order(trend),
            self.steadiness(),
            self.only_once(),
        ]
        return Reading(
            f"{majority.say()}{joint} {trend.say()}.",
            self.summary(),
            most_notable(scored),
            tuple(text for text in (self.largest_step(), self.top_heads(), self.printed_sums()) if text),
            tuple(text for text in (self.meaning(trend), self.agreement(twin) if twin else None) if text),
        )

    def summary(self) -> str:
        """How many heads fall in the two end bands."""
        base, far, shown = self.bands[0], self.bands[-1], self.coverage["heads"]
        largest = self.coverage
        middle = largest["largest_label"].value not in (base["band_label"].value, far["band_label"].value)
        most = f" The largest band is {largest['largest_label']}, with {largest['largest_heads']}." if middle else ""
        return (
            f"Of {shown} heads, {base['heads']} ({base['pct']} %) fall in {base['band_label']}, the {self.words['high']} band; "
            f"{far['heads']} ({far['pct']} %) fall in {far['band_label']}, the {self.words['low']}.{most}"
        )

    def far_band(self) -> Scored:
        """The band at the far end of the stack, range by range."""
        far = self.bands[-1]
        found = self.claim("rarity", heads=far["heads"], all=self.coverage["heads"])
        if found.decision == "absent":
            return 2.6, f"**{found.say()}**, {far['band_label']}, at any depth."
        if found.decision == "single":
            return 2.6, f"**{found.say()}**, {far['band_label']}: it lies in layers {far['some_range_label']}."
        rows = self.ledger.ask("far_band", **self.keys)
        counts = listed([f"{row['heads'].word} in {row['range_label']}" for row in rows])
        if found.decision == "rare":
            return 2.4, f"**{found.say()}**: {counts} – {found.say(1)}."
        return 1.5, f"**{found.say()}** {counts}."

    def base_band(self) -> Scored | None:
        """The band on the baseline, where it is empty: then there is nothing to say of where it leads."""
        base = self.bands[0]
        found = self.claim("presence", heads=base["heads"])
        return (2.6, f"**{found.say()}**, {base['band_label']}, at any depth.") if found.decision == "absent" else None

    def extremes(self) -> Scored | None:
        """Where the band on the baseline is widest and narrowest."""
        focus = self.focus
        if focus["ranges"].value == 1 or focus["widest_pct"].value == focus["narrowest_pct"].value:
            return None
        return 2.2, (
            f"**The {self.words['high']} band is widest in layers {focus['widest_label']} and narrowest in {focus['narrowest_label']}.** "
            f"In the one it holds {focus['widest_heads']} of {focus['widest_of']} heads ({focus['widest_pct']} %), "
            f"in the other {focus['narrowest_heads']} of {focus['narrowest_of']} ({focus['narrowest_pct']} %)."
        )

    def order(self, trend: Claim) -> Scored:
        """The test of a trend over layer ranges, in plain words first."""
        facts = self.trend
        if trend.decision == "few" or facts["p"].value is None:
            return 2.0, f"**{trend.say(1)}**: the figure shows {facts['heads'].word}."
        often = self.claim("unusual", p=facts["p"])
        shift = self.claim("unusual", "/shift", p=facts["shift_p"])
        shifting = "shifting them around in order"
        shifted = f"{shift.say(1)} {shifting}" if shift.decision == often.decision else f"{shifting} {shift.say()}"
        return 2.0, (
            f"**{trend.say(1)}.** Of two heads from different ranges, the deeper lies lower in {facts['lower_pair_pct']} % of pairs, "
            f"higher in {facts['higher_pair_pct']} %, level in {facts['level_pair_pct']} % (Somers' D {facts['effect']}). "
            f"Shuffling whole layers {often.say()}{self.chance(often, facts['p'])}; {shifted}{self.chance(shift, facts['shift_p'])}."
        )

    @staticmethod
    def chance(found: Claim, p: Fact) -> str:
        """A p-value in brackets; none where it is no evidence."""
        return "" if found.decision == "often" else f" (p {p})"

    def steadiness(self) -> Scored | None:
        """How many heads the sample of text could move across an edge."""
        coverage = self.coverage
        if coverage["shards"].value is None or not coverage["scored_tokens"].value:
            return None
        found = self.claim("steadiness", pct=coverage["crossing_pct"])
        crossing = f"{coverage['crossing_heads'].word} of {coverage['heads']} heads ({coverage['crossing_pct']} %)"
        score = {"loose": 2.7, "mostly steady": 1.8}.get(found.decision, 1.2)
        return score, f"**{found.say()}.** The {self.percent()} intervals of {crossing} cross an edge of their band."

    @staticmethod
    def percent() -> str:
        """The level of the intervals, in words: it is a choice of method, not a number from the data."""
        return "ninety-five per cent"

    def largest_step(self) -> str | None:
        """The largest difference between neighbouring ranges."""
        focus = self.focus
        if not focus["step_points"].value:
            return None
        way = "rise" if focus["step_sign"].value == 1 else "drop"
        return (
            f"Between neighbours, the largest step of the {self.words['high']} band is a {way} of {focus['step_points']} points, "
            f"from layers {focus['step_from_label']} to {focus['step_to_label']}."
        )

    def top_heads(self) -> str | None:
        """The heads that lie highest."""
        rows = self.ledger.ask("top_heads", **self.keys)
        if not rows:
            return None
        top = rows[0]
        if int(str(top["tied"].value)) > 1:
            return f"{top['tied'].Word} heads reach {top['value']}, the highest value to two decimals."
        return "Highest of all lie " + listed([f"{row['head_label']} ({row['value']})" for row in rows]) + "."

    def printed_sums(self) -> str | None:
        """Which bars' printed percentages do not sum to a hundred."""
        return printed_sums(self.ranges)

    def meaning(self, trend: Claim) -> str:
        """What the trend does and does not say."""
        about = f"Over the {self.coverage['ranges'].word} layer ranges the bands {trend.say(2)}."
        return (
            about
            + " The test asks whether layers could trade places without anyone noticing; it says nothing of single heads, "
            + "and nothing of why."
        )

    def agreement(self, twin: str) -> str | None:
        """How many heads of the baseline band stand on the baseline of the twin figure too."""
        facts = self.ledger.one("agreement", run_id=self.keys["run_id"], figure=self.keys["figure"], other=twin)
        if not facts["heads"].value or facts["other_title"].value is None:
            return None
        found = self.claim("agreement", pct=facts["pct"])
        return (
            f"{found.say()}: of the {facts['heads'].word} heads in {facts['band_label']} here, {facts['shared_heads'].word} "
            f"({facts['pct']} %) stand on the baseline of *{facts['other_title']}* too."
        )


def printed_sums(ranges: list[Row]) -> str | None:
    """Says that printed percentages do not sum to a hundred, where one bar's do not."""
    sums = [row["printed_sum"] for row in ranges if row["range_heads"].value]
    if all(fact.value == "100.0" for fact in sums):
        return None
    return f"The printed percentages of the bars sum to {listed([str(fact) for fact in sums])}: rounding."
