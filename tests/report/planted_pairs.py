"""Planted runs that stand side by side: one model on two texts, and models that others published figures for."""

from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
from planting import insert, write_counters

# Four layers of three heads. L0H0 sleeps on prose and works on code, L3H2 the other way round; L1H1's interval crosses the lowest band's
# edge in prose; all others stay where they are or move a little.
PROSE = np.array([[10, 50, 90], [30, 19, 90], [50, 70, 90], [95, 35, 80]])
CODE = np.array([[90, 50, 94], [30, 95, 90], [62, 70, 90], [95, 35, 12]])


def write_pair(path: Path, prose: np.ndarray = PROSE, code: np.ndarray = CODE, shards: int = 8) -> Path:
    """Runs `toy` on prose and `toy on code` on another text, of the same weights."""
    write_counters(path, prose, shards=shards)
    write_counters(path, code, run_id="toy on code", shards=shards)
    run_sql(path, f"update run set corpus = 'planted code', corpus_sha256 = '{'2' * 64}' where run_id = 'toy on code'")
    return path


def run_sql(path: Path, sql: str) -> None:
    """One statement on a file."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(sql)


def add_model(path: Path, model: str, run_id: str, measure: str, unit: str, values: np.ndarray, high: float = 1.0) -> Path:
    """A measured run of `model` that has one value per head, the same in each of two shards."""
    layers, heads = values.shape
    write_counters(path, np.full((layers, heads), 50), run_id=run_id, shards=2)
    with duckdb.connect(str(path)) as connection:
        connection.execute("update run set model = $1 where run_id = $2", [model, run_id])
        connection.execute("delete from shard_stat where run_id = $1 and measure = $2", [run_id, measure])
        if not connection.execute("select 1 from measure where id = $1", [measure]).fetchall():
            row = (measure, measure, unit, 0.0, high, "planted", "none", "planted", 1, None, None, None)
            connection.execute(f"insert into measure values ({', '.join('?' * 12)})", row)
        rows = [
            (run_id, shard, layer, head, measure, 10, 10 * float(values[layer, head]), 10 * float(values[layer, head]) ** 2)
            for shard in range(2)
            for layer in range(layers)
            for head in range(heads)
        ]
        insert(connection, "shard_stat", rows)
    return path


def add_table(path: Path, run_id: str, measure: str, values: np.ndarray, edges: tuple[float, ...]) -> Path:
    """An imported table of heads, as import-heads writes it."""
    layers, heads = values.shape
    with duckdb.connect(str(path)) as connection:
        row = (measure, measure, "share", 0.0, 1.0, "planted", "a book", "as published", 0, None, None, None)
        connection.execute(f"insert into measure values ({', '.join('?' * 12)})", row)
        connection.execute(
            "insert into run (run_id, kind, title, layers, heads_per_layer, shards, source) "
            "values ($1, 'imported', $1, $2, $3, 1, 'a book')",
            [run_id, layers, heads],
        )
        places = [(layer, head) for layer in range(layers) for head in range(heads)]
        insert(connection, "head", [(run_id, *place, None) for place in places])
        insert(connection, "shard", [(run_id, 0, 0, 0, "committed")])
        insert(
            connection, "shard_stat", [(run_id, 0, *place, measure, 1, float(values[place]), float(values[place]) ** 2) for place in places]
        )
        bands = list(pairwise(edges))
        insert(connection, "imported_band", [(run_id, measure, ordinal, low, high) for ordinal, (low, high) in enumerate(bands)])
    return path
