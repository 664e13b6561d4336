"""In how many layer ranges some head gets a label."""

from report.evidence import Values, number

PHRASES = {
    "one range": ("One layer range is all that there is",),
    "everywhere": ("Every layer range has labelled heads",),
    "some": ("Labelled heads are missing from part of the depth",),
    "single": ("A single layer range holds all labelled heads",),
    "nowhere": ("No layer range has a labelled head",),
}


def decide(values: Values) -> str:
    """In how many layer ranges some head gets a label."""
    met, ranges = number(values, "met"), number(values, "ranges")
    if met == 0:
        return "nowhere"
    if ranges == 1:
        return "one range"
    return "everywhere" if met == ranges else "single" if met == 1 else "some"
