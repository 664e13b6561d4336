"""How far ours lies from a list of published values."""

from report.evidence import Values, number

# A published score is a mean over fifty sequences whose draw may differ; a count or a percentage may differ by so many heads or points.
CLOSE = {"share": 0.03, "heads": 2.0, "%": 5.0}

PHRASES = {
    "not measured": ("not measured here",),
    "no value": ("named without a value: only places can be compared",),
    "close": ("every value agrees within what another draw of the text gives",),
    "apart": ("not every value agrees: read how the definitions differ",),
}


def decide(values: Values) -> str:
    """How far ours lies from a list of published values, by the largest difference and the unit."""
    if number(values, "measured") == 0:
        return "not measured"
    gap = number(values, "gap")
    if gap != gap:
        return "no value"
    return "close" if gap <= CLOSE.get(str(values.get("unit")), 0.0) else "apart"
