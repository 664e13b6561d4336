"""Mutations of the published file, as SQL: counters, edges, labels, thresholds, rows of figures and tests, definitions of views."""

import random
from collections.abc import Iterator
from pathlib import Path

from report import database, queries

# Kind, table, the column that is changed, what to, and which rows are drawn from.
CHANGES = (
    ("shard_stat total", "shard_stat", "total", "total + {n} + 0.5", "true"),
    ("shard_stat n", "shard_stat", "n", "n + {n}", "true"),
    ("shard_histogram n", "shard_histogram", "n", "n + {n}", "true"),
    ("shard_histogram bin", "shard_histogram", "bin", "bin + {n}", "true"),
    ("published_count heads", "published_count", "heads", "heads + {n}", "true"),
    ("planted_score total", "planted_score", "total", "total + {n}", "true"),
    ("band edge", "band", "{edge}", "{edge} + {n} / 8", "low is not null"),
    ("band label", "band", "label", "label || '{n}'", "true"),
    ("band place", "band", "stack_ordinal", "4 - stack_ordinal", "stack_ordinal <> 2"),
    ("layer range edge", "layer_range", "{layer}", "{layer} + {n}", "true"),
    ("layer range label", "layer_range", "label", "label || '{n}'", "true"),
    ("threshold", "figure", "threshold", "threshold + {n} / 8", "threshold is not null"),
    ("figure row", "figure", "{text}", "{text} || ' {n}'", "true"),
    ("test result", "test_result", "p", "abs(p - {n} / 10)", "p is not null"),
    ("run row", "run", "{said}", "{said} || '{n}'", "kind = 'measured'"),
    ("measure row", "measure", "{meaning}", "{meaning} || ' {n}'", "true"),
)
CHOICES = {
    "{edge}": ("low", "high"),
    "{layer}": ("first_layer", "end_layer"),
    "{text}": ("title", "legend"),
    "{said}": ("hardware", "corpus", "dtype", "title"),
    "{meaning}": ("title", "definition", "unit"),
}


def statements(published: Path, rng: random.Random, each: int) -> Iterator[tuple[str, str]]:
    """Kinds and statements, `each` of every kind; a view is changed in one word."""
    with database.read(published) as connection:
        for kind, table, column, value, where in CHANGES:
            rows = [row for (row,) in connection.execute(f"select rowid from {table} where {where} order by rowid").fetchall()]
            for row in rng.sample(rows, min(each, len(rows))):
                chosen = rng.choice(CHOICES.get(column, (column,)))
                changed = value.replace(column, chosen).replace("{n}", str(rng.randint(1, 7)))
                yield kind, f"update {table} set {chosen} = {changed} where rowid = {row}"
    for view in rng.sample(queries.views(), min(2 * each, len(queries.views()))):
        header, _, text = view.sql.partition("\nwith")
        words = [word for word in ("sum(", "count(*)", "max(", "<", "left join", "100", "0", "order by") if word in text]
        word = rng.choice(words)
        other = {"sum(": "max(", "count(*)": "1 + count(*)", "max(": "min(", "<": "<=", "left join": "join", "100": "101", "0": "1"}
        changed = text.replace(word, other.get(word, "order by 1 +"), 1)
        yield "view", f"create or replace view {view.id} as {header}\nwith{changed}"
