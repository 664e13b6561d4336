"""Facts and claims where they stand: their texts, units, links, sections and places in tables."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from report import queries
from report.check.page import Page, RenderedClaim, RenderedFact, Row
from report.check.recount import Fact, Recount
from report.check.spelling import spellings
from report.claims import PHRASES

# What may follow a number, and what a column of it is called.
NOUNS = ("tokens", "heads", "layers", "windows", "shards", "bands", "points")
FOLLOWING = re.compile(r"\s?(%|percentage points|(?:" + "|".join(NOUNS) + r"|token|head|layer|window|shard|band|point)\b(?! ranges?\b))")


@dataclass
class Pages:
    """Compares what stands on pages with the facts and claims of facts.json."""

    recount: Recount

    def differences(self, page: Page) -> Iterator[str]:
        """All differences of one page."""
        for fact in page.facts:
            yield from self.compare_fact(fact, page)
        for claim in page.claims:
            yield from self.compare_claim(claim, page)
        yield from (f"a digit outside a fact: {text}" for text in page.strays)
        yield from self.compare_queries(page)
        for table in page.tables:
            yield from self.compare_table(table)

    def known(self, name: str) -> Fact | None:
        """A fact of facts.json whose question is one of ours."""
        fact = self.recount.facts.get(name)
        return fact if fact and fact["question"] in self.recount.digests else None

    def compare_fact(self, seen: RenderedFact, page: Page) -> Iterator[str]:
        """What is wrong with a number on a page."""
        fact = self.known(seen.id)
        if fact is None:
            yield f"{seen.text} claims to be fact {seen.id}, which facts.json lacks"
            return
        if seen.value != ("" if fact["value"] is None else str(fact["value"])):
            yield f"{seen.id}: value {seen.value} in the page, {fact['value']} in facts.json"
        if seen.text not in spellings(fact["text"], fact["value"]):
            yield f"{seen.id}: the page reads {seen.text}, the fact {fact['text']}"
        if seen.link != f"#query-{fact['question']}":
            yield f"{seen.id}: leads to {seen.link}, not to its query {fact['question']}"
        if unit := wrong_unit(fact["column"], seen.after):
            yield f"{seen.id}: a number of column {fact['column']} is followed by “{unit}”"

    def compare_claim(self, seen: RenderedClaim, page: Page) -> Iterator[str]:
        """What is wrong with a judging phrase on a page."""
        claim = self.recount.claims.get(seen.id)
        if claim is None or claim["decision"] not in PHRASES.get(claim["kind"], {}):
            yield f"“{seen.text}” is no claim of facts.json"
            return
        if seen.text not in {phrase.format(**claim["words"]) for phrase in PHRASES[claim["kind"]][claim["decision"]]}:
            yield f"claim {seen.id}: “{seen.text}” does not follow from {claim['decision']}"
        places = self.recount.places
        own = {places[name][1] for name in claim["facts"].values() if name in places}
        around = {places[other.id][1] for other in page.facts if other.block == seen.block and other.id in places}
        if own and around and not own & around:
            yield f"claim {seen.id}: stands in a section about something else"

    def compare_queries(self, page: Page) -> Iterator[str]:
        """Queries whose text is not the question's, or that do not name the parameters of just the facts above them."""
        used: dict[str, dict[str, set[str]]] = {}
        for seen in page.facts:
            if fact := self.known(seen.id):
                named = used.setdefault(fact["question"], {})
                for name, value in fact["parameters"].items():
                    named.setdefault(f"${name}", set()).add(value)
        for name, sql, pieces in page.queries:
            if name not in self.recount.digests or sql.strip() != queries.question(name).sql.strip():
                yield f"query {name} is not shown as it is"
            elif read_parameters(pieces, used.get(name, {}).keys()) != used.get(name):
                yield f"query {name} is shown with other parameters than those of the page's facts"
        shown = Counter(name for name, _, _ in page.queries)
        yield from (f"query {name} is shown {shown[name]} times" for name in used if shown[name] != 1)

    def compare_table(self, table: tuple[Row, ...]) -> Iterator[str]:
        """What is wrong with a table whose rows are the rows of an answer: cells of other rows, other columns, another order.

        Any other table – a fact per row, or one quantity spread over a row – is left alone.
        """
        rows = [[[fact for name in cell if (fact := self.known(name))] for cell in row] for row in table]
        places = [
            Counter((*self.recount.places[fact["id"]], json.dumps(fact["key"])) for cell in row for fact in cell if fact["key"])
            for row in rows
        ]
        regular = [len(found) == 1 and found.total() > 1 for found in places]
        if 2 * sum(regular) <= len(rows) or len(rows) < 2:
            return
        main = Counter(place[:2] for found in places for place in found).most_common(1)[0][0]
        kept = [number for number, found in enumerate(places) if {place[:2] for place in found} == {main}]
        columns = [[tuple(fact["column"] for fact in cell) for cell in rows[number]] for number in kept]
        usual = Counter(map(tuple, columns)).most_common(1)[0][0]
        last = -1
        for number, names in zip(kept, columns, strict=True):
            label = ", ".join(fact["text"] for cell in rows[number][:2] for fact in cell)
            if len(places[number]) > 1 or tuple(names) != usual:
                yield f"a table's row {label} mixes rows or columns of {main[0]}"
                continue
            key = json.loads(next(iter(places[number]))[2])
            found = self.recount.rows(main, tuple(key)).get(tuple(key.values()), [])
            order = self.recount.answer(*main).index(found[0]) if found else -1
            if order <= last:
                yield f"a table's row {label} is out of the order of {main[0]}"
            last = order


def read_parameters(pieces: tuple[str, ...], names: Collection[str]) -> dict[str, set[str]]:
    """Names and values out of the pieces of code that list a query's parameters."""
    found: dict[str, set[str]] = {}
    name = ""
    for piece in pieces:
        if piece in names:
            name = piece
            found.setdefault(name, set())
        else:
            found.setdefault(name, set()).add(piece)
    return found


def wrong_unit(column: str, after: str) -> str | None:
    """The unit that follows a number and is none of its column's; None where it fits, or where nothing that is a unit follows."""
    match = FOLLOWING.match(after)
    if not match:
        return None
    unit = match.group(1)
    words = column.split("_")
    if unit == "%":
        return None if words[-1] == "pct" else unit
    noun = unit.removeprefix("percentage ").rstrip("s") + "s"
    counted = [word for word in ("pct", *NOUNS) if word in words]
    return unit if (counted and noun not in counted) or (noun == "points" and "points" not in words) else None
