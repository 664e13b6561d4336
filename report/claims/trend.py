"""Direction of the bands over depth and the strength of the evidence for it."""

from report.evidence import EVIDENCE, FEW_HEADS, HINT, SMALL_EFFECT, Values, number, unrepeated

PHRASES = {
    "rise": ("and deeper layers hold higher bands", "Overall, deeper means higher", "rise with depth"),
    "fall": ("and deeper layers hold lower bands", "Overall, deeper means lower", "fall with depth"),
    "hint of rise": ("and deeper layers tend to hold higher bands", "Deeper may mean higher", "tend to rise with depth"),
    "hint of fall": ("and deeper layers tend to hold lower bands", "Deeper may mean lower", "tend to fall with depth"),
    "none": ("with no clear trend over depth", "Depth gives no clear order", "show no clear trend over depth"),
    "few": ("on too few heads to speak of depth", "Too few heads to speak of depth"),
    "one range": ("in one range",),
}


def decide(values: Values) -> str:
    """Direction of the bands over depth and the strength of the evidence for it.

    Free permutation of layers takes neighbours for strangers; where turning the order of layers around does not repeat it, it is a hint at
    most.
    """
    if number(values, "ranges") == 1:
        return "one range"
    if number(values, "heads") < FEW_HEADS:
        return "few"
    effect, p = number(values, "effect"), number(values, "p")
    if not (abs(effect) >= SMALL_EFFECT and p < HINT):
        return "none"
    return ("" if p < EVIDENCE and not unrepeated(values) else "hint of ") + ("rise" if effect > 0 else "fall")
