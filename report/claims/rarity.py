"""How common a band is over all layers."""

from report.evidence import FEW_HEADS, Values, number

PHRASES = {
    "absent": ("No head falls in the {low} band",),
    "single": ("A single head falls in the {low} band", "too few to compare ranges"),
    "rare": ("Heads in the {low} band are rare", "too few to compare ranges"),
    "common": ("The {low} band is no rarity:",),
    "most": ("Range by range, the {low} band holds",),
}


def decide(values: Values) -> str:
    """How common a band is over all layers."""
    heads, everything = number(values, "heads"), number(values, "all")
    if heads == 0:
        return "absent"
    if heads == 1:
        return "single"
    if 2 * heads > everything:
        return "most"
    return "rare" if heads < FEW_HEADS and heads < everything / 10 else "common"
