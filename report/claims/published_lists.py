"""Whether published figures can be held against what the file holds."""

from report.evidence import Values, number

PHRASES = {
    "none": ("No published figure can be held against this file",),
    "some": ("Some published figures can be held against this file, others not",),
    "all": ("Every published figure kept here can be held against this file",),
}


def decide(values: Values) -> str:
    """Whether published figures can be held against what the file holds, by how many lists have a measured run of their model."""
    measured = number(values, "measured")
    return "all" if measured > 0 and measured == number(values, "lists") else "some" if measured > 0 else "none"
