"""Whether the leading band is the same one step of the threshold away."""

from report.evidence import Values

PHRASES = {
    "same": ("The leading band does not hang on one step of the threshold",),
    "other": ("One step of the threshold changes the leading band",),
}


def decide(values: Values) -> str:
    """By the labels of the leading bands `below`, at and `above` the figure's own threshold."""
    return "same" if values.get("below") in (None, values.get("own")) and values.get("above") in (None, values.get("own")) else "other"
