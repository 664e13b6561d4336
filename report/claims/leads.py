"""In how many of the ranges the band on the baseline holds the most heads."""

from report.evidence import Values, number

PHRASES = {
    "everywhere": ("The {high} band leads in every range",),
    "all but one": ("is the only range that the {high} band does not lead",),
    "some": ("The {high} band leads in some ranges only",),
    "tied": ("The {high} band leads or ties in every range",),
    "nowhere": ("The {high} band leads in no range",),
}


def decide(values: Values) -> str:
    """In how many of the ranges the band on the baseline holds the most heads."""
    missed, ranges = number(values, "missed"), number(values, "ranges")
    if missed == 0 and number(values, "tied") > 0:
        return "tied"
    return "everywhere" if missed == 0 else "nowhere" if missed == ranges else "all but one" if missed == 1 else "some"
