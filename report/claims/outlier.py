"""Whether one layer stands apart from the others."""

from report.evidence import Values, number

PHRASES = {
    "one": ("One layer stands apart",),
    "several": ("More layers than one stand apart",),
    "none": ("No layer stands apart",),
}


def decide(values: Values) -> str:
    """By how many layers lie more than three and a half robust standard deviations from the middle."""
    layers = number(values, "layers")
    return "one" if layers == 1 else "several" if layers > 1 else "none"
