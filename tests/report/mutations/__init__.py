"""Seeded mutations of a built site and its file: each changes what the site says, and the check must turn red."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutation:
    """Files of a site with other content; `same` says why nothing that the site says is changed, where that is so."""

    kind: str
    what: str
    files: tuple[tuple[str, bytes], ...]
    same: str = ""


# Gives mutations of one kind without end, drawn by the generator; those that come out as the site was are drawn again.
Kind = Callable[[Path, random.Random], Iterator[Mutation]]


def drawn(kind: Kind, site: Path, seed: int, count: int) -> list[Mutation]:
    """The first `count` different mutations of a kind."""
    found: dict[tuple[tuple[str, bytes], ...], Mutation] = {}
    for tried, mutation in enumerate(kind(site, random.Random(f"{kind.__name__} {seed}"))):
        if mutation.files and all((site / name).read_bytes() != content for name, content in mutation.files):
            found.setdefault(mutation.files, mutation)
        if len(found) == count or tried > 50 * count:
            break
    assert found, f"no {kind.__name__} to be had"
    return list(found.values())
