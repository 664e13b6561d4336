"""Claims: the words that say more than a number, each decided from facts by one rule.

`RULES` maps a kind of claim to its rule (values of facts → decision) and `PHRASES` each decision to the wordings it allows. The renderer
and `report check` share these two tables and nothing else: the check asks the published file for the facts again and decides anew.
Levels: p < .05 is evidence, p < .2 a hint, anything above none. An effect under .1 (Somers' D) is called none whatever its p-value."""

from collections.abc import Callable
from dataclasses import dataclass

from report.facts import Fact, Ledger, Value, inert

EVIDENCE = 0.05
HINT = 0.2
SMALL_EFFECT = 0.1
FEW_HEADS = 20

Values = dict[str, Value]


def number(values: Values, name: str) -> float:
    """A fact's value as a number; missing values count as not a number, so every comparison with them fails."""
    value = values.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def majority(values: Values) -> str:
    """Which band, if any, holds more than half of all heads: the one on the baseline, the far one, one between them, or none."""
    if 2 * number(values, "base") > number(values, "all"):
        return "base"
    if 2 * number(values, "far") > number(values, "all"):
        return "far"
    return "middle" if 2 * number(values, "largest") > number(values, "all") else "none"


def trend(values: Values) -> str:
    """Direction of the bands over depth and the strength of the evidence for it.

    Free permutation of layers takes neighbours for strangers; where turning the order of layers around (`shift`) gives no hint, it is a
    hint at most.
    """
    if number(values, "ranges") == 1:
        return "one range"
    if number(values, "heads") < FEW_HEADS:
        return "few"
    effect, p = number(values, "effect"), number(values, "p")
    if not (abs(effect) >= SMALL_EFFECT and p < HINT):
        return "none"
    shift = number(values, "shift")
    return ("" if p < EVIDENCE and not shift >= HINT else "hint of ") + ("rise" if effect > 0 else "fall")


def unusual(values: Values) -> str:
    """How often an arrangement by chance is as extreme as the observed one."""
    p = number(values, "p")
    return "rarely" if p < EVIDENCE else "sometimes" if p < HINT else "often"


def steps(values: Values) -> str:
    """Whether a share moves one way at every step of depth."""
    count = number(values, "steps")
    if count == 0:
        return "one range"
    return "all up" if number(values, "up") == count else "all down" if number(values, "down") == count else "mixed"


def evidence(values: Values) -> str:
    """Strength of the evidence behind a test of published counts."""
    p = number(values, "p")
    return "evidence" if p < EVIDENCE else "hint" if p < HINT else "none"


def leads(values: Values) -> str:
    """In how many of the ranges the band on the baseline holds the most heads."""
    missed, ranges = number(values, "missed"), number(values, "ranges")
    if missed == 0 and number(values, "tied") > 0:
        return "tied"
    return "everywhere" if missed == 0 else "nowhere" if missed == ranges else "all but one" if missed == 1 else "some"


def rarity(values: Values) -> str:
    """How common a band is over all layers."""
    heads, everything = number(values, "heads"), number(values, "all")
    if heads == 0:
        return "absent"
    if heads == 1:
        return "single"
    if 2 * heads > everything:
        return "most"
    return "rare" if heads < FEW_HEADS and heads < everything / 10 else "common"


def presence(values: Values) -> str:
    """Whether a band holds any head."""
    return "absent" if number(values, "heads") == 0 else "present"


def step(values: Values) -> str:
    """Direction of a step between neighbours."""
    return "rise" if number(values, "sign") > 0 else "drop"


def size(values: Values) -> str:
    """Whether the heads shown are few."""
    return "few" if number(values, "heads") < 100 else "many"


def steadiness(values: Values) -> str:
    """How much of the picture the choice of text could move."""
    pct = number(values, "pct")
    return "steady" if pct < 5 else "mostly steady" if pct < 15 else "loose"


def agreement(values: Values) -> str:
    """How far two figures put the same heads on the baseline."""
    pct = number(values, "pct")
    return "most" if pct >= 75 else "many" if pct >= 50 else "few"


RULES: dict[str, Callable[[Values], str]] = {
    "majority": majority,
    "trend": trend,
    "unusual": unusual,
    "steps": steps,
    "evidence": evidence,
    "leads": leads,
    "rarity": rarity,
    "presence": presence,
    "step": step,
    "size": size,
    "steadiness": steadiness,
    "agreement": agreement,
}

