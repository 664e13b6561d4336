"""Seeded damage: one bit flipped, or the end cut off; and what a file of a database holds, to be compared."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

SEED = 20260
Record = Callable[[str, str], None]
Contents = dict[str, list[tuple[object, ...]]]


def flips(content: bytes, trials: int, seed: int) -> Iterator[bytes]:
    """Copies of the bytes with one bit flipped each, drawn uniformly."""
    draw = random.Random(seed)
    for _ in range(trials):
        yield flipped(content, draw.randrange(len(content) * 8))


def flipped(content: bytes, bit: int) -> bytes:
    """A copy of the bytes with this bit flipped."""
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def cuts(content: bytes, trials: int, seed: int) -> Iterator[bytes]:
    """The bytes up to places drawn uniformly."""
    draw = random.Random(seed)
    return (content[: draw.randrange(1, len(content))] for _ in range(trials))


def contents(path: Path) -> Contents:
    """Every row of every table of a file, sorted; read only."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [name for (name,) in connection.execute("select table_name from duckdb_tables() order by all").fetchall()]
        return {name: connection.execute(f"from {name} order by all").fetchall() for name in names}


def check(record: Record, what: str, outcome: str) -> None:
    """Count a trial, and fail where its outcome is a failure."""
    record(what, outcome)
    assert not outcome.startswith(("LET IN", "LOST")), f"{what}: {outcome}"
