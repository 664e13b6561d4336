"""Sentences on counts that somebody published: sampled heads, layers known by range only, intervals by Wilson."""

from report.facts import Ledger
from report.wording import MOST_OBSERVATIONS, Author, Reading, Row, counted, listed, printed_sums


class PublishedAuthor(Author):
    """The text of counts that somebody published: sampled heads, layers known by range only, intervals by Wilson."""

    def __init__(self, ledger: Ledger, run_id: str, figure: str, words: dict[str, str]) -> None:
        super().__init__(ledger, run_id, figure, words)
        # The names of its bands are the table's own, and may hold anything.
        self.words["high"] = str(self.bands[0]["band_label"])

    def reading(self, twin: str | None) -> Reading:
        """All sentences; published counts have no twin."""
        del twin
        base = self.bands[0]
        moves = self.claim("steps", up=self.focus["steps_up"], down=self.focus["steps_down"], steps=self.focus["steps"])
        size = self.claim("size", heads=self.coverage["heads"])
        observations: list[str | None] = [self.ends(), self.leads()[1], self.other_steady_band(), self.rare_band(), self.heads_shown()]
        share = f"{base['heads']} {'is' if base['heads'].value == 1 else 'are'} {base['band_label']} ({base['pct']} %)"
        model = self.coverage["model_heads"]
        of_model = f" of the model's {model}" if model.value else ""
        return Reading(
            f"{base['band_label'].Word} {moves.say()}, {size.say()}.",
            f"The figure shows {self.coverage['heads']}{of_model} heads; {share}.",
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
        return f"The share of {self.bands[0]['band_label']} is {shares}."

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
            f"If heads were independent, so ordered a change {found.say()}{statistic}; which step carries it cannot be told. "
            f"The ends are loose: {first['low_pct']}–{first['high_pct']} % in the first range, "
            f"{last['low_pct']}–{last['high_pct']} % in the last (Wilson intervals)."
        )

    def other_steady_band(self) -> str | None:
        """Another band whose share moves one way at every step."""
        for band in self.bands[1:]:
            one_way = band["steps"].value in (band["steps_up"].value, band["steps_down"].value)
            if band["steps"].value and one_way and band["heads"].value and band["p"].value is not None:
                place = f"/{band['band_label'].value}"
                moves = self.claim("steps", place, up=band["steps_up"], down=band["steps_down"], steps=band["steps"])
                found = self.claim("evidence", place, p=band["adjusted_p"])
                base = self.bands[0]
                alike = (base["steps_up"].value, base["steps_down"].value) == (band["steps_up"].value, band["steps_down"].value)
                return (
                    f"**{band['band_label'].Word} {moves.say(1)}{' too' if alike else ''}**, "
                    f"from {band['first_pct']} to {band['last_pct']} % – on {counted(band['heads'], 'head')}, {found.say(1)}."
                )
        return None

    def rare_band(self) -> str | None:
        """A band that holds a single head."""
        for band in self.bands[1:]:
            if band["heads"].value == 1:
                where = f"{band['heads'].word} head**, in {band['some_range_label']}"
                return f"**{band['band_label'].Word} stands for {where}; nothing should rest on it."
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
            "The order of the shares is a property of the heads that were shown. Whether it is one of the model depends on how they were "
            "chosen, which the published figure does not tell; the test takes heads as independent, and heads of one layer are not."
        )
