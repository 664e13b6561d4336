"""Mutations of the files beside the pages – facts.json, CSV, Parquet, SQL, SVG, specifications, PNG, Markdown versions,
llms.txt, datapackage.json, search index."""

import copy
import io
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mutations import Kind, Mutation
from mutations.pages import other_digit, texts
from report.facts import inert

Ledger = dict[str, Any]


def ledger_kind(name: str, change: Callable[[Ledger, random.Random], str]) -> Kind:
    """A kind that changes facts.json; `change` gives what it did."""

    def kind(site: Path, rng: random.Random) -> Iterator[Mutation]:
        original = json.loads((site / "facts.json").read_text())
        while True:
            ledger = original | {"facts": list(original["facts"]), "claims": copy.deepcopy(original["claims"])}
            what = change(ledger, rng)
            yield Mutation(name, what, (("facts.json", json.dumps(ledger).encode()),), unsaid(site, ledger))

    kind.__name__ = name
    return kind


def any_fact(ledger: Ledger, rng: random.Random, wanted: Callable[[Ledger], bool] = lambda fact: True) -> Ledger:
    """A fact of the ledger, as a copy in its place."""
    place = rng.choice([number for number, fact in enumerate(ledger["facts"]) if wanted(fact)])
    ledger["facts"][place] = copy.deepcopy(ledger["facts"][place])
    return ledger["facts"][place]


def value(ledger: Ledger, rng: random.Random) -> str:
    fact = any_fact(ledger, rng, lambda fact: isinstance(fact["value"], int | float) and not isinstance(fact["value"], bool))
    fact["value"] += 1
    return fact["id"]


def text(ledger: Ledger, rng: random.Random) -> str:
    fact = any_fact(ledger, rng)
    fact["text"] = other_digit(fact["text"], rng) or f"{fact['text']}s"
    return fact["id"]


def key(ledger: Ledger, rng: random.Random) -> str:
    fact = any_fact(ledger, rng, lambda fact: bool(fact["key"]))
    name = rng.choice(sorted(fact["key"]))
    others = {other["key"][name] for other in ledger["facts"] if other["question"] == fact["question"]} - {fact["key"][name]}
    fact["key"][name] = rng.choice(sorted(others, key=str)) if others else "another"
    return fact["id"]


def parameters(ledger: Ledger, rng: random.Random) -> str:
    fact = any_fact(ledger, rng, lambda fact: bool(fact["parameters"]))
    name = rng.choice(sorted(fact["parameters"]))
    others = {other["parameters"].get(name) for other in ledger["facts"]} - {fact["parameters"][name], None}
    fact["parameters"][name] = rng.choice(sorted(others)) if others else "another"
    return fact["id"]


def question(ledger: Ledger, rng: random.Random) -> str:
    fact = any_fact(ledger, rng)
    fact["sha256"] = fact["sha256"][::-1]
    return fact["id"]


def decision(ledger: Ledger, rng: random.Random) -> str:
    from report.claims import PHRASES

    claim = rng.choice(ledger["claims"])
    others = sorted(PHRASES[claim["kind"]].keys() - {claim["decision"]})
    claim["decision"] = rng.choice(others)
    return claim["id"]


def removed_fact(ledger: Ledger, rng: random.Random) -> str:
    return ledger["facts"].pop(rng.randrange(len(ledger["facts"])))["id"]


def removed_claim(ledger: Ledger, rng: random.Random) -> str:
    return ledger["claims"].pop(rng.randrange(len(ledger["claims"])))["id"]


def unsaid(site: Path, ledger: Ledger) -> str:
    """Why it does not matter that a claim was removed: no page says it."""
    original = json.loads((site / "facts.json").read_text())
    gone = {claim["id"] for claim in original["claims"]} - {claim["id"] for claim in ledger["claims"]}
    said = "".join(texts(site).values())
    return "no page says it" if gone and not any(f'data-claim="{inert(name, keep="_/")}"' in said for name in gone) else ""


def added_fact(ledger: Ledger, rng: random.Random) -> str:
    fact = copy.deepcopy(rng.choice(ledger["facts"]))
    if rng.random() < 0.7:
        fact["id"] += "_too"
    ledger["facts"].append(fact)
    return fact["id"]


def claims_fact(ledger: Ledger, rng: random.Random) -> str:
    claim = rng.choice(ledger["claims"])
    name, facts = rng.choice(sorted(claim["facts"])), {fact["id"]: fact for fact in ledger["facts"]}
    own = facts[claim["facts"][name]]
    alike = [fact for fact in facts.values() if fact["column"] == own["column"] and fact["parameters"] != own["parameters"]]
    claim["facts"][name] = rng.choice(alike)["id"] if alike else ""
    return claim["id"]


