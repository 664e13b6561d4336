"""How far one half of the text repeats what the other half says about the heads."""

from report.evidence import Values, number

PHRASES = {
    "high": ("Half of the text says nearly the same of every head",),
    "fair": ("Half of the text says much the same of most heads",),
    "low": ("Half of the text says something else",),
}


def decide(values: Values) -> str:
    """By the split-half reliability; .95 and .8 are the customary levels for statements on single cases and on groups."""
    found = number(values, "reliability")
    return "high" if found >= 0.95 else "fair" if found >= 0.8 else "low"
