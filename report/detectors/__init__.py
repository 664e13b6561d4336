"""Detectors: one .toml per measure that looks for a kind of head; the folder is the list.

A head passes a detector where its excess over chance, on the same tokens, is above the detector's margin beyond doubt. The margins of
labels follow one rule, from the heads of the proving ground, whose nature is known:

    margin = the larger of (a) half the excess that the head planted for the detector reaches in prose, or on repeated tokens for a detector
             of those, and (b) the greatest excess that a head planted as anything else gets on any text; rounded up to the next hundredth

(a) is the size of effect that deserves a name: a text offers each detector a different ceiling, and a head that reaches half of it does at
least half of what a head can do that does nothing else. (b) keeps a pure head of another kind from the label. A detector that is `apart`
gives no label; its limit comes from the literature."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from report import toml_file
from report.errors import UsageRefusal

# The false-discovery rate of a run's labels.
LEVEL = 0.05
KINDS: dict[str, type] = {
    "ordinal": int,
    "measure": str,
    "planted": str,
    "label": str,
    "title": str,
    "margin": float,
    "why": str,
    "apart": bool,
}
NAMES = {int: "whole number", str: "text", float: "number such as 0.5", bool: "true or false"}
GREATEST = 2**31 - 1
UNCLASSIFIED = "unclassified"


@dataclass(frozen=True)
class Detector:
    """One detector: the measure, the kind of planted head that it is for, the label that it gives, and the excess over chance (a share of
    attention) that it asks for."""

    id: str
    ordinal: int
    measure: str
    planted: str
    label: str
    title: str
    margin: float
    why: str
    apart: bool


def load(folder: Path = Path(__file__).parent) -> tuple[Detector, ...]:
    """All detectors of a folder in their order.

    Raises:
        UsageRefusal: a file that is not TOML, misses a key or has one too many, a margin outside (0, 1), or a name that two share.
    """
    found = sorted((read(path) for path in sorted(folder.glob("*.toml"))), key=lambda detector: detector.ordinal)
    for one, other in pairwise(found):
        if one.ordinal == other.ordinal:
            raise UsageRefusal(f"detectors {one.id} and {other.id} share ordinal {one.ordinal}", folder.name, "give each its own")
    labels = [detector.label for detector in found]
    if repeated := sorted({label for label in labels if labels.count(label) > 1}):
        raise UsageRefusal(f"two detectors share the label {repeated[0]}", folder.name, "give each its own")
    return tuple(found)


def read(path: Path) -> Detector:
    """One detector from its file; see `load` for the errors."""
    content = toml_file.read(path)
    if missing := sorted(KINDS.keys() - content.keys()):
        raise UsageRefusal(f"missing {', '.join(missing)}", path.name, "add them; any other detector file is an example")
    if unknown := sorted(content.keys() - KINDS.keys()):
        raise UsageRefusal(f"unknown key {unknown[0]}", path.name, f"use {', '.join(sorted(KINDS))}")
    for key, kind in KINDS.items():
        # bool is a kind of int in Python, so types are compared themselves.
        if type(content[key]) is not kind:
            raise UsageRefusal(f"{key} = {content[key]!r}", path.name, f"give a {NAMES[kind]}")
    for key in (key for key, kind in KINDS.items() if kind is str):
        toml_file.shown_text(content[key], key, path.name)
    if not -GREATEST <= content["ordinal"] <= GREATEST:
        raise UsageRefusal(f"ordinal = {content['ordinal']}", path.name, f"give a whole number up to {GREATEST}")
    if not 0 < content["margin"] < 1:
        raise UsageRefusal(f"margin = {content['margin']:g}", path.name, "give a share of attention between 0 and 1")
    if content["label"] == UNCLASSIFIED:
        raise UsageRefusal(f"label = {UNCLASSIFIED!r}", path.name, "that is the name of heads without a label; choose another")
    return Detector(path.stem, **content)
