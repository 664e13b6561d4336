"""Whether the figure's own rule is the one that costs least on the half of the windows where rules were compared."""

from report.evidence import Values, number

PHRASES = {
    "own": ("The figure's own rule comes first",),
    "other": ("Another rule comes first",),
}


def decide(values: Values) -> str:
    """`own` is true where the figure's rule was chosen."""
    return "own" if number(values, "own") == 1 else "other"
