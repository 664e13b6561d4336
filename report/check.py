"""The check: a site is true when every number on it can be asked for again.

It parses the built HTML, asks the published file the question behind each fact, takes each claim's decision anew, and compares; it imports
no renderer. What it looks at:
    tables   each table of the file has the fingerprint that facts.json gives
    facts    question unchanged, value the same as the file's answer, text one of the value's spellings
    pages    every fact on a page stands in facts.json, with the same value; generated sections hold no digit outside a fact
    claims   the decision follows from the facts, and the phrase from the decision
    files    every file of the site is the one that was built, none is missing, none was added"""

import contextlib
import filecmp
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from selectolax.lexbor import LexborHTMLParser, LexborNode

from report import queries
from report.claims import PHRASES, RULES
from report.errors import DatabaseRefusal

NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Decimals by the end of a column's name; written here anew, so that a slip in the renderer's table shows.
WHOLE = ("low_pct", "high_pct", "pair_pct")
ONE_DECIMAL = ("pct", "points")
TWO_DECIMALS = ("effect", "ratio", "norm", "mean", "value", "low", "high")


def check(published: Path, site: Path) -> list[str]:
    """All differences between a site and its file, worst first; empty where there is none.

    Raises:
        DatabaseRefusal: the file or the site's facts.json cannot be read.
    """
    ledger = read_ledger(site)
    try:
        with duckdb.connect(str(published), read_only=True, config={"enable_external_access": False}) as connection:
            return [
                *compare_tables(connection, ledger),
                *Recount(connection, ledger).differences(site),
                *compare_files(site, ledger, published),
            ]
    except duckdb.Error as error:
        raise DatabaseRefusal(
            f"DuckDB cannot read it: {str(error).splitlines()[0]}", published.name, "build the site again from the counters"
        ) from error


def read_ledger(site: Path) -> dict[str, Any]:
    """The site's facts.json."""
    path = site / "facts.json"
    try:
        ledger: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatabaseRefusal("no readable facts.json", site.name, "give the folder that python -m report build wrote") from error
    if not isinstance(ledger, dict) or not {"tables", "files", "facts", "claims"} <= ledger.keys():
        raise DatabaseRefusal("facts.json of another version of Headcount", site.name, "build the site again from the counters")
    return ledger


