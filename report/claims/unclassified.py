"""How many heads no detector gives a label."""

from report.evidence import Values, number

PHRASES = {
    "all": ("No head gets a label",),
    "most": ("Most heads stay unclassified",),
    "half": ("Half of the heads stay unclassified",),
    "some": ("Most heads get a label",),
    "none": ("Every head gets a label",),
}


def decide(values: Values) -> str:
    """How many heads no detector gives a label."""
    unclassified, heads = number(values, "unclassified"), number(values, "heads")
    if unclassified == 0:
        return "none"
    if unclassified == heads:
        return "all"
    return "most" if 2 * unclassified > heads else "half" if 2 * unclassified == heads else "some"
