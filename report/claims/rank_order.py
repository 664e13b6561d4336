"""How far heads keep their order between two runs."""

from report.evidence import Values, number

PHRASES = {
    "kept": ("Heads keep their order almost entirely",),
    "mostly": ("Heads mostly keep their order",),
    "partly": ("Heads keep their order in part",),
    "hardly": ("Heads hardly keep their order",),
    "unknown": ("Heads have no order to keep",),
}


def decide(values: Values) -> str:
    """How far heads keep their order between two runs, by Spearman's correlation over heads."""
    correlation = number(values, "correlation")
    if correlation != correlation:
        return "unknown"
    return "kept" if correlation >= 0.9 else "mostly" if correlation >= 0.7 else "partly" if correlation >= 0.4 else "hardly"