def fingerprints(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Rows and content hash of every table, independent of row order, and the hash of every view's definition."""
    names = connection.execute(
        "select table_name from duckdb_tables() where not internal and database_name <> 'temp' order by table_name"
    ).fetchall()
    found = {}
    for (name,) in names:
        rows, total = connection.execute(
            f"select count(*), sum(md5_number_lower(content::varchar)::hugeint) from (select {name} as content from {name})"
        ).fetchall()[0]
        found[name] = f"{rows}:{total or 0}"
    views = "select view_name, md5(sql) from duckdb_views() where not internal and database_name <> 'temp' order by view_name"
    return found | {f"view {name}": digest for name, digest in connection.execute(views).fetchall()}


DOWNLOAD = "data/headcount.duckdb"


def manifest(site: Path) -> dict[str, str]:
    """SHA-256 of every file of a site but facts.json, which holds them, and the database, which is compared table by table."""
    left_out = (site / "facts.json", site / DOWNLOAD)
    files = (path for path in site.rglob("*") if path.is_file() and path not in left_out)
    return {path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def compare_files(site: Path, ledger: dict[str, Any], published: Path) -> list[str]:
    """Files that were changed, added or removed: pictures, specifications and downloads speak too."""
    found, expected = manifest(site), ledger["files"]
    names = sorted(found.keys() | expected.keys())
    changed = [name for name in names if found.get(name) != expected.get(name)]
    return [f"{name} is not the file that was built" for name in [*changed, *changed_download(site, ledger, published)]]


def changed_download(site: Path, ledger: dict[str, Any], published: Path) -> list[str]:
    """The downloadable database, where it is missing or says anything else than the published file."""
    with contextlib.suppress(OSError):
        # The same bytes, as after a build: the published file's own tables are compared anyway, and it takes seconds.
        if filecmp.cmp(site / DOWNLOAD, published, shallow=False):
            return []
    try:
        with duckdb.connect(str(site / DOWNLOAD), read_only=True, config={"enable_external_access": False}) as connection:
            return [] if fingerprints(connection) == ledger["tables"] else [DOWNLOAD]
    except duckdb.Error:
        return [DOWNLOAD]


def compare_tables(connection: duckdb.DuckDBPyConnection, ledger: dict[str, Any]) -> list[str]:
    """Tables whose content is not the one the site was made from."""
    found = fingerprints(connection)
    names = sorted(found.keys() | ledger["tables"].keys())
    return [f"{name} is not what the site was built from" for name in names if found.get(name) != ledger["tables"].get(name)]


@dataclass
class Recount:
    """Asks every question again and compares facts, pages and claims."""

    connection: duckdb.DuckDBPyConnection
    ledger: dict[str, Any]

    def __post_init__(self) -> None:
        self.facts = {fact["id"]: fact for fact in self.ledger["facts"]}
        self.claims = {claim["id"]: claim for claim in self.ledger["claims"]}
        self.answers: dict[tuple[str, str], list[dict[str, Any]]] = {}
        # Each view once, not once per question: they are the file's own, computed from its counters.
        for view in queries.views():
            self.connection.execute(f"create temp table {view.id} as from {view.id}")

    def differences(self, site: Path) -> list[str]:
        """All differences, facts before claims before pages."""
        found = [text for fact in self.facts.values() if (text := self.compare_fact(fact))]
        found += [text for claim in self.claims.values() if (text := self.compare_claim(claim))]
        for page in sorted(site.rglob("*.html")):
            found += [f"{page.relative_to(site)}: {text}" for text in self.compare_page(LexborHTMLParser(page.read_text(encoding="utf-8")))]
        return found

    def answer(self, question: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
        """The file's answer to a question, asked once."""
        place = (question, json.dumps(parameters, sort_keys=True))
        if place not in self.answers:
            answer = self.connection.execute(queries.question(question).sql, parameters)
            columns = [column[0] for column in answer.description or ()]
            self.answers[place] = [dict(zip(columns, map(as_json, row), strict=True)) for row in answer.fetchall()]
        return self.answers[place]

    def compare_fact(self, fact: dict[str, Any]) -> str | None:
        """What is wrong with a fact, or nothing."""
        query = queries.questions().get(fact["question"])
        if query is None or query.sha256 != fact["sha256"]:
            return f"fact {fact['id']}: its question has changed; build the site again"
        rows = [
            row
            for row in self.answer(fact["question"], fact["parameters"])
            if all(row.get(name) == value for name, value in fact["key"].items())
        ]
        if len(rows) != 1 or fact["column"] not in rows[0]:
            return f"fact {fact['id']}: the file has {len(rows)} such rows"
        if rows[0][fact["column"]] != fact["value"]:
            return f"fact {fact['id']}: the site says {fact['value']}, the file {rows[0][fact['column']]}"
        if fact["text"] != spelling(fact["column"], fact["value"]):
            return f"fact {fact['id']}: {fact['value']} is not written {fact['text']}"
        return None

    def compare_claim(self, claim: dict[str, Any]) -> str | None:
        """What is wrong with a claim, or nothing."""
        missing = [fact for fact in claim["facts"].values() if fact not in self.facts]
        if missing:
            return f"claim {claim['id']}: no fact {missing[0]}"
        decision = RULES[claim["kind"]]({name: self.facts[fact]["value"] for name, fact in claim["facts"].items()})
        if decision != claim["decision"]:
            return f"claim {claim['id']}: the site decided {claim['decision']}, the facts say {decision}"
        return None

    def compare_page(self, page: LexborHTMLParser) -> list[str]:
        """What is wrong with a page."""
        found = [text for node in page.css("data[data-fact]") if (text := self.compare_rendered_fact(node))]
        found += [text for node in page.css("[data-claim]") if (text := self.compare_rendered_claim(node))]
        found += [f"a digit outside a fact: {text}" for section in page.css("[data-generated]") for text in stray_digits(section)]
        return found

    def compare_rendered_fact(self, node: LexborNode) -> str | None:
        """What is wrong with a number on a page, or nothing."""
        name, value, text = node.attributes.get("data-fact") or "", node.attributes.get("value") or "", node.text()
        fact = self.facts.get(name)
        if fact is None:
            return f"{text} claims to be fact {name}, which facts.json lacks"
        if value != ("" if fact["value"] is None else str(fact["value"])):
            return f"{name}: value {value} in the page, {fact['value']} in facts.json"
        spellings = {fact["text"]}
        if isinstance(fact["value"], int) and 0 <= fact["value"] < len(NUMBER_WORDS):
            spellings.add(NUMBER_WORDS[fact["value"]])
        # A count in words or a name may open a sentence.
        spellings |= {written[:1].upper() + written[1:] for written in spellings}
        return None if text in spellings else f"{name}: the page reads {text}, the fact {fact['text']}"

    def compare_rendered_claim(self, node: LexborNode) -> str | None:
        """What is wrong with a judging phrase on a page, or nothing."""
        claim = self.claims.get(node.attributes.get("data-claim") or "")
        if claim is None:
            return f"“{node.text()}” is no claim of facts.json"
        phrases = {phrase.format(**claim["words"]) for phrase in PHRASES[claim["kind"]][claim["decision"]]}
        return None if node.text() in phrases else f"claim {claim['id']}: “{node.text()}” does not follow from {claim['decision']}"


def stray_digits(section: LexborNode) -> list[str]:
    """Pieces of visible text that hold a digit, in a generated section, outside facts and code."""
    clone = LexborHTMLParser(section.html or "")
    for node in clone.css("data[data-fact], [data-claim], code, pre, template, script, style, svg"):
        node.decompose()
    return [piece.strip() for piece in (clone.text(separator="\n") or "").splitlines() if re.search(r"\d", piece)]


def spelling(column: str, value: Any) -> str:
    """How a value of a column is written."""
    if value is None:
        return "n/a"
    if isinstance(value, bool | str):
        return str(value)
    ending = column.rsplit("_", 1)[-1]
    if column.endswith(WHOLE):
        text = format(value, ".0f")
    elif ending in ONE_DECIMAL:
        text = format(value, ".1f")
    elif ending == "p":
        digits = format(value, ".3f" if value < 0.1 else ".2f")
        text = "< .001" if value < 0.001 else f"= {digits.lstrip('0')}"
    elif ending in TWO_DECIMALS:
        text = format(value, ".2f")
    else:
        text = format(value, ",") if isinstance(value, int) else format(value, ".3g")
    return text.replace("-", "−")


def as_json(value: Any) -> Any:
    """A DuckDB value as facts.json holds it."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value
