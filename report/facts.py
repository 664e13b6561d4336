"""Facts: the only way a number – or a name that holds digits – reaches a page.

A fact says which question (.sql), with which parameters, which row and which column it came from; `facts.json` publishes them all, and
`report check` asks the same questions again. A fact renders as `<data value="VALUE" data-fact="ID">TEXT</data>` inside a link to its query
on the same page."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from report import queries
from report.errors import DatabaseRefusal

Value = str | int | float | bool | None
# Characters of a value that is read as a number or a name, not as a sentence.
SHORT = 40
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

# How a column is written, by the end of its name (the first that fits), so that one quantity looks the same wherever it stands.
# `report check` has a table of its own.
STYLES = (
    ("pair_pct", "whole"),
    ("level_pct", "whole"),
    ("low_pct", "whole"),
    ("high_pct", "whole"),
    ("pct", "one decimal"),
    ("points", "one decimal"),
    ("nats", "three decimals"),
    ("millinats", "two decimals"),
    ("half_correlation", "four decimals"),
    ("reliability", "four decimals"),
    ("correlation", "two decimals"),
    ("p", "p-value"),
    ("effect", "two decimals"),
    ("ratio", "two decimals"),
    ("norm", "two decimals"),
    ("mean", "two decimals"),
    ("value", "two decimals"),
    ("low", "two decimals"),
    ("high", "two decimals"),
)


def style_of(column: str) -> str:
    """The style in which a column is written; the plain style where no ending fits."""
    return next((style for ending, style in STYLES if column == ending or column.endswith(f"_{ending}")), "plain")


def text_of(value: Value, style: str) -> str:
    """The text of a value in one of the styles; integers are grouped by commas, names stay as they are."""
    if value is None:
        return "n/a"
    if isinstance(value, bool | str):
        return str(value)
    match style:
        case "one decimal":
            text = f"{value:.1f}"
        case "two decimals":
            text = f"{value:.2f}"
        case "three decimals":
            text = f"{value:.3f}"
        case "four decimals":
            text = f"{value:.4f}"
        case "whole":
            text = f"{value:.0f}"
        case "p-value":
            text = "< .001" if value < 0.001 else ("= " + f"{value:.3f}".lstrip("0") if value < 0.1 else "= " + f"{value:.2f}".lstrip("0"))
        case _:
            text = f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
    return text.replace("-", "−")


@dataclass(frozen=True)
class Fact:
    """One value of one row of one question's answer."""

    id: str
    question: str
    parameters: tuple[tuple[str, str], ...]
    key: tuple[tuple[str, Value], ...]
    column: str
    value: Value
    text: str

    def __str__(self) -> str:
        return self.render(self.text)

    @property
    def word(self) -> str:
        """The fact with a count to nine written as a word."""
        return self.render(self.in_words())

    @property
    def Word(self) -> str:
        """The fact as a word that opens a sentence; a name gets a capital."""
        text = self.in_words()
        return self.render(text[:1].upper() + text[1:])

    def in_words(self) -> str:
        """The text of a count to nine in words; any other as it is."""
        return WORDS[self.value] if isinstance(self.value, int) and 0 <= self.value < len(WORDS) else self.text

    def render(self, text: str) -> str:
        """The fact as HTML that links to its query; `text` is one of its spellings."""
        value = inert("" if self.value is None else str(self.value))
        fact = f'<data value="{value}" data-fact="{inert(self.id, keep="_/")}">{inert(text)}</data>'
        # A sentence is a fact too; it is underlined more quietly than a number.
        kind = "fact sentence" if len(text) > SHORT else "fact"
        return f'<a class="{kind}" href="#query-{self.question}">{fact}</a>'


def inert(text: str, keep: str = "") -> str:
    """Text as HTML that neither Markdown nor a browser takes for anything else.

    All but letters, digits and plain marks become numeric entities; `keep` lists marks that are harmless where the text will stand.
    """
    plain_marks = " .,%–−" + keep
    return "".join(letter if letter.isalnum() or letter in plain_marks else f"&#{ord(letter)};" for letter in text)


