"""Mutations of the HTML: numbers, phrases, words, units, tables, links, pictures and titles."""

import html
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from mutations import Kind, Mutation

FACT = re.compile(r'<a class="fact(?: sentence)?" href="#query-(\w+)"><data value="([^"]*)" data-fact="([^"]*)">([^<]*)</data></a>')
CLAIM = re.compile(r'<span data-claim="([^"]*)">([^<]*)</span>')


@cache
def texts(site: Path) -> dict[str, str]:
    """The pages that hold facts, by name."""
    pages = {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in sorted(site.rglob("*.html"))}
    return {name: text for name, text in pages.items() if "data-fact" in text}


def article(text: str) -> tuple[int, int]:
    """Where a page's own text begins and ends."""
    return text.index("<article"), text.rindex("</article>")


def put(text: str, match: re.Match[str], replacement: str) -> str:
    """A text with a match replaced."""
    return text[: match.start()] + replacement + text[match.end() :]


def anywhere(pattern: str, change: Callable[[re.Match[str], random.Random, str], str | None], flags: int = 0, whole: bool = False) -> Kind:
    """A kind of mutation that changes one match of a pattern, in the text of a page or in the whole of it."""
    compiled = re.compile(pattern, flags)

    def kind(site: Path, rng: random.Random) -> Iterator[Mutation]:
        pages = texts(site)
        for _ in range(2000):
            name = rng.choice(sorted(pages))
            text = pages[name]
            start, end = (0, len(text)) if whole else article(text)
            matches = list(compiled.finditer(text, start, end))
            if not matches:
                continue
            match = rng.choice(matches)
            replacement = change(match, rng, text)
            if replacement is not None:
                what = f"{name}: {match.group(0)[:90]!r} → {replacement[:90]!r}"
                yield Mutation(named(kind), what, ((name, put(text, match, replacement).encode()),))

    return kind


def named(kind: Kind) -> str:
    """The name of a kind of mutation, in words."""
    return kind.__name__.replace("_", " ")


def other_digit(text: str, rng: random.Random) -> str | None:
    """A text with one digit changed."""
    places = [place for place, letter in enumerate(text) if letter.isdecimal()]
    if not places or text.startswith("&#"):
        return None
    place = rng.choice(places)
    return text[:place] + rng.choice([digit for digit in "0123456789" if digit != text[place]]) + text[place + 1 :]


def fact_digit(match: re.Match[str], rng: random.Random, _: str) -> str | None:
    plain = html.unescape(match.group(4))
    changed = other_digit(plain, rng)
    return changed and match.group(0).replace(f">{match.group(4)}<", f">{html.escape(changed)}<")


def fact_value(match: re.Match[str], rng: random.Random, _: str) -> str | None:
    changed = other_digit(match.group(2), rng) or f"{match.group(2)}s"
    return match.group(0).replace(f'value="{match.group(2)}"', f'value="{changed}"')


def fact_link(match: re.Match[str], rng: random.Random, text: str) -> str | None:
    others = sorted(set(re.findall(r'id="query-(\w+)"', text)) - {match.group(1)})
    return match.group(0).replace(f"#query-{match.group(1)}", f"#query-{rng.choice(others)}") if others else None


def other_phrase(match: re.Match[str], rng: random.Random, _: str) -> str | None:
    from report.claims import PHRASES

    kind = html.unescape(match.group(1)).rpartition("/")[2]
    words = re.search(r"[Tt]he ([\w\s]+) band", match.group(2))
    filled = {"high": words.group(1) if words else "", "low": words.group(1) if words else ""}
    own = next((decision for decision, said in PHRASES[kind].items() if match.group(2) in {text.format(**filled) for text in said}), None)
    others = sorted(
        {text.format(**filled) for decision, said in PHRASES[kind].items() if decision != own for text in said} - {match.group(2)}
    )
    # Two decisions of one kind may share a word: then the page says nothing else.
    return match.group(0).replace(f">{match.group(2)}<", f">{rng.choice(others)}<") if own and others else None


def unit(match: re.Match[str], rng: random.Random, _: str) -> str | None:
    others = {"%": ["tokens", "points"], "points": ["%", "heads"], "heads": ["tokens", "layers", "%"], "tokens": ["heads", "%"]}
    return match.group(1) + rng.choice(others[match.group(2)])


def negation(match: re.Match[str], rng: random.Random, _: str) -> str:
    return match.group(0) + rng.choice([" not", " no", " hardly", " never"])


ANTONYMS = {
    "higher": "lower", "lower": "higher", "widest": "narrowest", "narrowest": "widest", "deeper": "shallower", "another": "no other",
    "only": "also", "largest": "smallest", "busiest": "quietest", "quietest": "busiest", "least": "most", "first": "last", "exact": "rough",
}  # fmt: skip


