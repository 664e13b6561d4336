"""Which band, if any, holds more than half of all heads: the one on the baseline, the far one, one between them, or none."""

from report.evidence import Values, number

PHRASES = {
    "base": ("Most heads fall in the {high} band",),
    "far": ("Most heads fall in the {low} band",),
    "middle": ("Most heads fall in a middle band",),
    "none": ("No band holds most heads",),
}


def decide(values: Values) -> str:
    """Which band, if any, holds more than half of all heads: the one on the baseline, the far one, one between them, or none."""
    if 2 * number(values, "base") > number(values, "all"):
        return "base"
    if 2 * number(values, "far") > number(values, "all"):
        return "far"
    return "middle" if 2 * number(values, "largest") > number(values, "all") else "none"
