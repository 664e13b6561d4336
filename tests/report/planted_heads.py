"""Planted heads with planted scores, as `python -m extract prove` writes them."""

from pathlib import Path

import duckdb
from planting import insert

# In the order of the page.
DETECTORS = {
    "induction_mass": "induction",
    "previous_token_mass": "previous",
    "duplicate_token_mass": "duplicate",
    "self_mass": "self",
    "sink_mass": "sink",
}
TEXTS = {"prose": 0.01, "code": 0.02, "json": 0.03, "repeated": 0.0}
# Tokens scored, and per cent of them that a detector takes wrongly, once per hundredth: 1.25 % of prose, 2.5 % of code.
TOKENS, PER_HUNDREDTH = 400, 1.25


def add_planted_heads(path: Path) -> Path:
    """Every detector gives its own head 3/4, and any other PER_HUNDREDTH per cent for each of the text's hundredths."""
    rows = []
    for family in ("gpt2", "llama"):
        for text, hundredths in TEXTS.items():
            for head, planted_as in enumerate([*DETECTORS.values(), "uniform"]):
                for measure, own in DETECTORS.items():
                    name = f"{measure}_repeated" if text == "repeated" and own in ("duplicate", "induction") else measure
                    total = 0.75 * TOKENS if planted_as == own else hundredths * PER_HUNDREDTH * TOKENS
                    rows.append(("1, Python 3", family, text, 0, head, planted_as, name, TOKENS, total))
    with duckdb.connect(str(path)) as connection:
        insert(connection, "planted_score", rows)
    return path
