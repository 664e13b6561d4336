"""Claims: the words that say more than a number, each decided from facts by one rule. One file per kind of claim; the folder is the list.

A file has `decide` (values of facts → decision) and `PHRASES` (decision → the wordings it allows; {high} and {low} stand for the figure's
own words for its two end bands). The renderer and `report check` share these and nothing else: the check asks the published file for the
facts again and decides anew."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from report.evidence import Values
from report.facts import Fact, Ledger, inert

_KINDS = {entry.name: importlib.import_module(f"{__name__}.{entry.name}") for entry in pkgutil.iter_modules(__path__)}
RULES: dict[str, Callable[[Values], str]] = {kind: module.decide for kind, module in _KINDS.items()}
PHRASES: dict[str, dict[str, tuple[str, ...]]] = {kind: module.PHRASES for kind, module in _KINDS.items()}


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
