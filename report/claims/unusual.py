"""How often an arrangement by chance is as extreme as the observed one."""

from report.evidence import EVIDENCE, HINT, Values, number

PHRASES = {
    "rarely": ("rarely gives so strong an ordering", "so does"),
    "sometimes": ("now and then gives as strong an ordering", "so does"),
    "often": ("gives as strong an ordering too often to call it a trend", "so does"),
}


def decide(values: Values) -> str:
    """How often an arrangement by chance is as extreme as the observed one."""
    p = number(values, "p")
    return "rarely" if p < EVIDENCE else "sometimes" if p < HINT else "often"
