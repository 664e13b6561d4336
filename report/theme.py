"""Type, colour and chart sizes, chosen once.

Neighbouring bands differ in lightness as well as in hue (CIE L* by at least 12, tested), so a chart survives a greyscale printer; the
second palette is a diverging blue-to-red ramp that the common colour-vision deficiencies keep apart (after ColorBrewer RdBu, Brewer
2003)."""

from typing import Any

WIDTH = 640
HEIGHT = 360
# The home page shows its chart and three observations on one screen.
HOME_HEIGHT = 255
FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"
# Room above the tallest bar, so that its outline is not cut.
HEADROOM = 1.03
LEGEND_CHARACTERS = 90
# A printed percentage needs this many pixels of bar below it.
LABEL_PIXELS = 13

PALETTE = {
    "green": "#3f9b5f",
    "light yellow": "#fdf1b3",
    "dark yellow": "#e4b61a",
    "yellow": "#f4d24e",
    "orange": "#d9691e",
    "red": "#97202f",
}
SAFE_PALETTE = {
    "green": "#2166ac",
    "light yellow": "#92c5de",
    "dark yellow": "#f3f3f3",
    "yellow": "#cfe3ee",
    "orange": "#f4a582",
    "red": "#a51c2c",
}
# Names that an imported table may use for a band and that no palette knows.
UNKNOWN_COLOUR = "#9aa0a6"
# Lines and points stand on the page itself, so each of these stands out from a white and from a dark ground (WCAG 2.2, 3:1, tested).
# Depth runs from green to violet; the second ramp runs from ochre to blue, which colour-vision deficiencies keep apart.
LINES = {"green": "#3f9b5f", "orange": "#d9691e", "red": "#d0454c"}
DEPTH = ("#5f9e2f", "#1f9e83", "#2a8fb0", "#4f7fd0", "#8d6fd6", "#bb5bb5")
SAFE_DEPTH = ("#c08a1e", "#a0864e", "#85888a", "#6f8ab0", "#4a80cc", "#3b72c4")
MIDDLE = "#7d8590"
GROUND = {"light": "#ffffff", "dark": "#1e2129"}
# One measure over many heads: a ramp of one direction of lightness, from next to the ground (little) to far from it (much), green to blue,
# which the common colour-vision deficiencies keep apart; and one of two directions around nought, orange against blue.
RAMPS = {
    "light": ("#edf5e4", "#cfe8c8", "#9fd3b5", "#62b6ad", "#338ea3", "#1f6590", "#1f3d6d", "#161f45"),
    "dark": ("#243142", "#264a66", "#226a83", "#2b8c92", "#4fae97", "#86cc9f", "#c3e5b3", "#f3f9d2"),
}
DIVERGING = {
    "light": ("#8f3b0a", "#d0702a", "#f0b98a", "#f4f1ec", "#9ec5de", "#3f83b5", "#174a7c"),
    "dark": ("#ffc08a", "#e0853f", "#8f4f22", "#2b3038", "#27587f", "#4b93c6", "#a9d8f5"),
}
# Heads as dots and lines, and those of them that a reader has chosen: on both grounds.
DOTS = "#3d8b9e"
CHOSEN = "#d9691e"
INK = {"light": "#24292f", "dark": "#e6e8eb"}
QUIET = {"light": "#57606a", "dark": "#aab1ba"}
GRID = {"light": "#d8dee4", "dark": "#3b424b"}


def fill(colour: str, safe: bool = False) -> str:
    """Hex value of a named band colour."""
    return (SAFE_PALETTE if safe else PALETTE).get(colour, UNKNOWN_COLOUR)


def luminance(colour: str) -> float:
    """Relative luminance of a hex colour (WCAG 2.2)."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def lightness(colour: str) -> float:
    """CIE L* of a hex colour, 0 to 100: what a greyscale print keeps."""
    y = luminance(colour)
    return float(116 * y ** (1 / 3) - 16) if y > 216 / 24389 else y * 24389 / 27


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two hex colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(colour: str) -> str:
    """Black or white, whichever contrasts more with a fill."""
    y = luminance(colour)
    return "#ffffff" if 1.05 / (y + 0.05) > (y + 0.05) / 0.05 else "#1b1f24"


def vega_config(scheme: str) -> dict[str, Any]:
    """Vega-Lite configuration of the light or dark scheme."""
    axis = {
        "labelColor": QUIET[scheme],
        "titleColor": INK[scheme],
        "gridColor": GRID[scheme],
        "domainColor": QUIET[scheme],
        "tickColor": QUIET[scheme],
    }
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "text": {"color": QUIET[scheme]},
        "rule": {"color": QUIET[scheme]},
        "point": {"color": QUIET[scheme]},
        "title": {"anchor": "middle", "fontSize": 17, "fontWeight": 600, "color": INK[scheme], "offset": 12},
        "axis": {**axis, "labelFontSize": 12, "titleFontSize": 13, "titleFontWeight": 500, "titlePadding": 10},
        "range": {"heatmap": list(RAMPS[scheme]), "ramp": list(RAMPS[scheme]), "diverging": list(DIVERGING[scheme])},
        "axisX": {"grid": False, "labelAngle": 0, "labelPadding": 6},
        "legend": {
            "labelColor": INK[scheme],
            "titleColor": QUIET[scheme],
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": 400,
        },
    }
