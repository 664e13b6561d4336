"""Whether the share of one band moves over depth, after the correction for how many bands a figure has."""

from report.evidence import EVIDENCE, HINT, SMALL_EFFECT, Values, number, unrepeated

PHRASES = {
    "rise": ("rises with depth",),
    "fall": ("falls with depth",),
    "hint of rise": ("may rise with depth",),
    "hint of fall": ("may fall with depth",),
    "none": ("no clear trend",),
}


def decide(values: Values) -> str:
    """By Somers' D of the band and its p-value after Holm's correction.

    A hint at most where shifting the order of layers around does not repeat it.
    """
    effect, p = number(values, "effect"), number(values, "p")
    if not (abs(effect) >= SMALL_EFFECT and p < HINT):
        return "none"
    return ("" if p < EVIDENCE and not unrepeated(values) else "hint of ") + ("rise" if effect > 0 else "fall")
