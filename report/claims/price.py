"""Whether silencing the pairs below the threshold stays within the budget: what allows the words inactive and dispensable."""

from report.evidence import Values, number

PHRASES = {
    "within": (
        "The quiet pairs are jointly dispensable on this text",
        "The whole interval stays within the budget",
        "so pages may call these pairs, together, inactive",
    ),
    "open": (
        "Whether the quiet pairs are dispensable is not settled",
        "The interval reaches over the budget",
        "so no page calls these pairs inactive",
    ),
    "over": (
        "The quiet pairs have a price",
        "The whole interval lies over the budget",
        "so no page calls these pairs inactive",
    ),
}


def decide(values: Values) -> str:
    """By the interval of the rise, `low` to `high`, against `budget`, all in nats per prediction."""
    if number(values, "high") <= number(values, "budget"):
        return "within"
    return "over" if number(values, "low") > number(values, "budget") else "open"
