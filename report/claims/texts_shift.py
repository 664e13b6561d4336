"""Whether the mean over all heads differs between two runs, by its 95 % interval over texts."""

from report.evidence import Values, number

PHRASES = {
    "up": ("the mean over all heads is higher on the second", "The mean over all heads is higher on the second"),
    "down": ("the mean over all heads is lower on the second", "The mean over all heads is lower on the second"),
    "none": ("the mean over all heads shows no clear shift", "The mean over all heads shows no clear shift"),
    "untested": ("the mean over all heads has no interval here", "The mean over all heads has no interval here"),
}


def decide(values: Values) -> str:
    """Whether the mean over all heads differs between two runs: its interval leaves out nought."""
    low, high = number(values, "low"), number(values, "high")
    if not low <= high:
        return "untested"
    return "up" if low > 0 else "down" if high < 0 else "none"