def antonym(match: re.Match[str], _: random.Random, __: str) -> str:
    return ANTONYMS[match.group(0)]


def swapped_rows(match: re.Match[str], rng: random.Random, _: str) -> str | None:
    rows = re.findall(r"<tr>.*?</tr>", match.group(0), re.DOTALL)
    if len(rows) < 2:
        return None
    one, other = sorted(rng.sample(range(len(rows)), 2))
    rows[one], rows[other] = rows[other], rows[one]
    return "<tbody>\n" + "\n".join(rows) + "\n</tbody>"


def swapped_cells(match: re.Match[str], rng: random.Random, _: str) -> str | None:
    cells = list(re.finditer(r"<td[^>]*>(.*?)</td>", match.group(0), re.DOTALL))
    if len(cells) < 2:
        return None
    one, other = sorted(rng.sample(range(len(cells)), 2))
    if visible(cells[one].group(1)) == visible(cells[other].group(1)):
        return None
    whole = match.group(0)
    first, second = cells[one], cells[other]
    return whole[: first.start(1)] + second.group(1) + whole[first.end(1) : second.start(1)] + first.group(1) + whole[second.end(1) :]


def visible(markup: str) -> str:
    """Text without tags."""
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


def literal_digit(match: re.Match[str], rng: random.Random, _: str) -> str:
    return match.group(0) + f" {rng.randint(2, 99)}"


def other_word(match: re.Match[str], _: random.Random, __: str) -> str:
    return match.group(1) + "Another " + match.group(2)


def query_text(match: re.Match[str], rng: random.Random, _: str) -> str | None:
    names = re.findall(r'<span class="n">(\w+)</span>', match.group(0))
    name = rng.choice(names)
    return match.group(0).replace(f'<span class="n">{name}</span>', '<span class="n">something_else</span>', 1)


def query_parameter(match: re.Match[str], _: random.Random, __: str) -> str:
    return match.group(0).replace("</code>", "_too</code>")


def specified_digit(match: re.Match[str], rng: random.Random, _: str) -> str | None:
    bars = r"&quot;(?:heads|percent|low|high)&quot;: (?:&quot;)?(\d+)"
    points = r"&quot;(?:value|share|threshold|rise|text|label)&quot;: (?:&quot;)?(\d+)"
    number = rng.choice(list(re.finditer(bars, match.group(0))) or list(re.finditer(points, match.group(0))))
    changed = str(int(number.group(1)) + rng.randint(1, 9))
    return match.group(0)[: number.start(1)] + changed + match.group(0)[number.end(1) :]


def measured_digit(match: re.Match[str], rng: random.Random, _: str) -> str | None:
    changed = other_digit(match.group(2), rng)
    return changed and match.group(1) + changed


def kinds() -> list[Kind]:
    """Kinds that change one place of one page."""
    table = (r"<tbody>(?:(?!</tbody>).)*data-fact.*?</tbody>", re.DOTALL)
    claim, fact = CLAIM.pattern, FACT.pattern
    prose = r"(?<=</a>)( heads?| fall in| of| it holds| tokens in| in| layers)(?= )"
    found = {
        "digit in a fact's text": anywhere(fact, fact_digit),
        "value of a fact": anywhere(fact, fact_value),
        "query a fact leads to": anywhere(fact, fact_link),
        "phrase for another of its kind": anywhere(claim, other_phrase),
        "unit": anywhere(r"(</data></a>\)? )(%|points|heads|tokens)", unit),
        "negation": anywhere(prose, negation),
        "word for its opposite": anywhere(rf"(?<=[ *>])(?:{'|'.join(ANTONYMS)})(?= \w)(?![^<]*</template>)(?![^<]*\">)", antonym),
        "rows swapped": anywhere(table[0], swapped_rows, table[1]),
        "cells swapped": anywhere(table[0], swapped_cells, table[1]),
        "digit from a template": anywhere(r"(?<=</a>)(?: heads| %|:| tokens)", literal_digit),
        "heading": anywhere(r'(<h[1-3] id="[^"]*">)([A-Z]\w+)', other_word),
        "title": anywhere(r"(<title>)(\w+)", other_word, whole=True),
        "query shown": anywhere(r'<div class="query".*?</details>', query_text, re.DOTALL),
        "parameter shown": anywhere(r"= <code>[^<]*</code>", query_parameter),
        "size of a file": anywhere(r"(data-measure=.(?:bytes|rows|sha256).>)([^<]*\d[^<]*)(?=<)", measured_digit),
        "specification in the page": anywhere(r'<template class="chart-spec">.*?</template>', specified_digit, re.DOTALL),
    }
    for name, kind in found.items():
        kind.__name__ = name
    return list(found.values())
