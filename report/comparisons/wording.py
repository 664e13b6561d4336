"""Sentences: what a page says of one model on two texts, put together from facts and claims. Verbs are decided by tests."""

from report.claims import Claim, claim
from report.facts import Fact, Ledger, inert
from report.pages import PRIMARY
from report.wording import Reading, Row, Scored, counted, listed, most_notable


class PairAuthor:
    """Asks the questions of one pair and figure once, and writes its sentences."""

    def __init__(self, ledger: Ledger, run_a: str, run_b: str, figure: str, words: dict[str, str]) -> None:
        self.ledger, self.words, self.figure = ledger, words, figure
        self.pair = {"run_a": run_a, "run_b": run_b}
        self.keys = self.pair | {"figure": figure}
        self.place = f"{run_a}/{run_b}/{figure}"
        self.runs = ledger.one("compare_runs", **self.pair)
        self.figures = ledger.ask("compare_figures", **self.pair)
        self.whole = next(row for row in self.figures if row["figure"].value == figure)
        self.cells = ledger.ask("compare_bands", **self.keys)
        self.ranges = ledger.ask("compare_ranges", **self.keys)
        self.heads = ledger.ask("compare_heads", **self.keys)
        self.asleep = ledger.one("compare_sleeper_count", **self.keys)
        self.sleepers = ledger.ask("compare_sleepers", **self.keys) if self.speaks_of_sleep else []

    @property
    def speaks_of_sleep(self) -> bool:
        """True for the figure whose lowest band may be called asleep: of other measures a low value says nothing of the kind."""
        return self.figure == PRIMARY

    def claim(self, kind: str, place: str = "", **facts: Fact) -> Claim:
        """A claim about this pair and figure."""
        return claim(self.ledger, kind, f"{self.place}{place}", self.words, **facts)

    def reading(self) -> Reading:
        """All sentences."""
        whole = self.whole
        change = self.claim(
            "texts_change",
            heads=whole["heads"],
            tested=whole["tested_heads"],
            differing=whole["differing_heads"],
            moved=whole["clearly_moved_heads"],
        )
        shift = self.shift()
        scored = [self.sleep(), self.largest(), self.moved(), self.mean(shift), self.widest_range(), self.order()]
        return Reading(
            f"{change.say()}; {shift.say()}.",
            self.summary(),
            most_notable(scored),
            tuple(text for text in (self.thresholds(),) if text),
            tuple(self.meaning()),
        )

    def shift(self) -> Claim:
        """Which way the mean over all heads goes."""
        return self.claim("texts_shift", low=self.whole["difference_low"], high=self.whole["difference_high"])

    def summary(self) -> str:
        """How many heads differ and how many stay in their band."""
        whole = self.whole
        stay = f"{whole['stayed_heads']} ({whole['stayed_pct']} %) stay in their band"
        if not whole["tested_heads"].value:
            return f"Of {counted(whole['heads'], 'head')}, {stay}."
        return f"Of {counted(whole['heads'], 'head')}, {whole['differing_heads']} ({whole['differing_pct']} %) differ; {stay}."

    def sleep(self) -> Scored | None:
        """Heads that sleep on one text and work on the other: a finding, and their absence is one too."""
        if not self.speaks_of_sleep:
            return None
        count = self.asleep
        found = self.claim("sleepers", heads=count["heads"], tested=count["tested_heads"])
        limits = f"below {count['asleep_below']} per cent on the one, from {count['working_from']} on the other"
        if found.decision == "untested":
            return 1.1, f"**{found.say()}.**"
        if found.decision == "none":
            return 2.2, f"**{found.say()}**: none lies, interval and all, {limits}."
        named = listed([str(row["head_label"]) for row in self.sleepers[:3]])
        more = f", of {count['heads'].word} in all" if len(self.sleepers) > 3 else ""
        return 3.0, f"**{found.say()}**: {named}{more} – interval and all, {limits}."

    def largest(self) -> Scored | None:
        """The head that differs most."""
        if not self.heads:
            return None
        top = self.heads[0]
        way = self.claim("step", "/largest", sign=top["difference_sign"])
        return 2.4, (
            f"**The largest difference is {way.say()} of {top['head_label']}**, from {top['a_value']} to {top['b_value']}"
            f"{self.between(top)}."
        )

    @staticmethod
    def between(row: Row) -> str:
        """The interval of a difference in brackets; nothing where there is none."""
        if row["difference_low"].value is None:
            return ""
        return f" (difference {row['difference_value']}, interval {row['difference_low']} to {row['difference_high']})"

    def moved(self) -> Scored:
        """Which way heads change band."""
        whole = self.whole
        found = self.claim("moves", risen=whole["risen_heads"], fallen=whole["fallen_heads"])
        if found.decision == "none":
            return 2.0, f"**{found.say()}.**"
        explained = "beyond what the sample of text explains"
        sure = f", {whole['clearly_moved_heads'].word} of them {explained}" if whole["tested_heads"].value else ""
        heads = counted(whole["moved_heads"], "head")
        verb = "changes" if whole["moved_heads"].value == 1 else "change"
        return 2.0, (
            f"**{found.say()}.** {heads[:1].upper()}{heads[1:]} {verb} band – {whole['risen_heads'].word} up, "
            f"{whole['fallen_heads'].word} down{sure}."
        )

    def mean(self, shift: Claim) -> Scored:
        """The mean over all heads, and whether layers go with it."""
        whole = self.whole
        together = self.together()
        layers = f"in {whole['layers_up'].word} layers it rises, in {whole['layers_down'].word} it falls"
        moved = f"{together.say()}: {layers}" if together.decision != "none at all" else together.say()
        return 1.8, f"**{shift.say(1)}**, {whole['a_value']} against {whole['b_value']} {whole['unit']}{self.between(whole)}; {moved}."

    def together(self) -> Claim:
        """Whether layers move in one direction."""
        whole = self.whole
        return self.claim("layers_together", p=whole["layer_p"], up=whole["layers_up"], down=whole["layers_down"])

    def widest_range(self) -> Scored | None:
        """Where most heads change band; nothing where no head does, or where two ranges tie."""
        order = sorted(self.ranges, key=lambda row: -float(str(row["moved_pct"].value)))
        if len(order) < 2 or order[0]["moved_pct"].value in (0, order[1]["moved_pct"].value):
            return None
        most, least = order[0], order[-1]
        return 1.5, (
            f"**Layers {most['range_label']} change band most often**: {most['moved_pct']} % of their heads do; "
            f"in {least['range_label']}, where the fewest do, it is {least['moved_pct']} %."
        )

    def order(self) -> Scored | None:
        """How far heads keep their order."""
        whole = self.whole
        found = self.claim("rank_order", correlation=whole["correlation_effect"])
        if found.decision == "unknown":
            return None
        score = {"kept": 1.2, "mostly": 1.4, "partly": 2.1, "hardly": 2.5}[found.decision]
        return score, f"**{found.say()}** (Spearman's correlation {whole['correlation_effect']})."

    def thresholds(self) -> str | None:
        """Says at which threshold tokens were counted, where the second run has another of its own."""
        row = self.whole
        if not row["own_threshold_differs"].value:
            return None
        return (
            f"This figure's threshold follows the run. Tokens are counted at the first run's, {row['threshold']}, in both; by itself the "
            f"second run would have {row['threshold_b']}, so its values here are not those of its own page."
        )

    def meaning(self) -> list[str]:
        """What the tests ask, in words."""
        whole = self.whole
        if not whole["tested_heads"].value:
            return ["A run of one shard has no interval: what differs here may be chance, and nothing tells how far."]
        how = {
            "independent": "The two texts are independent samples, so the variances of the two values add",
            "paired": "Both runs read the same shards, so differences are taken shard by shard",
        }[str(self.runs["sampling"].value)]
        together = self.together()
        level = together.say() + ("" if together.decision in ("both ways", "none at all") else f" (p {whole['layer_p']})")
        return [
            f"{how}. A head counts as differing when its difference stands out among all {whole['heads']} heads: the expected share of "
            "false ones among those counted is held under a twentieth, however heads depend on each other.",
            "The interval of the mean takes all heads of a shard together, so heads need not be independent: it speaks of texts of these "
            "two kinds. Whether layers move together is another question. There, the sign of each layer's mean difference is drawn at "
            f"random, and by that test {level}. It sees layers that move one way, and no heads of a layer that move against each other.",
            "The correlation describes these heads. It comes without a p-value, for heads of one layer are compared with each other by the "
            "measure itself and are no independent sample.",
        ]


def titled(runs: Row) -> str:
    """Both runs in one line, as plain text."""
    return f"{runs['a_title'].value} and {runs['b_title'].value}"


def phrases(words: dict[str, str]) -> dict[str, str]:
    """A figure's words, safe in a page."""
    return {name: inert(text) for name, text in words.items()}
