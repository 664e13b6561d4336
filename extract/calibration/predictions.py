"""What a change does to a model's predictions: cross-entropy, KL from the unchanged model, and likeliest tokens."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int, Int64
from torch import Tensor

from extract.errors import NumericRefusal
from extract.measures import MAX

KL = "kl"
# Quarters of an octave of nats: a percentile is read to a fifth of its value or better.
KL_EDGES: tuple[float, ...] = (0.0, *(2.0 ** (k / 4) for k in range(-80, 21)), MAX)
# Rows of logits in float64 at a time: on a CPU, larger blocks spend their time on fresh memory.
ROWS = 64


@dataclass(frozen=True)
class Effect:
    """Over the scored predictions of a window: their summed cross-entropy and KL in nats, changed likeliest tokens, KL per bin."""

    cross_entropy: float
    kl: float
    top_changed: int
    bins: Int64[np.ndarray, " bin"]


class Clean:
    """The unchanged model's predictions of one window's tokens 2 … T−1, against which changed ones are held.

    Everything is worked out in float64 from the logits as they are. Raises NumericRefusal where they are not finite."""

    def __init__(self, logits: Float[Tensor, "window vocabulary"], tokens: Int[Tensor, " window"]) -> None:
        self.tokens = len(tokens) - 2
        self._next = tokens[2:].to(logits.device)[:, None]
        self._log_p = torch.cat([torch.log_softmax(part.double(), -1) for part in _blocks(logits)])
        self._top = torch.cat([part.argmax(-1) for part in _blocks(logits)])
        self.cross_entropy = _finite(-self._log_p.gather(1, self._next).sum(), "the unchanged model's cross-entropy")

    def effect(self, logits: Float[Tensor, "window vocabulary"]) -> Effect:
        """Of one intervention on the same window."""
        entropy, changed, kl = self._log_p.new_zeros(()), self._log_p.new_zeros(()), []
        for start, part in zip(range(0, self.tokens, ROWS), _blocks(logits), strict=True):
            rows = slice(start, start + ROWS)
            log_q, log_p = torch.log_softmax(part.double(), -1), self._log_p[rows]
            entropy -= log_q.gather(1, self._next[rows]).sum()
            changed += (part.argmax(-1) != self._top[rows]).sum()
            # Never below zero, but for rounding.
            kl.append(torch.linalg.vecdot(log_p.exp(), log_q.neg_().add_(log_p)).clamp(min=0))
        each = torch.cat(kl).cpu().numpy()
        return Effect(_finite(entropy, "cross-entropy"), _finite(each.sum(), "KL"), int(changed), _binned(each))


def _blocks(logits: Float[Tensor, "window vocabulary"]) -> Iterator[Float[Tensor, "rows vocabulary"]]:
    """Scored rows: the first query is never scored, the last has no next token."""
    return iter(torch.split(logits[1:-1], ROWS))


def _binned(kl: Float64[np.ndarray, " prediction"]) -> Int64[np.ndarray, " bin"]:
    counts: Int64[np.ndarray, " bin"] = np.bincount(np.searchsorted(KL_EDGES, kl, side="right") - 1, minlength=len(KL_EDGES) - 1)
    return counts


def _finite(value: Tensor | np.floating, what: str) -> float:
    if not math.isfinite(number := float(value)):
        raise NumericRefusal(f"{what} is not finite", "calibration", "calibrate a run in float32")
    return number
