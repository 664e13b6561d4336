"""Whether a band holds any head."""

from report.evidence import Values, number

PHRASES = {"absent": ("No head falls in the {high} band",), "present": ("The {high} band has its heads",)}


def decide(values: Values) -> str:
    """Whether a band holds any head."""
    return "absent" if number(values, "heads") == 0 else "present"
