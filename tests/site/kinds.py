"""Which pages of a built site are looked at: one of every kind, found in the site's map, so that a new kind is covered at once."""

import re
from pathlib import Path

# Pages of which there are many alike; every other page is a kind of its own.
PATTERNS = {
    "published-figure": r"figures/reference/[^/]+/",
    "figure": r"figures/[^/]+/[^/]+/",
    "comparison": r"comparisons/[^/]+/",
    "head": r"heads/[^/]+/L\d+H\d+/",
    "head-table": r"heads/[^/]+/",
    "map": r"maps/[^/]+/",
}
NOT_FOUND = "404.html"


def places(site: Path) -> list[str]:
    """The address of every page in the site's map, relative to the site's root: the home page, which has the shortest, is the empty one."""
    found = re.findall(r"<loc>([^<]*)</loc>", (site / "sitemap.xml").read_text(encoding="utf-8"))
    root = min(found, key=len, default="") if found and "://" in found[0] else ""
    return sorted({address.removeprefix(root).removeprefix("./") for address in found})


def kind_of(place: str) -> str:
    """The kind of page that an address leads to."""
    for kind, pattern in PATTERNS.items():
        if re.fullmatch(pattern, place):
            return kind
    return place.strip("/").replace("/", "-") or "home"


def kinds(site: Path) -> dict[str, str]:
    """One page of each kind – the one with the most on it – by the kind's name; the error page last."""
    found: dict[str, str] = {}
    for place in places(site):
        kind = kind_of(place)
        if kind not in found or file_of(site, place).stat().st_size > file_of(site, found[kind]).stat().st_size:
            found[kind] = place
    return dict(sorted(found.items())) | {"not-found": NOT_FOUND}


def file_of(site: Path, place: str) -> Path:
    """The file behind an address."""
    return site / place / "index.html" if not place.endswith(".html") else site / place
