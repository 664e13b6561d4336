"""Whether layers move in one direction between two runs."""

from report.evidence import EVIDENCE, HINT, Values, number

PHRASES = {
    "none at all": ("no layer moves",),
    "together": ("layers move together",),
    "maybe": ("layers may move together",),
    "both ways": ("layers do not clearly move together",),
}


def decide(values: Values) -> str:
    """Whether layers move in one direction between two runs, by random signs of the layers' differences."""
    if number(values, "up") == 0 and number(values, "down") == 0:
        return "none at all"
    p = number(values, "p")
    return "together" if p < EVIDENCE else "maybe" if p < HINT else "both ways"
