"""Whether the heads shown are few."""

from report.evidence import Values, number

PHRASES = {"few": ("on few heads",), "many": ("over many heads",)}


def decide(values: Values) -> str:
    """Whether the heads shown are few."""
    return "few" if number(values, "heads") < 100 else "many"
