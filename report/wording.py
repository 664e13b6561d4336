"""Sentences: what a page says of one figure and run, put together from facts and claims.

Every number, label and name with digits is a fact; every judging word is a claim. What is exceptional comes first, and at most five observations are
kept. The sentences are plain Python so that a type checker and a reader see them whole; pages put them in place."""

from dataclasses import dataclass

from report.claims import Claim, claim
from report.facts import Fact, Ledger

Row = dict[str, Fact]
MOST_OBSERVATIONS = 5


@dataclass(frozen=True)
class Reading:
    """The generated text of one figure and run, as Markdown with facts and claims inside."""

    lead: str
    summary: str
    observations: tuple[str, ...]
    details: tuple[str, ...]
    interpretation: tuple[str, ...]


def listed(parts: list[str]) -> str:
    """Parts joined as English does: a, b and c."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


class Author:
    """Asks the questions of one figure and run once, and writes its sentences."""

    def __init__(self, ledger: Ledger, run_id: str, figure: str, words: dict[str, str]) -> None:
        keys = {"run_id": run_id, "figure": figure}
        self.ledger, self.keys, self.words, self.place = ledger, keys, words, f"{run_id}/{figure}"
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
        return claim(self.ledger, kind, f"{self.place}{place}", self.words, **facts)

    def leads(self) -> str:
        """Which ranges the band on the baseline leads."""
        focus = self.focus
        found = self.claim("leads", missed=focus["ranges_not_led"], ranges=focus["ranges"])
        match found.decision:
            case "all but one":
                rival = f"{focus['rival_label']} does, {focus['rival_heads'].word} heads to {focus['own_heads'].word}"
                return f"**{focus['not_led_label']} {found.say()}:** there {rival}."
            case "some":
                return f"**{found.say()}**, in all but {focus['ranges_not_led'].word} of {focus['ranges'].word}."
            case "nowhere":
                return f"**{found.say()}**; in {focus['not_led_label']}, for one, {focus['rival_label']} holds {focus['rival_heads'].word} heads."
        if focus["ranges_minor"].value == 1:
            return f"**{found.say()}**, but only by a plurality in {focus['minor_label']}, where it is no majority."
        return f"**{found.say()}.** No other band comes first anywhere."

    def only_once(self) -> str | None:
        """A middle band that one range alone shows."""
        single = [band for band in self.bands[1:-1] if band["ranges_met"].value == 1]
        if not single or self.focus["ranges"].value == 1:
            return None
        band = single[0]
        count = f"{band['heads'].word} head{'' if band['heads'].value == 1 else 's'}"
        return f"**{band['band_label']} is met in one range only**: layers {band['some_range_label']} hold its {count}."


class HeadsAuthor(Author):
    """The text of a figure whose heads were measured, or imported one by one: a census, with layers known."""

    def reading(self, twin: str | None) -> Reading:
        """All sentences; `twin` is the figure to compare with, where there is one."""
        trend = self.claim("trend", **{name: self.trend[name] for name in ("heads", "effect", "p")})
        majority = self.claim("majority", base=self.focus["heads"], far=self.bands[-1]["heads"], all=self.coverage["heads"])
        joint = ", " if trend.decision != "none" and trend.decision != "few" else " "
        observations = [self.leads(), self.far_band(), self.extremes(), self.order(trend), self.steadiness(), self.only_once()]
        kept = tuple(text for text in observations if text)[:MOST_OBSERVATIONS]
        return Reading(
            f"{majority.say()}{joint}{trend.say()}.",
            self.summary(),
            kept,
            tuple(text for text in (self.largest_step(), self.top_heads(), self.printed_sums()) if text),
            tuple(text for text in (self.meaning(trend), self.agreement(twin) if twin else None) if text),
        )

    def summary(self) -> str:
        """How many heads fall in the two end bands."""
        base, far, shown = self.bands[0], self.bands[-1], self.coverage["heads"]
        return (
            f"Of {shown} heads, {base['heads']} ({base['pct']} %) fall in {base['band_label']}, the {self.words['high']} band; "
            f"{far['heads']} ({far['pct']} %) fall in {far['band_label']}, the {self.words['low']}."
        )

    def far_band(self) -> str:
        """The band at the far end of the stack, range by range."""
        far = self.bands[-1]
        found = self.claim("rarity", heads=far["heads"], all=self.coverage["heads"])
        if found.decision == "absent":
            return f"**{found.say()}**, {far['band_label']}, at any depth."
        rows = self.ledger.ask("far_band", **self.keys)
        if found.decision == "single":
            return f"**{found.say()}**, {far['band_label']}: it lies in layers {far['some_range_label']}."
        counts = listed([f"{row['heads'].word} in {row['range_label']}" for row in rows])
        return f"**{found.say()}.** Layer by layer range it holds {counts} – {found.say(1)}."

    def extremes(self) -> str | None:
        """Where the band on the baseline is widest and narrowest."""
        focus = self.focus
        if focus["ranges"].value == 1 or focus["widest_pct"].value == focus["narrowest_pct"].value:
            return None
        name = self.words["high"].capitalize()
        return (
            f"**The {self.words['high']} band is widest in layers {focus['widest_label']} and narrowest in {focus['narrowest_label']}.** "
            f"{name} are {focus['widest_heads']} of {focus['widest_of']} heads ({focus['widest_pct']} %) in the one, "
            f"{focus['narrowest_heads']} of {focus['narrowest_of']} ({focus['narrowest_pct']} %) in the other."
        )

    def order(self, trend: Claim) -> str:
        """The test of a trend over layer ranges, in plain words first."""
        facts = self.trend
        if trend.decision == "few" or facts["p"].value is None:
            return f"**{trend.say(1)}**: the figure shows {facts['heads'].word}."
        often = self.claim("unusual", p=facts["p"])
        shift = self.claim("unusual", "/shift", p=facts["shift_p"])
        statistic = f" (p {facts['p']})" if often.decision != "often" else ""
        shifted = f" (p {facts['shift_p']})" if shift.decision != "often" else ""
        return (
            f"**{trend.say(1)}.** Of two heads from different ranges the deeper one lies in the lower band in {facts['lower_pair_pct']} % of pairs, "
            f"in the higher in {facts['higher_pair_pct']} %, level in {facts['level_pair_pct']} % (Somers' D {facts['effect']}). "
            f"Shuffling whole layers {often.say()}{statistic}; turning the order of layers around, which keeps neighbours together, {shift.say()}{shifted}."
        )

    def steadiness(self) -> str | None:
        """How many heads the sample of text could move across an edge."""
        crossing = self.coverage["crossing_heads"]
        if self.coverage["shards"].value is None or not self.coverage["scored_tokens"].value:
            return None
        found = self.claim("steadiness", pct=self.coverage["crossing_pct"])
        return f"**{found.say()}.** The {self.percent()} interval of {crossing.word} heads ({self.coverage['crossing_pct']} %) crosses an edge of their band."

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
        return "Highest of all lie " + listed([f"{row['head_label']} ({row['value']})" for row in rows]) + "."

    def printed_sums(self) -> str | None:
        """Which bars' printed percentages do not sum to a hundred."""
        return printed_sums(self.ranges)

    def meaning(self, trend: Claim) -> str:
        """What the trend does and does not say."""
        about = f"Over the {self.coverage['ranges'].word} layer ranges the bands {trend.say(2)}."
        return about + " The test asks whether layers could trade places without anyone noticing; it says nothing of single heads, and nothing of why."

    def agreement(self, twin: str) -> str | None:
        """How many heads of the baseline band stand on the baseline of the twin figure too."""
        facts = self.ledger.one("agreement", run_id=self.keys["run_id"], figure=self.keys["figure"], other=twin)
        if not facts["heads"].value or facts["other_title"].value is None:
            return None
        found = self.claim("agreement", pct=facts["pct"])
        return (
            f"{found.say()}: of the {facts['heads'].word} heads in {facts['band_label']} here, {facts['shared_heads'].word} ({facts['pct']} %) "
            f"stand on the baseline of *{facts['other_title'].value}* too."
        )


