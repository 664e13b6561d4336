"""Mutations of the HTML that put one thing in another's place: ids, sentences, links, pictures, descriptions."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

from mutations import Kind, Mutation
from mutations.pages import CLAIM, FACT, anywhere, article, put, texts

SAME = "the page reads the same, and what it reads is true of the other fact or claim too"


def fact_ids(site: Path, rng: random.Random) -> Iterator[Mutation]:
    """A fact's id exchanged for another's of the same page."""
    pages = texts(site)
    while True:
        name = rng.choice(sorted(pages))
        one, other = rng.sample(list(FACT.finditer(pages[name])), 2)
        if one.group(3) != other.group(3):
            changed = put(pages[name], one, one.group(0).replace(one.group(3), other.group(3)))
            alike = one.group(1, 2, 4) == other.group(1, 2, 4)
            what = f"{name}: {one.group(3)} → {other.group(3)}"
            yield Mutation("id of a fact", what, ((name, changed.encode()),), SAME if alike else "")


def claim_ids(site: Path, rng: random.Random) -> Iterator[Mutation]:
    """A claim's id exchanged for another's, of any page."""
    pages = texts(site)
    everything = [match for text in pages.values() for match in CLAIM.finditer(text)]
    while True:
        name = rng.choice([name for name in sorted(pages) if CLAIM.search(pages[name])])
        one, other = rng.choice(list(CLAIM.finditer(pages[name]))), rng.choice(everything)
        # Half of them of the same kind: those are harder to tell.
        same_kind = one.group(1).rpartition("/")[2] == other.group(1).rpartition("/")[2]
        if one.group(1) != other.group(1) and (same_kind or rng.random() < 0.2):
            changed = put(pages[name], one, one.group(0).replace(one.group(1), other.group(1)))
            alike = one.group(2) == other.group(2)
            yield Mutation(
                "id of a claim", f"{name}: {one.group(1)} → {other.group(1)}", ((name, changed.encode()),), SAME if alike else ""
            )


def moved_sentences(site: Path, rng: random.Random) -> Iterator[Mutation]:
    """An observation with a claim taken from one page and put on another."""
    pages = {name: text for name, text in texts(site).items() if re.search(r"<li>(?:(?!</li>).)*data-claim.*?</li>", text)}
    while True:
        one, other = rng.sample(sorted(pages), 2)
        taken = rng.choice(list(re.finditer(r"<li>(?:(?!</li>).)*data-claim.*?</li>", pages[one])))
        place = rng.choice(list(re.finditer(r"<li>(?:(?!</li>).)*data-claim.*?</li>", pages[other])))
        if taken.group(0) != place.group(0):
            changed = (
                (one, put(pages[one], taken, "").encode()),
                (other, put(pages[other], place, place.group(0) + taken.group(0)).encode()),
            )
            yield Mutation("sentence moved", f"{one} → {other}: {taken.group(0)[:80]!r}", changed)


def other_target(folder: str) -> Kind:
    """A link or picture under a folder that leads to another file of it."""
    pattern = rf'(href|src)="((?:\.\./)*{folder}[^"#]*)"'

    def change(match: re.Match[str], rng: random.Random, text: str) -> str | None:
        others = sorted(set(re.findall(pattern, text)) - {match.groups()})
        suffix = match.group(2).rpartition(".")[2]
        others = [
            target for kind, target in others if kind == match.group(1) and (folder == "charts" or target.rpartition(".")[2] == suffix)
        ]
        return f'{match.group(1)}="{rng.choice(others)}"' if others else None

    return anywhere(pattern, change)


def figure_targets(site: Path, rng: random.Random) -> Iterator[Mutation]:
    """A link from a page's text to a figure's page that leads to another figure's."""
    pages = {
        name: text for name, text in texts(site).items() if re.search(r'<a (?:class="[^"]*" )?href="[^"#]+/"', text[slice(*article(text))])
    }
    slugs = sorted(path.parent.relative_to(site / "figures").as_posix() for path in (site / "figures").glob("*/*/index.html"))
    while True:
        name = rng.choice(sorted(pages))
        text = pages[name]
        links = [match for match in re.finditer(r'href="([^"#:]+/)"', text[: article(text)[1]]) if match.start() > article(text)[0]]
        links = [match for match in links if any(slug.rpartition("/")[2] in match.group(1) for slug in slugs)]
        if not links:
            continue
        link = rng.choice(links)
        own = next(slug for slug in slugs if slug.rpartition("/")[2] in link.group(1))
        other = rng.choice([slug for slug in slugs if slug.rpartition("/")[0] == own.rpartition("/")[0] and slug != own] or slugs)
        target = link.group(1).replace(own.rpartition("/")[2], other.rpartition("/")[2])
        yield Mutation("link to a figure", f"{name}: {link.group(1)} → {target}", ((name, put(text, link, f'href="{target}"').encode()),))


def alternative(match: re.Match[str], rng: random.Random, _: str) -> str | None:
    words = {"Most": "Few", "No ": "One ", "lower": "higher", "gains": "loses", "fall in": "miss"}
    return next((match.group(0).replace(word, other, 1) for word, other in words.items() if word in match.group(0)), None)


def navigation(match: re.Match[str], rng: random.Random, text: str) -> str | None:
    others = sorted(set(re.findall(r'<a href="([^"#]+)" class="md-nav__link', text)) - {match.group(1)})
    return match.group(0).replace(f'"{match.group(1)}"', f'"{rng.choice(others)}"')


def kinds() -> list[Kind]:
    """Kinds that exchange one thing for another of its sort."""
    found = {
        "id of a fact": fact_ids,
        "id of a claim": claim_ids,
        "sentence moved": moved_sentences,
        "picture or download": other_target("charts"),
        "link to a figure": figure_targets,
        "alternative text": anywhere(r' alt="[^"]+"', alternative),
        "meta description": anywhere(r'<meta name="description" content="[^"]+"', alternative, whole=True),
        "navigation": anywhere(r'<a href="([^"#]+)" class="md-nav__link[^"]*">', navigation, whole=True),
    }
    for name, kind in found.items():
        kind.__name__ = name
    return list(found.values())
