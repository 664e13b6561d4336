"""Direction of a step between neighbours."""

from report.evidence import Values, number

PHRASES = {"rise": ("a rise",), "drop": ("a drop",)}


def decide(values: Values) -> str:
    """Direction of a step between neighbours."""
    return "rise" if number(values, "sign") > 0 else "drop"
