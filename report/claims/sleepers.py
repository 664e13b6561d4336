"""Whether a head sleeps on one text and works on the other."""

from report.evidence import Values, number

PHRASES = {
    "untested": ("Without intervals, no head can be called asleep on one text and at work on the other",),
    "none": ("No head sleeps on one text and works on the other",),
    "one": ("One head sleeps on one text and works on the other",),
    "some": ("Some heads sleep on one text and work on the other",),
}


def decide(values: Values) -> str:
    """Whether a head sleeps on one text and works on the other."""
    if not number(values, "tested") > 0:
        return "untested"
    heads = number(values, "heads")
    return "none" if heads == 0 else "one" if heads == 1 else "some"
