"""What the rules of all claims share: the levels of evidence, and how a fact's value is read."""

from report.facts import Value

# p below EVIDENCE is evidence, below HINT a hint, anything above none. An effect (Somers' D) below SMALL_EFFECT is called none whatever
# its p-value.
EVIDENCE = 0.05
HINT = 0.2
SMALL_EFFECT = 0.1
FEW_HEADS = 20

Values = dict[str, Value]


def number(values: Values, name: str) -> float:
    """A fact's value as a number; missing values count as not a number, so every comparison with them fails."""
    value = values.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def unrepeated(values: Values) -> bool:
    """True where shifting the order of layers around gives no evidence of its own, though there are layers enough for it.

    Of L shifts the least p-value is one in L: where the order that was met is the most extreme of all, the shifts say what they can.
    """
    p, shifts = number(values, "shift"), number(values, "shifts")
    return p >= EVIDENCE and not p * shifts < 1.5
