"""How many heads differ between two runs beyond what the sample of text explains, and whether they change band."""

from report.evidence import Values, number

PHRASES = {
    "untested": ("Too little text to tell differences from chance",),
    "none": ("No head differs between the two texts", "No head differs between the two runs"),
    "few": ("Few heads differ between the two texts", "Few heads differ between the two runs"),
    "many": (
        "Many heads differ between the two texts, and few of them change band",
        "Many heads differ between the two runs, and few of them change band",
    ),
    "many and far": (
        "Many heads differ between the two texts, and many of those change band",
        "Many heads differ between the two runs, and many of those change band",
    ),
    "most": (
        "Most heads differ between the two texts, and few of them change band",
        "Most heads differ between the two runs, and few of them change band",
    ),
    "most and far": (
        "Most heads differ between the two texts, and many of those change band",
        "Most heads differ between the two runs, and many of those change band",
    ),
}


def decide(values: Values) -> str:
    """How many heads differ between two runs: under a tenth is few, over a half most; a fifth of those in another band is many."""
    heads, tested, differing = number(values, "heads"), number(values, "tested"), number(values, "differing")
    if not tested > 0:
        return "untested"
    if differing == 0:
        return "none"
    if differing < heads / 10:
        return "few"
    far = " and far" if number(values, "moved") >= differing / 5 else ""
    return ("most" if 2 * differing > heads else "many") + far
