"""How much of the picture the choice of text could move."""

from report.evidence import Values, number

PHRASES = {
    "steady": ("Another sample of text would hardly move the bars",),
    "mostly steady": ("Another sample of text could move some heads between bands",),
    "loose": ("Another sample of text could move many heads between bands",),
}


def decide(values: Values) -> str:
    """How much of the picture the choice of text could move."""
    pct = number(values, "pct")
    return "steady" if pct < 5 else "mostly steady" if pct < 15 else "loose"
