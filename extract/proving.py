"""The proving ground: every detector on every planted head, over four kinds of text.

Measures the planted model of each family with the measures that look for a kind of head, and keeps the sums in table planted_score. A head
that puts all its attention on single keys is a detector's own on some tokens and not on others, so a detector's mean on a head planted as
something else is the share of tokens that it mistakes. Measured once per counters file; a second time costs neither torch nor text."""

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from extract import assets, corpus, measures
from extract.checkpoint_files import locate
from extract.measures import MeasureModule
from extract.planted import FAMILIES, HEADS, HEADS_PER_LAYER, LAYERS, plant
from extract.planted.text import REPEATED, Windows, windows_of
from extract.progress import say, waiting
from extract.store import Store
from extract.sums import ShardSums

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from extract.windows import Tokenizer

# Raised when the planted heads, the text or the detectors change.
VERSION = 1
WINDOW, WINDOWS = 128, 32
DETECTORS = ("previous_token_mass", "self_mass", "duplicate_token_mass", "induction_mass", "sink_mass")


def prove(into: Path, *, model: str = assets.EMBEDDED, text: str = assets.EMBEDDED) -> bool:
    """Measure the planted heads on text cut by the tokenizer of `model`, `text` being the prose. Returns False where that stands already.

    Rows of another version – of Headcount's, or of Python, whose library is the code – are kept as they are, and told."""
    # Read when torch is loaded: threads that spin while they wait are four times slower beside other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with Store(into) as store:
        there = [str(row["version"]) for row in store.rows("select distinct version from planted_score order by all")]
        if there and there != [version()]:
            say(f"planted heads were measured by version {there[0]}, kept; this is {version()}")
        if not there:
            with waiting("measuring the planted heads"):
                rows = scores(windows_of(_tokenizer(model), corpus.read(text), WINDOW, WINDOWS))
            store.add({"planted_score": rows})
        store.publish()
    return not there


def version() -> str:
    """Of what the rows hang on: the proving ground's own version, and Python's."""
    return f"{VERSION}, Python {platform.python_version()}"


def scores(texts: dict[str, Windows]) -> pa.Table:
    """The rows of table planted_score: every detector's sums on every planted head, per family and kind of text."""
    found = []
    for family in FAMILIES:
        model = plant(family, WINDOW)
        for kind, windows in texts.items():
            modules = detectors(kind)
            sums = _sums(model, windows, modules)
            for planted in HEADS:
                at = planted.layer, planted.head
                place = {"version": version(), "family": family, "text_kind": kind, "layer": planted.layer, "head": planted.head}
                for name, (n, total, _) in sorted(sums.stats.items()):
                    found.append(place | {"planted_as": planted.kind, "measure": name, "n": int(n[at]), "total": float(total[at])})
    return pa.Table.from_pylist(found)


def detectors(kind: str) -> tuple[MeasureModule, ...]:
    """The measures that look for a kind of head; on repeated tokens those that score the second and later copies, where there are such."""
    names = {name + "_repeated" if kind == REPEATED and name + "_repeated" in measures.names() else name for name in DETECTORS}
    return tuple(module for module in measures.discover() if module.MEASURE.id in names)


def _sums(model: "PreTrainedModel", windows: Windows, modules: tuple[MeasureModule, ...]) -> ShardSums:
    import torch

    from extract.attention import measure_windows

    sums = ShardSums(LAYERS, HEADS_PER_LAYER)
    measure_windows(model, torch.from_numpy(windows), sums, modules)
    return sums


def _tokenizer(model: str) -> "Tokenizer":
    from extract.checkpoint import open_checkpoint

    tokenizer: Tokenizer = open_checkpoint(locate(model), WINDOW).tokenizer
    return tokenizer
