"""How a value is written, told from the name of its column: a table of the check's own, so that a slip in the renderer's shows."""

from datetime import date
from decimal import Decimal
from typing import Any

NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Decimals by the end of a column's name.
WHOLE = ("low_pct", "high_pct", "pair_pct", "level_pct")
ONE_DECIMAL = ("pct", "points")
TWO_DECIMALS = ("effect", "ratio", "norm", "mean", "value", "low", "high", "millinats", "correlation")
THREE_DECIMALS = ("nats",)
# What is so near to one that two decimals would round it up.
FOUR_DECIMALS = ("half_correlation", "reliability")


def spelling(column: str, value: Any) -> str:
    """How a value of a column is written."""
    if value is None:
        return "n/a"
    if isinstance(value, bool | str):
        return str(value)
    ending = column.rsplit("_", 1)[-1]
    if column.endswith(WHOLE):
        text = format(value, ".0f")
    elif ending in ONE_DECIMAL:
        text = format(value, ".1f")
    elif ending == "p":
        digits = format(value, ".3f" if value < 0.1 else ".2f")
        text = "< .001" if value < 0.001 else f"= {digits.lstrip('0')}"
    elif column in FOUR_DECIMALS:
        text = format(value, ".4f")
    elif ending in TWO_DECIMALS:
        text = format(value, ".2f")
    elif ending in THREE_DECIMALS:
        text = format(value, ".3f")
    else:
        text = format(value, ",") if isinstance(value, int) else format(value, ".3g")
    return text.replace("-", "−")


def spellings(text: str, value: Any) -> set[str]:
    """The texts that a page may give a fact: its own, a count to nine in words, and either with a capital to open a sentence."""
    allowed = {text}
    if isinstance(value, int) and 0 <= value < len(NUMBER_WORDS):
        allowed.add(NUMBER_WORDS[value])
    return allowed | {written[:1].upper() + written[1:] for written in allowed}


def as_json(value: Any) -> Any:
    """A DuckDB value as facts.json holds it."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value
