"""A run whose heads attend as planted: which label each must get is known."""

from pathlib import Path

import duckdb
import numpy as np
from planted_heads import add_planted_heads
from planting import insert, write_counters

from report import detectors, figures, publish, queries

LAYERS, HEADS, SHARDS, TOKENS = 4, 3, 8, 100
CHANCE = 0.02
REPEATED, TEXT, BEFORE, SELF, SINK = (
    "induction_mass_repeated",
    "induction_mass",
    "previous_token_mass",
    "self_mass",
    "sink_mass",
)
MEASURES = [detector.measure for detector in detectors.load()]
# What is planted, as shares of attention; a measure that is not named gets its chance level.
PLANTED_SHARES: dict[tuple[int, int], dict[str, float]] = {
    (0, 0): {BEFORE: 0.9},
    (0, 1): {BEFORE: 0.4},
    (0, 2): {REPEATED: 0.9, TEXT: 0.4},
    (1, 0): {REPEATED: 0.4, TEXT: 0.4},
    (1, 1): {REPEATED: 0.8, SINK: 0.9},
    (1, 2): {SINK: 0.9},
    (2, 0): {SELF: 0.8, "duplicate_token_mass": 0.15},
    (2, 1): {REPEATED: 0.7, BEFORE: 0.7},
    (2, 2): {BEFORE: 0.6},
}
LABELS = {
    (0, 0): "previous token",
    (0, 2): "induction on repeated tokens",
    (1, 0): "induction",
    (1, 1): "induction on repeated tokens",
    (2, 0): "self",
    (2, 1): "induction on repeated tokens",
}


def plant(path: Path, shards: int = SHARDS, run_id: str = "toy", chances: bool = True) -> Path:
    """A run whose heads get PLANTED_SHARES."""
    write_counters(path, np.full((LAYERS, HEADS), 50), run_id=run_id, shards=shards, tokens=TOKENS)
    with duckdb.connect(str(path)) as connection:
        connection.execute("delete from shard_stat where run_id = $1 and measure in (select unnest($2))", [run_id, MEASURES])
    add_detectors(path, run_id)
    if not chances:
        with duckdb.connect(str(path)) as connection:
            connection.execute("delete from shard_stat where run_id = $1 and ends_with(measure, '_chance')", [run_id])
    return path


def add_detectors(path: Path, run_id: str = "toy") -> Path:
    """The detectors' measures that a run has not, with their chance levels: PLANTED_SHARES, give or take .01 by turns from shard to shard;
    head (2, 2) give or take .4."""
    with duckdb.connect(str(path)) as connection:
        places = connection.execute("select shard, layer, head from head join shard using (run_id) where run_id = $1", [run_id]).fetchall()
        present = {name for (name,) in connection.execute("select distinct measure from shard_stat where run_id = $1", [run_id]).fetchall()}
        rows: list[tuple] = []
        for shard, layer, head in places:
            planted = PLANTED_SHARES.get((layer, head), {})
            for measure in MEASURES:
                wobble = (0.4 if (layer, head) == (2, 2) else 0.01) if measure in planted else 0.001
                total = (planted.get(measure, CHANCE) + wobble * (-1) ** shard) * TOKENS
                if measure not in present:
                    rows.append((run_id, shard, layer, head, measure, TOKENS, total, total * total / TOKENS))
                rows.append((run_id, shard, layer, head, f"{measure}_chance", TOKENS, CHANCE * TOKENS, CHANCE**2 * TOKENS))
        insert(connection, "shard_stat", rows)
        known = {name for (name,) in connection.execute("select id from measure").fetchall()}
        for measure in MEASURES:
            for id, of in ((measure, None), (f"{measure}_chance", measure)):
                if id not in known:
                    row = (id, id, "share", 0.0, 1.0, "planted", "none", "planted", 1, None, of, None)
                    connection.execute(f"insert into measure values ({', '.join('?' * 12)})", row)
    return path


def published(folder: Path) -> Path:
    """The run and the proving ground's heads, published."""
    publish.publish(add_planted_heads(plant(folder / "counters.duckdb")), folder / "headcount.duckdb", figures.load())
    return folder / "headcount.duckdb"


def answer(path: Path, question: str, **parameters: str) -> list[dict]:
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute(queries.question(question).sql, {"run_id": "toy", **parameters})
        columns = [column[0] for column in found.description]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
