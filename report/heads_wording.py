"""Sentences on heads that were measured, or imported one by one: a census, with layers known."""

from report.claims import Claim
from report.facts import Fact
from report.wording import Author, Reading, Scored, counted, listed, most_notable, printed_sums


class HeadsAuthor(Author):
    """The text of a figure of heads; for a measured run with intervals from the sample of text."""

    def reading(self, twin: str | None) -> Reading:
        """All sentences; `twin` is the figure to compare with, where there is one."""
        facts = self.trend
        trend = self.claim(
            "trend",
            heads=facts["heads"],
            ranges=self.focus["ranges"],
            effect=facts["effect"],
            p=facts["p"],
            shift=facts["shift_p"],
            shifts=facts["shifts"],
        )
        base, far, whole = self.focus["heads"], self.bands[-1]["heads"], self.coverage
        majority = self.claim("majority", base=base, far=far, largest=whole["largest_heads"], all=whole["heads"])
        scored = [
            self.base_band() or self.leads(),
            self.far_band(),
            self.extremes(),
            self.order(trend),
            self.steadiness(),
            self.only_once(),
            self.outlier(),
        ]
        return Reading(
            f"{majority.say()}." if self.one_range else f"{majority.say()}, {trend.say()}.",
            self.summary(),
            most_notable(scored),
            tuple(text for text in (self.spread(), self.largest_step(), self.top_heads(), printed_sums(self.ranges)) if text),
            tuple(text for text in (self.meaning(trend), self.agreement(twin) if twin else None) if text),
        )

    def summary(self) -> str:
        """How many heads fall in the two end bands, and where the largest band lies if it is neither."""
        base, far, shown, whole = self.bands[0], self.bands[-1], self.coverage["heads"], self.coverage
        middle = whole["largest_label"].value not in (base["band_label"].value, far["band_label"].value) and not whole["largest_tied"].value
        most = f" The largest band is {whole['largest_label']}, with {whole['largest_heads']}." if middle else ""
        return (
            f"Of {counted(shown, 'head')}, {base['heads']} ({base['pct']} %) fall in {base['band_label']}, the {self.words['high']} band; "
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
        """Where the band on the baseline is widest and narrowest; nothing where two ranges are."""
        focus = self.focus
        if self.one_range or focus["ends_tied"].value:
            return None
        return 2.2, (
            f"**The {self.words['high']} band is widest in layers {focus['widest_label']} and narrowest in {focus['narrowest_label']}.** "
            f"In the one it holds {focus['widest_heads']} of {focus['widest_of']} heads ({focus['widest_pct']} %), "
            f"in the other {focus['narrowest_heads']} of {focus['narrowest_of']} ({focus['narrowest_pct']} %)."
        )

    def order(self, trend: Claim) -> Scored | None:
        """The test of a trend over layer ranges, in plain words first."""
        facts = self.trend
        if self.one_range or facts["p"].value is None:
            return None
        if trend.decision == "few":
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
        """How many heads the sample of text could move across an edge; the level is a choice of method, so it stands in words."""
        coverage = self.coverage
        if coverage["kind"].value != "measured" or coverage["crossing_pct"].value is None or coverage["shards_done"].value in (0, 1):
            return None
        found = self.claim("steadiness", pct=coverage["crossing_pct"])
        crossing = f"{coverage['crossing_heads'].word} of {counted(coverage['heads'], 'head')} ({coverage['crossing_pct']} %)"
        score = {"loose": 2.7, "mostly steady": 1.8}.get(found.decision, 1.2)
        return score, f"**{found.say()}.** The ninety-five per cent intervals of {crossing} cross an edge of their band."

    def outlier(self) -> Scored | None:
        """A layer whose heads lie far from those of the others; nothing where there is none."""
        facts = self.ledger.one("outlier_layer", **self.keys)
        found = self.claim("outlier", layers=facts["outlying_layers"])
        if found.decision == "none":
            return None
        return 2.5, (
            f"**{found.say()}.** Farthest out lies layer {facts['outlying_layer']}: its heads average {facts['layer_mean']}, where the "
            f"middle layer has {facts['median_mean']}."
        )

    def spread(self) -> str:
        """Where the middle half of the heads lies."""
        facts = self.ledger.one("spread", **self.keys)
        found = self.claim("spread", widths=facts["widths_ratio"])
        return (
            f"{found.say()}: the middle half of them lies between {facts['quarter_value']} and {facts['upper_value']}, the middle one at "
            f"{facts['middle_value']}."
        )

    def largest_step(self) -> str | None:
        """The largest difference between neighbouring ranges; nothing where two are equally large."""
        focus = self.focus
        if not focus["step_points"].value or focus["step_tied"].value:
            return None
        way = self.claim("step", sign=focus["step_sign"])
        return (
            f"Between neighbours, the largest step of the {self.words['high']} band is {way.say()} of {focus['step_points']} points, "
            f"from layers {focus['step_from_label']} to {focus['step_to_label']}."
        )

    def top_heads(self) -> str:
        """The heads that lie highest."""
        rows = self.ledger.ask("top_heads", **self.keys)
        top = rows[0]
        if int(str(top["tied"].value)) > 1:
            return f"{top['tied'].Word} heads reach {top['value']}, the highest value to two decimals."
        return "Highest of all lie " + listed([f"{row['head_label']} ({row['value']})" for row in rows]) + "."

    def meaning(self, trend: Claim) -> str | None:
        """What the trend does and does not say, where there was a test."""
        if self.one_range or trend.decision == "few" or self.trend["p"].value is None:
            return None
        return (
            f"Over the {self.coverage['ranges'].word} layer ranges the bands {trend.say(2)}. The test asks whether layers could trade "
            "places without anyone noticing; it says nothing of single heads, and nothing of why."
        )

    def agreement(self, twin: str) -> str | None:
        """How many heads of the baseline band stand on the baseline of the twin figure too."""
        facts = self.ledger.one("agreement", run_id=self.keys["run_id"], figure=self.keys["figure"], other=twin)
        if not facts["heads"].value or facts["other_title"].value is None:
            return None
        found = self.claim("agreement", pct=facts["pct"])
        return (
            f"{found.say()}: {counted(facts['heads'], 'head')} in {facts['band_label']} here; the overlap with the baseline of "
            f"*{facts['other_title']}* is {facts['shared_heads'].word} ({facts['pct']} %)."
        )
