"""The published figures, and what counts as agreeing with them. Cited, not copied: tables of all heads are read from a file.

Tolerances: a head's score is a mean over fifty sequences, whose draw may differ; a share of sinks also depends on the text."""

from dataclasses import dataclass
from pathlib import Path

GU = "Gu et al., arXiv 2410.10781, table 1"
SONG = "Song et al., Out-of-distribution generalization via composition, released tables"
IOI = "heads named by Wang et al., arXiv 2211.00593; how high they must rank is ours"
OURS = "negative heads named by Wang et al., arXiv 2211.00593; by a copying score of our own"

XL, SMALL = "openai-community/gpt2-xl", "openai-community/gpt2"
RUN_FILES = {XL: Path("runs/gpt2-xl.toml"), SMALL: Path("runs/gpt2.toml")}

Head = tuple[int, int]


@dataclass(frozen=True)
class Sinks:
    """Percentage of windows and heads whose first key gets more than THRESHOLD, by kind of text."""

    theirs: dict[str, float]
    tolerance: dict[str, float]


SINK_WINDOW, SINK_WINDOWS, SINK_THRESHOLD = 64, 100, 0.3
NATURAL, RANDOM, REPEATED = "natural text", "random tokens", "one repeated token"
# Their text is another one; random and repeated tokens are only another draw.
SINKS = Sinks({NATURAL: 77.00, RANDOM: 70.29, REPEATED: 62.28}, {NATURAL: 5.0, RANDOM: 2.0, REPEATED: 2.0})

SEGMENT, SEQUENCES, SEED = 25, 50, 2024
SCORE_TOLERANCE = 0.03

INDUCTION_XL: dict[Head, float] = {(17, 6): 0.987, (16, 3): 0.985, (16, 21): 0.980, (18, 0): 0.980, (29, 14): 0.979, (20, 0): 0.961}
PREVIOUS_XL: dict[Head, float] = {(15, 19): 0.995, (14, 12): 0.988, (12, 21): 0.985, (13, 20): 0.979}
INDUCTION_SMALL: dict[Head, float] = {
    (5, 1): 0.987,
    (6, 9): 0.966,
    (5, 5): 0.958,
    (7, 10): 0.920,
    (7, 2): 0.843,
    (10, 7): 0.882,
}
PREVIOUS_SMALL: dict[Head, float] = {(4, 11): 0.989}

# Known heads without a published score must be among so many of the highest.
AMONG = 10
DUPLICATE_HEADS: tuple[Head, ...] = ((0, 1), (0, 10), (3, 0))
PREVIOUS_HEADS: tuple[Head, ...] = ((4, 11), (2, 2))
# They attend like induction heads and write against what they attend to.
NEGATIVE_HEADS: tuple[Head, ...] = ((10, 7), (11, 10))
NEGATIVE_AMONG = 20

# Heads of GPT-2 xl above a score, per quarter of its depth, in the released induction table.
COUNTS_XL: dict[float, tuple[int, ...]] = {0.5: (0, 15, 30, 6), 0.3: (0, 20, 56, 14)}
COUNTS_TOLERANCE = 2.0

TOP, TOP_SHARED = 12, 10.0
RANK_CORRELATION = 0.95
