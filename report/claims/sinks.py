"""How many heads park their attention on the first position."""

from report.evidence import Values, number

PHRASES = {
    "none": ("No head is a sink",),
    "minority": ("Fewer than half of the heads are sinks",),
    "half": ("Half of the heads are sinks",),
    "most": ("Most heads are sinks",),
}


def decide(values: Values) -> str:
    """How many heads park their attention on the first position."""
    sinks, heads = number(values, "sinks"), number(values, "heads")
    if sinks == 0:
        return "none"
    return "most" if 2 * sinks > heads else "half" if 2 * sinks == heads else "minority"
