"""How widely the middle half of the heads is spread, in widths of a band."""

from report.evidence import Values, number

PHRASES = {
    "narrow": ("Half of the heads lie close together",),
    "wide": ("Heads differ widely",),
}


def decide(values: Values) -> str:
    """`widths`: the distance between the quartiles in widths of a band."""
    return "narrow" if number(values, "widths") < 1 else "wide"
