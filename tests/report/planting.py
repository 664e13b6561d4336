"""Real counters files with planted numbers: every head's activation is chosen, so every count on a page can be worked out by hand."""

import json
import sys
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

ROOT = Path(__file__).parents[2]
MAX = sys.float_info.max
EDGES = sorted({2 ** (k / 8) for k in range(-64, 33)} | {1 / 3, 3 / 4})
MEANS = {
    "sink_mass": ("Attention to the first token", "share", 0.0, 1.0),
    "previous_token_mass": ("Attention to the previous token", "share", 0.0, 1.0),
    "entropy": ("Attention entropy", "share", 0.0, 1.0),
    "residual_share": ("Output relative to the residual stream", "1", 0.0, MAX),
    "non_sink_windows_pct": ("Windows not dominated by the first token", "%", 0.0, 100.0),
}
BINNED = {
    "activation_pct": "relative_norm",
    "deviation_activation_pct": "relative_deviation",
    "residual_activation_pct": "residual_share",
}
COUNTS = ROOT / "runs" / "gpt2-xl-published-counts.csv"


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple]) -> None:
    names = [
        name
        for (name,) in connection.execute(
            "select column_name from duckdb_columns() where table_name = $1 order by column_index", [table]
        ).fetchall()
    ]
    columns = {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    batch = pa.table(columns)
    connection.register("batch", batch)
    connection.execute(f"insert into {table} select * from batch")
    connection.unregister("batch")


def write_counters(
    path: Path,
    active: np.ndarray,
    run_id: str = "toy",
    shards: int = 8,
    tokens: int = 100,
    wobble: int = 2,
    title: str | None = None,
    shards_done: int | None = None,
) -> Path:
    """A counters file with one measured run: head (layer, head) is active on about `active[layer, head]` per cent of its tokens in every
    shard."""
    layers, heads = active.shape
    fresh = not path.exists()
    with duckdb.connect(str(path)) as connection:
        if fresh:
            connection.execute((ROOT / "extract" / "schema.sql").read_text())
            connection.execute("insert into schema_version values (4)")
            lows, highs = [0.0, *EDGES], [*EDGES, MAX]
            for kind in ("relative_norm", "relative_deviation", "residual_share"):
                insert(
                    connection, "histogram_bin", [(kind, bin, low, high) for bin, (low, high) in enumerate(zip(lows, highs, strict=True))]
                )
            rows = [
                (id, title_, unit, low, high, "planted", "none", "planted", 1, None, None, None)
                for id, (title_, unit, low, high) in MEANS.items()
            ]
            for id, kind in BINNED.items():
                rows.append((id, id, "%", 0.0, 100.0, "planted", "none", "planted", 1, None, None, kind))
            for row in rows:
                connection.execute(f"insert into measure values ({', '.join('?' * 12)})", row)
        run = (
            run_id,
            "measured",
            title or run_id,
            "planted",
            None,
            "0" * 64,
            None,
            "planted text",
            "1" * 64,
            "CC0",
            layers,
            heads,
            tokens + 1,
            shards,
            shards,
        )
        run += (
            1,
            0,
            "float32",
            "cpu",
            "a planted processor",
            "none",
            json.dumps({"python": "3"}),
            json.dumps({"window": tokens + 1}),
            None,
            date(2026, 1, 2),
        )
        connection.execute(f"insert into run values ({', '.join('?' * len(run))})", run)
        insert(connection, "head", [(run_id, layer, head, head) for layer in range(layers) for head in range(heads)])
        done = shards if shards_done is None else shards_done
        insert(connection, "shard", [(run_id, shard, 1, tokens, "committed") for shard in range(done)])
        stats, bins = [], []
        half, edge = EDGES.index(0.5) + 1, EDGES.index(2**-4)
        for shard in range(done):
            shift = wobble if shard % 2 else -wobble
            for layer in range(layers):
                for head in range(heads):
                    busy = int(np.clip(active[layer, head] + (shift if 0 < active[layer, head] < 100 else 0), 0, 100)) * tokens // 100
                    for kind, bin in (("relative_norm", half), ("relative_deviation", half), ("residual_share", edge)):
                        bins += [(run_id, shard, kind, layer, head, b, n) for b, n in ((bin, busy), (bin - 1, tokens - busy)) if n]
                    share = busy / tokens
                    for id in MEANS:
                        n = 1 if id == "non_sink_windows_pct" else tokens
                        value = {"residual_share": 0.12, "non_sink_windows_pct": 100.0 * (share > 0.5)}.get(id, share)
                        stats.append((run_id, shard, layer, head, id, n, value * n, value * value * n))
        insert(connection, "shard_stat", stats)
        insert(connection, "shard_histogram", bins)
        worked = [
            (run_id, layers // 2, head, 0, 3, "the heads of a ", "model", " are counted", 1.0 + head, (heads + 1) / 2)
            for head in range(heads)
        ]
        insert(connection, "worked_token", worked)
    return path


def add_published_counts(path: Path, rows: list[tuple] | None = None) -> Path:
    """The reference figure's counts (or others of the same columns), as import-counts writes them."""
    with duckdb.connect(str(path)) as connection:
        table = connection.execute("select * from read_csv($1)", [str(COUNTS)]).fetchall() if rows is None else rows
        for row in table:
            connection.execute(
                "insert into published_count values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [row[0], "GPT-2 xl", "a published figure", 1200, *row[1:]],
            )
        insert_run = "insert into run (run_id, kind, title, source) values ($1, 'imported', 'GPT-2 xl', 'a published figure')"
        connection.execute(insert_run, [table[0][0]])
    return path


PLANTED = np.array([[10, 90, 95], [30, 90, 90], [50, 88, 100], [70, 85, 90], [90, 10, 90], [15, 50, 10], [35, 10, 15], [0, 55, 95]])


def figures_of(folder: Path, *names: str) -> Path:
    """A folder with these figures of the package's own, by default activation alone: a site of them is built in a quarter of the time."""
    (folder / "figures").mkdir()
    for name in names or ("activation",):
        text = (ROOT / "report" / "figures" / f"{name}.toml").read_text(encoding="utf-8")
        (folder / "figures" / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder / "figures"


def ask(path: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()
