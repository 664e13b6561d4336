"""Whether heads that pass for induction on repeated tokens pass in the run's own text too."""

from report.evidence import Values, number

PHRASES = {
    "no heads": ("No head passes for induction on repeated tokens",),
    "none": ("Induction on repeated tokens does not show in the text itself",),
    "some": ("Induction on repeated tokens shows in the text itself for some heads only",),
    "all": ("Induction on repeated tokens shows in the text itself as well",),
}


def decide(values: Values) -> str:
    """Whether heads that pass for induction on repeated tokens pass in the run's own text too."""
    repeated, both = number(values, "repeated"), number(values, "both")
    if repeated == 0:
        return "no heads"
    return "none" if both == 0 else "all" if both == repeated else "some"
