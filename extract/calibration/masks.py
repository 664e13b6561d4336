"""Which pairs an intervention changes, and how far: from the unchanged pass alone."""

import hashlib

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from extract.calibration.editing import Amounts
from extract.calibration.observed import Observed, Pairs
from extract.calibration.plan import Head, Intervention

PerLayer = Float[Tensor, " layer"]


def amounts(intervention: Intervention, seen: Observed, window: int) -> Amounts:
    """How far each pair is moved, 0 to 1. `window` goes into the seed of what is drawn at random."""
    rule = intervention.rule
    if intervention.members:
        return _all_tokens(intervention.members, seen.norm)
    if intervention.reference is None:
        return _below(rule, intervention.threshold, seen).to(seen.norm)
    copied = _below(intervention.copied, intervention.threshold, seen)
    number, squares = copied.sum((1, 2)), (copied * seen.norm.double().square()).sum((1, 2))
    if rule == "random":
        return _first_of(_shuffled(intervention, seen, window), number, seen.norm)
    if rule == "random_matched":
        return _up_to(_shuffled(intervention, seen, window), squares, seen.norm, _generator(intervention, window, "last"))
    if rule == "shrink":
        return _shrunk(squares, seen.norm)
    return _first_of(_score(rule, seen).flatten(1).argsort(stable=True, dim=1), number, seen.norm)


def _below(rule: str, threshold: float, seen: Observed) -> Bool[Tensor, "layer head scored"]:
    # In float64, as the run's histograms are filled.
    return (seen.relative_norm if rule == "relative_norm" else seen.residual_share).double() < threshold


def _score(rule: str, seen: Observed) -> Pairs:
    """What a rival rule takes the lowest of."""
    scores = {
        "raw_norm": seen.raw_norm,
        "residual_share": seen.residual_share,
        "deviation": seen.deviation,
        "sink_mass": -seen.sink_mass,
        "gradient_output": seen.to_zero.abs(),
    }
    return scores[rule]


def _all_tokens(members: tuple[Head, ...], like: Pairs) -> Amounts:
    chosen = torch.zeros_like(like)
    layer, head = (torch.tensor(index, device=like.device) for index in zip(*members, strict=True))
    chosen[layer, head] = 1
    return chosen


def _first_of(order: Int[Tensor, "layer pair"], number: Int[Tensor, " layer"], like: Pairs) -> Amounts:
    """The first `number` pairs of each layer, in this order."""
    ahead = torch.arange(order.shape[1], device=order.device) < number[:, None]
    return _scattered(order, ahead, like)


def _up_to(order: Int[Tensor, "layer pair"], squares: PerLayer, norm: Pairs, generator: torch.Generator) -> Amounts:
    """Pairs in this order until their squared norms reach `squares`: the one that oversteps it is taken with the probability at which the
    sum is `squares` on average."""
    each = norm.double().square().flatten(1).gather(1, order)
    after = each.cumsum(1)
    missing = squares[:, None] - (after - each)
    draw = torch.rand(len(order), 1, generator=generator, dtype=torch.float64).to(each)
    return _scattered(order, (after <= squares[:, None]) | ((missing > 0) & (draw * each < missing)), norm)


def _scattered(order: Int[Tensor, "layer pair"], taken: Bool[Tensor, "layer pair"], like: Pairs) -> Amounts:
    chosen = torch.zeros_like(like).flatten(1)
    return chosen.scatter_(1, order, taken.to(like)).view_as(like)


def _shrunk(squares: PerLayer, norm: Pairs) -> Amounts:
    """The same part of every pair of a layer: its square is what `squares` is of the layer's squared norms."""
    whole = norm.double().square().sum((1, 2))
    part = torch.where(whole > 0, squares / torch.where(whole > 0, whole, 1.0), 0.0).sqrt()
    return part[:, None, None].to(norm).expand_as(norm)


def _shuffled(intervention: Intervention, seen: Observed, window: int) -> Int[Tensor, "layer pair"]:
    layers, heads, scored = seen.norm.shape
    draw = torch.rand(layers, heads * scored, generator=_generator(intervention, window, "order"), dtype=torch.float64)
    return draw.argsort(1).to(seen.norm.device)


def _generator(intervention: Intervention, window: int, what: str) -> torch.Generator:
    """On the host, so that every device draws the same; another for each intervention, draw and window."""
    words = f"{intervention.seed} {window} {intervention.intervention} {what}".encode()
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(words).digest()[:7], "big"))
