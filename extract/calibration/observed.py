"""The unchanged pass: what every head does at every token of a window, by the run's own measures, and what the loss owes to it."""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from extract import families
from extract.attention import visit_layers
from extract.calibration.editing import Gradients, Logits, Targets, gradients
from extract.layer_heads import LayerHeads
from extract.layer_weights import model_weights

Pairs = Float[Tensor, "layer head scored"]


@dataclass(frozen=True)
class Means:
    """Means over the run's held-out windows: of what heads write (`LayerHeads.written`), and of z; `constant` is the constant part of z."""

    written: Float[Tensor, "layer head rank"]
    z: Targets
    constant: Targets


@dataclass(frozen=True)
class Observed:
    """One window, unchanged; every array is [layer, head, query 1 … T−1].

    relative_norm: r as the run measures it; norm: ‖õ‖; raw_norm: ‖z‖; residual_share: ‖õ‖/‖x‖; deviation: ‖õ − mean õ‖; sink_mass: p_i0;
    to_zero and to_mean: what, to first order, replacing z̃ there by 0 or by its mean adds to the loss, in nats."""

    logits: Float[Tensor, "window vocabulary"]
    relative_norm: Pairs
    norm: Pairs
    raw_norm: Pairs
    residual_share: Pairs
    deviation: Pairs
    sink_mass: Pairs
    to_zero: Pairs
    to_mean: Pairs


def means(model: PreTrainedModel, windows: Int[Tensor, "windows window"]) -> Means:
    """As the run's own: one window at a time, queries 0 left out."""
    written, z = [], []
    for window in windows:
        layers: list[tuple[Tensor, Tensor]] = []
        visit_layers(model, window[None], partial(_keep_means, layers))
        written.append(torch.stack([layer for layer, _ in layers]))
        z.append(torch.stack([layer for _, layer in layers]))
    constant = torch.stack([weights.value_bias for weights in model_weights(model, families.find(model.config))])
    return Means(torch.stack(written).mean(0), torch.stack(z).mean(0), constant.double())


def _keep_means(layers: list[tuple[Tensor, Tensor]], heads: LayerHeads) -> None:
    layers.append((heads.written.mean((0, 2), dtype=torch.float64), heads.z[:, :, 1:].mean((0, 2), dtype=torch.float64)))


def observe(model: PreTrainedModel, tokens: Int[Tensor, "1 window"], means: Means) -> Observed:
    """One measuring forward, one forward of the model's own, and one backward."""
    layers: list[list[Tensor]] = []
    visit_layers(model, tokens, lambda heads: layers.append(_pairs_of(heads)), mean_outputs=means.written)
    relative, norm, raw, share, deviation, sink = (torch.stack(values) for values in zip(*layers, strict=True))
    slopes = gradients(model, tokens, lambda logits: summed_loss(logits, tokens))
    with torch.inference_mode():
        to_zero, to_mean = -_product(slopes, means.constant), -_product(slopes, means.z)
    return Observed(slopes.logits, relative, norm, raw, share, deviation, sink, to_zero, to_mean)


def _pairs_of(heads: LayerHeads) -> list[Tensor]:
    raw = torch.linalg.vector_norm(heads.z[:, :, 1:], dim=-1)
    values = (heads.relative_norm, heads.output_norm, raw, heads.residual_share, heads.deviation_norm, heads.first_key_mass)
    return [value[0] for value in values]


def _product(slopes: Gradients, origin: Targets) -> Pairs:
    """(z − origin)·∂L/∂z of every pair, in float64."""
    layers = zip(slopes.z, slopes.gradient, origin, strict=True)
    return torch.stack([((z.double() - start[:, None]) * slope.double()).sum(-1) for z, slope, start in layers])


def summed_loss(logits: Logits, tokens: Int[Tensor, "1 window"]) -> Float[Tensor, ""]:
    """Cross-entropy of the next token, in nats, summed over queries 1 … T−2: the first is never scored, the last has no next token."""
    wide = logits[0, 1:-1].to(torch.promote_types(logits.dtype, torch.float32))
    return F.cross_entropy(wide, tokens[0, 2:].to(logits.device), reduction="sum")