class PublishedAuthor(Author):
    """The text of counts that somebody published: sampled heads, layers known by range only, intervals by Wilson."""

    def reading(self, twin: str | None) -> Reading:
        """All sentences; published counts have no twin."""
        del twin
        base = self.bands[0]
        moves = self.claim("steps", up=self.focus["steps_up"], down=self.focus["steps_down"], steps=self.focus["steps"])
        size = self.claim("size", heads=self.coverage["heads"])
        observations = [self.leads(), self.ends(), self.other_steady_band(), self.rare_band(), self.heads_shown()]
        return Reading(
            f"{str(base['band_label'].value).capitalize()} {moves.say()}, {size.say()}.",
            f"The figure shows {self.coverage['heads']} of the model's {self.coverage['model_heads']} heads; {base['heads']} are {base['band_label'].value} "
            f"({base['pct']} %)."
            if self.coverage["model_heads"].value
            else f"The figure shows {self.coverage['heads']} heads; {base['heads']} are {base['band_label'].value} ({base['pct']} %).",
            tuple(text for text in observations if text)[:MOST_OBSERVATIONS],
            tuple(text for text in (self.shares(), printed_sums(self.ranges)) if text),
            (self.meaning(),),
        )

    def base_cells(self) -> list[Row]:
        """The cells of the band on the baseline."""
        return [cell for cell in self.cells if cell["stack_ordinal"].value == 0 and cell["range_heads"].value]

    def shares(self) -> str:
        """The share of the band on the baseline, range by range."""
        shares = listed([f"{cell['pct']} % in {cell['range_label']}" for cell in self.base_cells()])
        return f"The share of {self.bands[0]['band_label'].value} is {shares}."

    def ends(self) -> str | None:
        """First against last range, with the exact test and the loose ends."""
        cells, base = self.base_cells(), self.bands[0]
        if len(cells) < 2 or base["p"].value is None:
            return None
        first, last = cells[0], cells[-1]
        found = self.claim("evidence", p=base["p"])
        statistic = f" (exact trend test, p {base['p']})" if found.decision != "none" else ""
        return (
            f"**From {first['heads'].word} of {first['range_heads'].word} to {last['heads'].word} of {last['range_heads'].word}.** "
            f"If heads were independent, so ordered a change {found.say()}{statistic}; which step carries it cannot be told. The ends are loose: "
            f"{first['low_pct']}–{first['high_pct']} % in the first range, {last['low_pct']}–{last['high_pct']} % in the last (Wilson intervals)."
        )

    def other_steady_band(self) -> str | None:
        """Another band whose share moves one way at every step."""
        for band in self.bands[1:]:
            one_way = band["steps"].value in (band["steps_up"].value, band["steps_down"].value)
            if band["steps"].value and one_way and band["heads"].value and band["p"].value is not None:
                place = f"/{band['band_label'].value}"
                moves = self.claim("steps", place, up=band["steps_up"], down=band["steps_down"], steps=band["steps"])
                found = self.claim("evidence", place, p=band["p"])
                return (
                    f"**{str(band['band_label'].value).capitalize()} {moves.say(1)}**, from {band['first_pct']} to {band['last_pct']} % – "
                    f"on {band['heads'].word} heads, {found.say(1)}."
                )
        return None

    def rare_band(self) -> str | None:
        """A band that holds a single head."""
        for band in self.bands[1:]:
            if band["heads"].value == 1:
                return f"**{str(band['band_label'].value).capitalize()} stands for {band['heads'].word} head**, in {band['some_range_label']}; nothing should rest on it."
        return None

    def heads_shown(self) -> str:
        """How many heads each range shows, and of how many."""
        counts = listed([str(row["range_heads"]) for row in self.ranges])
        if self.ranges[0]["model_heads_in_range"].value is None:
            return f"**Heads shown: {counts}.** Of how many the ranges hold is not known."
        shares = listed([str(row["pct"]) for row in self.ranges])
        each = {row["model_heads_in_range"].value for row in self.ranges}
        holds = f"Each range has {self.ranges[0]['model_heads_in_range']} heads" if len(each) == 1 else "Of the heads of each range"
        return f"**Heads shown: {counts}.** {holds}, of which {shares} % appear; the counts do not say how they were chosen."

    def meaning(self) -> str:
        """What so few heads support."""
        return (
            "The order of the shares is a property of the heads that were shown. Whether it is one of the model depends on how they were chosen, "
            "which the published figure does not tell; the test takes heads as independent of each other, and heads of one layer are not."
        )


def printed_sums(ranges: list[Row]) -> str | None:
    """Says that printed percentages do not sum to a hundred, where one bar's do not."""
    sums = [row["printed_sum"] for row in ranges if row["range_heads"].value]
    if all(fact.value == "100.0" for fact in sums):
        return None
    return f"The printed percentages of the bars sum to {listed([str(fact) for fact in sums])}: rounding."


def read(ledger: Ledger, run_id: str, figure: str, kind: str, words: dict[str, str], twin: str | None) -> Reading | None:
    """The generated text of one figure and run; None where it has no head to show."""
    author = (PublishedAuthor if kind == "published" else HeadsAuthor)(ledger, run_id, figure, words)
    return None if author.empty else author.reading(twin)