@dataclass
class Ledger:
    """All facts and claims of a site; asks the published file, and is published as facts.json."""

    connection: duckdb.DuckDBPyConnection
    facts: dict[str, Fact] = field(default_factory=dict)
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    charts: dict[str, dict[str, Any]] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    # Of each home's pages of heads: the questions, whose rows are not entered one by one.
    heads: dict[str, dict[str, Any]] = field(default_factory=dict)

    def ask(self, question: str, **parameters: str) -> list[dict[str, Fact]]:
        """The rows of a question's answer, each value a fact by its column name.

        Raises:
            DatabaseRefusal: DuckDB cannot answer; the file is damaged or was changed by hand.
        """
        query = queries.question(question)
        rows = self.answer(query, parameters)
        return [{column: self.note(query, parameters, row, column) for column in row} for row in rows]

    def draw(self, slug: str, question: str, **parameters: str) -> list[dict[str, Fact]]:
        """The rows of a question's answer for a chart of many points, which are not entered one by one: the chart names its question."""
        query = queries.question(question)
        self.charts[slug] = {"question": query.id, "sha256": query.sha256, "parameters": parameters}
        rows = self.answer(query, parameters)
        return [{column: fact_of(query, parameters, row, column) for column in row} for row in rows]

    def answer(self, query: queries.Query, parameters: dict[str, str]) -> list[dict[str, Value]]:
        """The rows of a question's answer as JSON knows them; raises DatabaseRefusal as `ask`."""
        try:
            answer = self.connection.execute(query.sql, parameters)
            columns = [column[0] for column in answer.description or ()]
            return [dict(zip(columns, map(plain, row), strict=True)) for row in answer.fetchall()]
        except duckdb.Error as error:
            raise DatabaseRefusal(
                f"{query.id} failed: {str(error).splitlines()[0]}", "published file", "publish it again from the counters"
            ) from error

    def one(self, question: str, **parameters: str) -> dict[str, Fact]:
        """The only row of a question's answer."""
        rows = self.ask(question, **parameters)
        if len(rows) != 1:
            raise DatabaseRefusal(
                f"{question} gave {len(rows)} rows instead of one", "published file", "publish it again from the counters"
            )
        return rows[0]

    def note(self, query: queries.Query, parameters: dict[str, str], row: dict[str, Value], column: str) -> Fact:
        """One fact, entered in the ledger."""
        fact = fact_of(query, parameters, row, column)
        self.facts[fact.id] = fact
        return fact

    def entries(self) -> Iterator[dict[str, Any]]:
        """The facts as facts.json holds them, in order of their ids."""
        for name in sorted(self.facts):
            fact = self.facts[name]
            yield {
                "id": fact.id,
                "question": fact.question,
                "sha256": queries.question(fact.question).sha256,
                "parameters": dict(fact.parameters),
                "key": dict(fact.key),
                "column": fact.column,
                "value": fact.value,
                "text": fact.text,
            }

    def write(self, path: Path, inputs: str, tables: dict[str, str], files: dict[str, str]) -> None:
        """Publish as JSON, one fact per line; `tables` are the fingerprints of the published file, `inputs` of what the site is made
        from."""
        # A decision that no page words is not published: nobody could hold the site to it.
        claims = [self.claims[name] for name in sorted(self.claims.keys() & self.said)]
        lines = ",\n".join(script_safe(entry) for entry in self.entries())
        judged = ",\n".join(script_safe(claim) for claim in claims)
        about = {"inputs": inputs, "tables": tables, "files": files, "charts": self.charts, "heads": self.heads}
        head = ",\n".join(f'"{name}": {script_safe(value)}' for name, value in about.items())
        path.write_text(f'{{{head},\n"facts": [\n{lines}\n],\n"claims": [\n{judged}\n]}}\n', encoding="utf-8")


def fact_of(query: queries.Query, parameters: dict[str, str], row: dict[str, Value], column: str) -> Fact:
    """One value of one row of a question's answer."""
    key = tuple((name, row[name]) for name in query.key)
    place = "/".join([*parameters.values(), query.id, *(str(value) for _, value in key), column])
    return Fact(place, query.id, tuple(sorted(parameters.items())), key, column, row[column], text_of(row[column], style_of(column)))


def plain(value: Any) -> Value:
    """A DuckDB value as JSON knows it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, str | int | bool) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise TypeError(f"a question gave {value!r} of type {type(value).__name__}: its SQL must cast it, or keep it finite")


def script_safe(value: Any, compact: bool = False) -> str:
    """JSON that can stand inside HTML: no NaN, and nothing a browser takes for markup; `compact` leaves out the spaces between."""
    separators = (",", ":") if compact else None
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=separators)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
