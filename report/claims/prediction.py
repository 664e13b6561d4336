"""How well a first-order prediction orders heads as their ablation does."""

from report.evidence import Values, number

# Spearman's correlation from which the order may be relied on, by the lower end of its interval.
CLOSE = 0.5

PHRASES = {
    "close": ("The prediction orders heads much as ablation does",),
    "loose": ("The prediction orders heads only roughly as ablation does",),
    "none": ("The prediction does not order heads as ablation does",),
}


def decide(values: Values) -> str:
    """By the lower end of the interval of the rank correlation."""
    low = number(values, "low")
    return "close" if low >= CLOSE else "loose" if low > 0 else "none"
