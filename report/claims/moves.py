"""Which way heads change band between two runs, by the counts of either way."""

from report.evidence import Values, number

PHRASES = {
    "none": ("Every head stays in its band",),
    "up": ("More heads rise to a higher band than fall to a lower one",),
    "down": ("More heads fall to a lower band than rise to a higher one",),
    "level": ("As many heads rise to a higher band as fall to a lower one",),
}


def decide(values: Values) -> str:
    """Which way heads change band between two runs, by the counts of either way."""
    risen, fallen = number(values, "risen"), number(values, "fallen")
    if risen == fallen:
        return "none" if risen == 0 else "level"
    return "up" if risen > fallen else "down"
