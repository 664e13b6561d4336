"""Strength of the evidence behind a test of published counts."""

from report.evidence import EVIDENCE, HINT, Values, number

PHRASES = {
    "evidence": ("would be unusual by chance", "which chance alone would seldom give"),
    "hint": ("would be somewhat unusual by chance", "which chance alone gives now and then"),
    "none": ("could well arise by chance", "but that is no evidence of a trend"),
}


def decide(values: Values) -> str:
    """Strength of the evidence behind a test of published counts."""
    p = number(values, "p")
    return "evidence" if p < EVIDENCE else "hint" if p < HINT else "none"