# {high} and {low} stand for the figure's own words for its two end bands.
PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "majority": {
        "base": ("Most heads fall in the {high} band",),
        "far": ("Most heads fall in the {low} band",),
        "middle": ("Most heads fall in a middle band",),
        "none": ("No band holds most heads",),
    },
    "trend": {
        "rise": ("and deeper layers hold higher bands", "Overall, deeper means higher", "rise with depth"),
        "fall": ("and deeper layers hold lower bands", "Overall, deeper means lower", "fall with depth"),
        "hint of rise": ("and deeper layers tend to hold higher bands", "Deeper may mean higher", "tend to rise with depth"),
        "hint of fall": ("and deeper layers tend to hold lower bands", "Deeper may mean lower", "tend to fall with depth"),
        "none": ("with no clear trend over depth", "Depth gives no clear order", "show no clear trend over depth"),
        "few": ("on too few heads to speak of depth", "Too few heads to speak of depth"),
        "one range": ("in one range",),
    },
    "unusual": {
        "rarely": ("rarely gives so strong an ordering", "so does"),
        "sometimes": ("now and then gives as strong an ordering", "so does"),
        "often": ("gives as strong an ordering too often to call it a trend", "so does"),
    },
    "steps": {
        "all up": ("gains at every step of depth", "grows at every step"),
        "all down": ("loses at every step of depth", "shrinks at every step"),
        "mixed": ("moves both ways over depth", "moves both ways"),
        "one range": ("is shown for one range only", "is shown for one range only"),
    },
    "evidence": {
        "evidence": ("would be unusual by chance", "which chance alone would seldom give"),
        "hint": ("would be somewhat unusual by chance", "which chance alone gives now and then"),
        "none": ("could well arise by chance", "but that is no evidence of a trend"),
    },
    "leads": {
        "everywhere": ("The {high} band leads in every range",),
        "all but one": ("is the only range that the {high} band does not lead",),
        "some": ("The {high} band leads in some ranges only",),
        "tied": ("The {high} band leads or ties in every range",),
        "nowhere": ("The {high} band leads in no range",),
    },
    "rarity": {
        "absent": ("No head falls in the {low} band",),
        "single": ("A single head falls in the {low} band", "too few to compare ranges"),
        "rare": ("Heads in the {low} band are rare", "too few to compare ranges"),
        "common": ("The {low} band is no rarity:",),
        "most": ("Range by range, the {low} band holds",),
    },
    "presence": {"absent": ("No head falls in the {high} band",), "present": ("The {high} band has its heads",)},
    "step": {"rise": ("a rise",), "drop": ("a drop",)},
    "size": {"few": ("on few heads",), "many": ("over many heads",)},
    "steadiness": {
        "steady": ("Another sample of text would hardly move the bars",),
        "mostly steady": ("Another sample of text could move some heads between bands",),
        "loose": ("Another sample of text could move many heads between bands",),
    },
    "agreement": {
        "most": ("Both yardsticks pick mostly the same heads",),
        "many": ("The two yardsticks agree on more than half of these heads",),
        "few": ("The two yardsticks pick different heads",),
    },
}


@dataclass(frozen=True)
class Claim:
    """A decision taken from facts; renders as one of the phrases that its decision allows."""

    id: str
    kind: str
    decision: str
    words: tuple[tuple[str, str], ...]

    def say(self, wording: int = 0) -> str:
        """The phrase as HTML that names the claim."""
        phrase = PHRASES[self.kind][self.decision][wording].format(**{name: inert(word) for name, word in self.words})
        return f'<span data-claim="{inert(self.id, keep="_/")}">{phrase}</span>'


def claim(ledger: Ledger, kind: str, place: str, words: dict[str, str], **facts: Fact) -> Claim:
    """Decide a claim from facts and enter it in the ledger; `place` makes its id unique, `words` are the figure's own."""
    decision = RULES[kind]({name: fact.value for name, fact in facts.items()})
    chosen = {name: words[name] for name in ("high", "low") if name in words}
    made = Claim(f"{place}/{kind}", kind, decision, tuple(sorted(chosen.items())))
    ledger.claims[made.id] = {
        "id": made.id,
        "kind": kind,
        "decision": decision,
        "facts": {name: fact.id for name, fact in facts.items()},
        "words": chosen,
    }
    return made