def file_kind(name: str, pattern: str, change: Callable[[bytes, random.Random], bytes | None]) -> Kind:
    """A kind that changes one file of those whose path fits."""

    def kind(site: Path, rng: random.Random) -> Iterator[Mutation]:
        files = sorted(site.glob(pattern))
        for _ in range(1000):
            path = rng.choice(files)
            content = change(path.read_bytes(), rng)
            if content is not None:
                where = path.relative_to(site).as_posix()
                yield Mutation(name, where, ((where, content),))

    kind.__name__ = name
    return kind


def digit_of(pattern: str) -> Callable[[bytes, random.Random], bytes | None]:
    """Changes a digit of one match of a pattern's group."""

    def change(content: bytes, rng: random.Random) -> bytes | None:
        whole = content.decode()
        matches = list(re.finditer(pattern, whole, re.MULTILINE))
        match = rng.choice(matches) if matches else None
        changed = other_digit(match.group(1), rng) if match else None
        return (whole[: match.start(1)] + changed + whole[match.end(1) :]).encode() if match and changed else None

    return change


def any_byte(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :]


def any_word(content: bytes, rng: random.Random) -> bytes:
    words = list(re.finditer(rb"(?<= )[a-z]{3,}(?= )", content))
    match = rng.choice(words)
    return content[: match.start()] + b"otherwise" + content[match.end() :]


def parquet_cell(content: bytes, rng: random.Random) -> bytes | None:
    table = pq.read_table(io.BytesIO(content))
    places = [number for number, field in enumerate(table.schema) if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)]
    if not places or not table.num_rows:
        return None
    place, row = rng.choice(places), rng.randrange(table.num_rows)
    values = table.column(place).to_pylist()
    values[row] = (values[row] or 0) + 1
    changed = table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))
    pq.write_table(changed, written := io.BytesIO())
    return written.getvalue()


def digit_of_setting(content: bytes, rng: random.Random) -> bytes:
    names = list(re.finditer(rb"(?<= = ')(\w+)", content))
    match = rng.choice(names)
    return content[: match.end()] + str(rng.randint(1, 9)).encode() + content[match.end() :]


def described(content: bytes, rng: random.Random) -> bytes:
    match = rng.choice(list(re.finditer(rb'"(?:type|description)": "[^"]+', content)))
    return content[: match.end()] + b"s" + content[match.end() :]


def kinds() -> list[Kind]:
    """Kinds that change a file beside the pages."""
    changes = (value, text, key, parameters, question, decision, removed_fact, removed_claim, added_fact, claims_fact)
    return [
        *(ledger_kind(f"facts.json: {change.__name__.replace('_', ' ')}", change) for change in changes),
        file_kind("CSV cell", "charts/**/*.csv", digit_of(r"(?<=[,\n])(\d[\d.]*)(?=[,\n])")),
        file_kind("SVG text", "charts/**/*.svg", digit_of(r"<text[^>]*>([^<]*\d[^<]*)</text>")),
        file_kind("SVG label", "charts/**/*.svg", digit_of(r'aria-label="([^"]*\d[^"]*)"')),
        file_kind("SVG bar", "charts/**/*.svg", digit_of(r'"bar" d="([^"]*)"')),
        file_kind("Vega-Lite value", "charts/**/*.vl.json", digit_of(r'^\s*"(?:heads|percent|low|high|stack|range|band)": (.*)$')),
        file_kind("PNG byte", "charts/**/*.png", any_byte),
        file_kind("llms.txt", "llms.txt", any_word),
        file_kind("Parquet cell", "**/*.parquet", parquet_cell),
        file_kind("table CSV cell", "data/*.csv", digit_of(r"(?<=[,\n])(\d[\d.]*)(?=[,\n])")),
        file_kind("SQL word", "charts/**/*.sql", any_word),
        file_kind("SQL parameter", "charts/**/*.sql", digit_of_setting),
        file_kind("word of a Markdown version", "**/index.md", any_word),
        file_kind("digit of a Markdown version", "**/index.md", digit_of(r"(?<= )(\d[\d.,]*)(?= )")),
        file_kind("meaning or type in datapackage.json", "datapackage.json", described),
        file_kind("search index", "search/search_index.json", any_word),
    ]
