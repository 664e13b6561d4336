"""How far two figures put the same heads on the baseline."""

from report.evidence import Values, number

PHRASES = {
    "most": ("Both yardsticks pick mostly the same heads",),
    "many": ("The two yardsticks agree on more than half of these heads",),
    "few": ("The two yardsticks pick different heads",),
}


def decide(values: Values) -> str:
    """How far two figures put the same heads on the baseline."""
    pct = number(values, "pct")
    return "most" if pct >= 75 else "many" if pct >= 50 else "few"
