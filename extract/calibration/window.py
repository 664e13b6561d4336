"""One window of a calibration, from its tokens to the rows of its transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int
from torch import Tensor
from transformers import PreTrainedModel

from extract.calibration import masks, single_heads
from extract.calibration.editing import Edit, edited_logits
from extract.calibration.observed import Means, Observed, observe
from extract.calibration.plan import Head, Intervention
from extract.calibration.predictions import Clean, Effect
from extract.calibration.settings import Settings
from extract.store import Rows

# Tokens per forward pass: short windows keep a device busy only several at a time.
TOKENS_PER_PASS = {"cpu": 512, "cuda": 8192}

Row = dict[str, object]


@dataclass(frozen=True)
class Work:
    """What every window needs: the model, the means, and what is to be done; `key`, run_id and calibration, goes into every row."""

    model: PreTrainedModel
    means: Means
    settings: Settings
    plan: tuple[Intervention, ...]
    key: Row

    @property
    def batch(self) -> int:
        """Edits per forward pass."""
        return max(1, TOKENS_PER_PASS[self.model.device.type] // self.settings.tokens)

    def effects(self, tokens: Int[Tensor, "1 window"], clean: Clean, edits: Iterator[Edit]) -> Iterator[tuple[Edit, Effect]]:
        """Each edit with its effect, as many at a time as make a batch."""
        while batch := [edit for _, edit in zip(range(self.batch), edits, strict=False)]:
            for edit, logits in zip(batch, edited_logits(self.model, tokens, batch), strict=True):
                yield edit, clean.effect(logits)


def measure_window(work: Work, window: int, tokens: Int[Tensor, "1 window"], ablated: Sequence[Head] | None) -> Rows:
    """The rows of one window: all interventions, every head's attribution, and single heads ablated.

    Window 0 chooses the heads by its own attribution (`ablated` None); later windows are told them."""
    seen = observe(work.model, tokens, work.means)
    clean = Clean(seen.logits, tokens[0])
    attributed = single_heads.attribution(seen)
    if ablated is None:
        ablated = chosen(attributed[single_heads.ATTRIBUTION].cpu().numpy(), work.settings)
    own: Row = work.key | {"window": window}
    heads = [row for kind, values in attributed.items() for row in _head_rows(own, kind, clean.tokens, values)]
    if window < work.settings.ablated_windows:
        heads += _ablations(work, own, tokens, seen, clean, ablated)
    sums, bins = _interventions(work, own, tokens, seen, clean)
    rows = {"intervention_window": sums, "intervention_kl": bins, "calibration_head": heads}
    return {table: pa.Table.from_pylist(each) for table, each in rows.items()}


def chosen(attributed: Float64[np.ndarray, "layer head"], settings: Settings) -> tuple[Head, ...]:
    """The heads to be ablated, by the attribution [layer, head] of window 0."""
    values = {(layer, head): float(attributed[layer, head]) for layer, head in np.ndindex(*attributed.shape)}
    return single_heads.stratified(values, attributed.shape[0], settings.ablated_heads)


def _interventions(work: Work, own: Row, tokens: Tensor, seen: Observed, clean: Clean) -> tuple[list[Row], list[Row]]:
    squares, deviations = seen.norm.double().square(), seen.deviation.double().square()
    shared: Row = {"tokens": clean.tokens, "all_pairs": squares.numel(), "all_squares": float(squares.sum())}
    targets = {"zero": work.means.constant, "shrink": work.means.constant, "mean": work.means.z}
    window = int(str(own["window"]))
    edits = (Edit(masks.amounts(each, seen, window), targets[each.treatment]) for each in work.plan)
    sums: list[Row] = []
    bins: list[Row] = []
    for each, (edit, effect) in zip(work.plan, work.effects(tokens, clean, edits), strict=True):
        named = own | {"intervention": each.intervention}
        taken = edit.amounts.double().square() * (deviations if each.treatment == "mean" else squares)
        told: Row = {
            "pairs": int((edit.amounts > 0).sum()),
            "removed_squares": float(taken.sum()),
            "cross_entropy": effect.cross_entropy,
            "clean_cross_entropy": clean.cross_entropy,
            "kl": effect.kl,
            "top_changed": effect.top_changed,
        }
        sums.append(named | shared | told)
        bins += [named | {"bin": int(place), "n": int(effect.bins[place])} for place in np.flatnonzero(effect.bins)]
    return sums, bins


def _ablations(work: Work, own: Row, tokens: Tensor, seen: Observed, clean: Clean, heads: Sequence[Head]) -> list[Row]:
    targets = {"ablation_mean": work.means.z}
    if not work.settings.quick:
        targets["ablation_zero"] = work.means.constant
    asked = [(kind, head) for kind in targets for head in heads]
    edits = (Edit(single_heads.everywhere(head, seen), targets[kind]) for kind, head in asked)
    effects = work.effects(tokens, clean, edits)
    return [
        own | {"layer": head[0], "head": head[1], "kind": kind, "n": clean.tokens, "total": effect.cross_entropy - clean.cross_entropy}
        for (kind, head), (_, effect) in zip(asked, effects, strict=True)
    ]


def _head_rows(own: Row, kind: str, predictions: int, values: Tensor) -> list[Row]:
    host = values.cpu().numpy()
    return [
        own | {"layer": layer, "head": head, "kind": kind, "n": predictions, "total": float(host[layer, head])}
        for layer, head in np.ndindex(*host.shape)
    ]
