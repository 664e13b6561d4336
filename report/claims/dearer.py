"""Whether one intervention costs more than another on the same windows."""

from report.evidence import Values, number

PHRASES = {
    "dearer": ("cost more", "costs more"),
    "cheaper": ("cost less", "costs less"),
    "level": ("may cost as much", "may cost as much"),
}


def decide(values: Values) -> str:
    """By the 95 % interval of the difference, `low` to `high`."""
    return "dearer" if number(values, "low") > 0 else "cheaper" if number(values, "high") < 0 else "level"
