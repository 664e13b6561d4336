"""Whether a share moves one way at every step of depth."""

from report.evidence import Values, number

PHRASES = {
    "all up": ("gains at every step of depth", "grows at every step"),
    "all down": ("loses at every step of depth", "shrinks at every step"),
    "mixed": ("moves both ways over depth", "moves both ways"),
    "one range": ("is shown for one range only", "is shown for one range only"),
}


def decide(values: Values) -> str:
    """Whether a share moves one way at every step of depth."""
    count = number(values, "steps")
    if count == 0:
        return "one range"
    return "all up" if number(values, "up") == count else "all down" if number(values, "down") == count else "mixed"
