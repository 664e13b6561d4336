"""The recount: every question asked again of the published file, every claim decided anew from the answers."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import duckdb
import pyarrow as pa

from report import queries
from report.check.spelling import as_json, spelling
from report.claims import RULES

Fact = dict[str, Any]
Claim = dict[str, Any]
# What was asked: a question and, as JSON, its parameters.
Place = tuple[str, str]


def place_of(fact: Fact) -> Place:
    """What was asked for a fact."""
    return fact["question"], json.dumps(fact["parameters"], sort_keys=True)


class Answers:
    """The file's answers, each question asked once; its views are computed once, not once per question."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.known: dict[Place, list[dict[str, Any]]] = {}
        self.tables: dict[Place, pa.Table] = {}
        self.cells: dict[str, list[list[str]]] = {}
        for view in queries.asked_views():
            connection.execute(f"create temp table if not exists {view} as from {view}")

    def __call__(self, question: str, parameters: str) -> list[dict[str, Any]]:
        """The rows of an answer, values as facts.json holds them."""
        place = (question, parameters)
        if place not in self.known:
            answer = self.connection.execute(queries.question(question).sql, json.loads(parameters))
            columns = [column[0] for column in answer.description or ()]
            self.known[place] = [dict(zip(columns, map(as_json, row), strict=True)) for row in answer.fetchall()]
        return self.known[place]

    def table(self, question: str, parameters: str) -> pa.Table:
        """The rows of an answer with their types as DuckDB gives them; a table of the file where no parameters are given."""
        place = (question, parameters)
        if place not in self.tables:
            sql = queries.question(question).sql if parameters else f'from "{question}" order by all'
            self.tables[place] = self.connection.sql(sql, params=json.loads(parameters or "{}")).to_arrow_table()
        return self.tables[place]


@dataclass
class Recount:
    """Compares the facts and claims of facts.json with the file's answers."""

    answer: Answers
    ledger: dict[str, Any]

    def __post_init__(self) -> None:
        self.facts: dict[str, Fact] = {fact["id"]: fact for fact in self.ledger["facts"]}
        self.claims: dict[str, Claim] = {claim["id"]: claim for claim in self.ledger["claims"]}
        self.places = {name: place_of(fact) for name, fact in self.facts.items()}
        self.indexed: dict[tuple[Place, tuple[str, ...]], dict[tuple[object, ...], list[dict[str, Any]]]] = {}
        self.digests = {name: query.sha256 for name, query in queries.questions().items()}

    def differences(self) -> Iterator[str]:
        """All differences, facts before claims."""
        for kind in ("facts", "claims"):
            names = Counter(entry["id"] for entry in self.ledger[kind])
            yield from (f"{kind.removesuffix('s')} {name} stands in facts.json twice" for name, count in names.items() if count > 1)
        yield from filter(None, map(self.compare_fact, self.facts.values()))
        yield from self.missing_facts()
        yield from filter(None, map(self.compare_claim, self.claims.values()))

    def compare_fact(self, fact: Fact) -> str | None:
        """What is wrong with a fact, or nothing."""
        if self.digests.get(fact["question"]) != fact["sha256"]:
            return f"fact {fact['id']}: its question has changed; build the site again"
        rows = self.rows(self.places[fact["id"]], tuple(fact["key"])).get(tuple(fact["key"].values()), [])
        if len(rows) != 1 or fact["column"] not in rows[0]:
            return f"fact {fact['id']}: the file has {len(rows)} such rows"
        if rows[0][fact["column"]] != fact["value"]:
            return f"fact {fact['id']}: the site says {fact['value']}, the file {rows[0][fact['column']]}"
        if fact["text"] != spelling(fact["column"], fact["value"]):
            return f"fact {fact['id']}: {fact['value']} is not written {fact['text']}"
        return None if named_after_its_place(fact) else f"fact {fact['id']} is not named after its question, row and column"

    def rows(self, place: Place, names: tuple[str, ...]) -> dict[tuple[object, ...], list[dict[str, Any]]]:
        """The rows of an answer by the values of some of its columns."""
        if (place, names) not in self.indexed:
            found = self.indexed.setdefault((place, names), {})
            for row in self.answer(*place):
                found.setdefault(tuple(row.get(name) for name in names), []).append(row)
        return self.indexed[place, names]

    def missing_facts(self) -> Iterator[str]:
        """Questions whose answer has more values, or fewer, than facts.json has facts: every value of an answer is one."""
        unchanged = (name for name, fact in self.facts.items() if self.digests.get(fact["question"]) == fact["sha256"])
        given = Counter(self.places[name] for name in unchanged)
        for (question, parameters), count in given.items():
            values = sum(map(len, self.answer(question, parameters)))
            if values != count:
                yield f"question {question} with {parameters} has {values} values, facts.json {count}"

    def compare_claim(self, claim: Claim) -> str | None:
        """What is wrong with a claim, or nothing."""
        missing = [fact for fact in claim["facts"].values() if fact not in self.facts]
        if missing:
            return f"claim {claim['id']}: no fact {missing[0]}"
        if claim["kind"] not in RULES or not claim["id"].endswith(f"/{claim['kind']}"):
            return f"claim {claim['id']} is not named after its kind"
        decision = RULES[claim["kind"]]({name: self.facts[fact]["value"] for name, fact in claim["facts"].items()})
        if decision != claim["decision"]:
            return f"claim {claim['id']}: the site decided {claim['decision']}, the facts say {decision}"
        # A claim that is named after what some of its facts were asked about takes none about anything else.
        about = [prefix_of(self.facts[fact]) for fact in claim["facts"].values()]
        own = [prefix != "" and claim["id"].startswith(prefix) for prefix in about]
        return f"claim {claim['id']} rests on a fact about something else" if any(own) and not all(own) else None


def prefix_of(fact: Fact) -> str:
    """What stands before the question in a fact's id: the values of its parameters."""
    return str(fact["id"]).removesuffix(ending_of(fact))


def ending_of(fact: Fact) -> str:
    """Question, key and column as they end a fact's id."""
    key = (str(fact["key"].get(name)) for name in queries.question(fact["question"]).key)
    return "/".join([fact["question"], *key, fact["column"]])


def named_after_its_place(fact: Fact) -> bool:
    """True where the id of a fact is its parameters, question, key and column, in this order."""
    # JSON keeps the parameters by name, the id in the order in which they were given.
    return any("/".join([*values, ending_of(fact)]) == fact["id"] for values in permutations(fact["parameters"].values()))
