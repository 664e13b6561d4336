"""Examples planted in a counters file: every head's tokens, texts and sources are chosen, some of them hostile."""

import sys
from pathlib import Path

import duckdb
from planting import insert

WORDS = [
    " the",
    " city",
    "<script>alert(1)</script>",
    "\n",
    " lies",
    " 日本",
    " & so",
    "`{{ 7 }}`",
    "\t",
    " on",
    " [x](javascript:y)",
    "\x07",
]
KINDS = (("largest", 0.0, sys.float_info.max), ("band_0", 0.0, 0.25), ("band_1", 0.25, 1.0), ("band_2", 1.0, sys.float_info.max))
TITLE = "A <b>title</b> & 12"


def word(window: int, position: int) -> str:
    """The token at a place: the start token, or one of WORDS by turns."""
    return "<|endoftext|>" if position == 0 else WORDS[(window + position) % len(WORDS)]


def add_examples(path: Path, run_id: str = "toy", windows: int = 4, kept: int = 20) -> Path:
    """Twenty examples of every kind for each head of a run; head (l, h)'s largest, number k, has r = 9 - k / 10 + h / 100."""
    with duckdb.connect(str(path)) as connection:
        heads = connection.execute("select layer, head from head where run_id = $1 order by layer, head", [run_id]).fetchall()
        known = connection.execute("select count(*) from example_kind").fetchall()[0][0]
        if not known:
            kinds = [(kind, ordinal, low, high, kept, 16, 4) for ordinal, (kind, low, high) in enumerate(KINDS)]
            insert(connection, "example_kind", kinds)
        insert(connection, "example_token", [(run_id, w, p, word(w, p)) for w in range(windows) for p in range(101)])
        insert(connection, "window_document", [(run_id, w, 1, TITLE if w % 2 else None) for w in range(windows)])
        rows = []
        for layer, head in heads:
            for ordinal, (kind, low, _) in enumerate(KINDS):
                for k in range(kept):
                    norm = 9 - k / 10 + head / 100 if ordinal == 0 else low + 0.01 * (k + 1)
                    window, position = (layer + k) % windows, 2 + (7 * k + 3 * head + ordinal) % 99
                    rows.append((run_id, 0, layer, head, kind, window, position, norm, k, position - 1 - k % 2, 0.5 + k / 100))
        insert(connection, "example", rows)
    return path
