"""Single heads: what the loss owes to each by the gradient, and thirty of them ablated to see how good that is.

Attribution is Σ_t (z̃_t − mean z̃)·∂L/∂z̃_t; to first order, replacing a head by its mean adds its negative to the loss, which is what is
kept: positive where the replacement makes the predictions worse."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from extract.calibration.editing import Amounts
from extract.calibration.observed import Observed
from extract.calibration.plan import Head

ATTRIBUTION = "attribution"
THIRDS = 3


def attribution(seen: Observed) -> dict[str, Float[Tensor, "layer head"]]:
    """First-order rise of the window's summed cross-entropy in nats, by kind: by the mean, and by nothing, at every scored token."""
    return {ATTRIBUTION: seen.to_mean.sum(-1), f"{ATTRIBUTION}_zero": seen.to_zero.sum(-1)}


def stratified(attributed: Mapping[Head, float], layers: int, number: int) -> tuple[Head, ...]:
    """Heads to be ablated: of each third of the depth as many, at evenly spaced ranks of the magnitude of their attribution, the smallest
    and the largest among them. Nothing is drawn: the same attribution gives the same heads."""
    chosen: list[Head] = []
    for third in range(THIRDS):
        here = [head for head in attributed if head[0] * THIRDS // layers == third]
        ranked = sorted(here, key=lambda head: (abs(attributed[head]), head))
        wanted = min(len(ranked), number // THIRDS)
        chosen += [ranked[round(place * (len(ranked) - 1) / max(1, wanted - 1))] for place in range(wanted)]
    return tuple(sorted(chosen))


def everywhere(head: Head, seen: Observed) -> Amounts:
    """One head, replaced at every scored token."""
    chosen = torch.zeros_like(seen.norm)
    chosen[head] = 1
    return chosen
