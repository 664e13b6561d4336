"""How many detectors no head passes."""

from report.evidence import Values, number

PHRASES = {
    "all": ("No detector finds any head",),
    "some": ("Some detectors find no head",),
    "none": ("Every detector finds some head",),
}


def decide(values: Values) -> str:
    """How many detectors no head passes."""
    silent = number(values, "silent")
    return "none" if silent == 0 else "all" if silent == number(values, "detectors") else "some"
