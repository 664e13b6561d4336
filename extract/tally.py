"""Tally: one forward pass's sums, kept on the layers' devices and moved to the host once, when the pass has ended."""

from collections import defaultdict

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import MeasureModule
from extract.placement import together
from extract.sums import BINS, HISTOGRAM_EDGES, ShardSums, require_finite

Values = Float[Tensor, "batch head unit"]


class Tally:
    """Sums of each measure, layer by layer, in the order in which the forward reaches the layers."""

    def __init__(self, measures: tuple[MeasureModule, ...]) -> None:
        self._measures = measures
        self._counted: dict[str, int] = {}
        self._sums: defaultdict[str, list[Float64[Tensor, "head 2"]]] = defaultdict(list)
        self._bins: defaultdict[str, list[Int64[Tensor, "head bin"]]] = defaultdict(list)

    def take(self, heads: LayerHeads) -> None:
        """Work out every measure of one layer and keep its sums."""
        for module in self._measures:
            values, measure = module.compute(heads), module.MEASURE
            if not values.shape[2]:
                # A window that ends before the measure's first position.
                continue
            self._counted[measure.id] = values.shape[0] * values.shape[2]
            self._sums[measure.id].append(sums_per_head(values))
            if measure.histogram_kind is not None:
                self._bins[measure.histogram_kind].append(bins_per_head(values))

    def add_to(self, sums: ShardSums) -> None:
        """Add everything to `sums`. Raises NumericRefusal before anything is added where a value was not finite."""
        totals = {measure: together(layers).cpu().numpy() for measure, layers in self._sums.items()}
        for name, total in totals.items():
            require_finite(name, total.sum(-1))
        for measure in (module.MEASURE for module in self._measures if module.MEASURE.id in totals):
            if measure.histogram_kind is not None:
                sums.add_histogram(measure.histogram_kind, together(self._bins[measure.histogram_kind]).cpu().numpy())
            else:
                total = totals[measure.id]
                sums.add(measure.id, np.full(total.shape[:2], self._counted[measure.id]), total[..., 0], total[..., 1])


def sums_per_head(values: Values) -> Float64[Tensor, "head 2"]:
    """Sum and sum of squares over windows and units, in float64."""
    exact = values.double()
    return torch.stack([exact.sum((0, 2)), exact.square().sum((0, 2))], -1)


def bins_per_head(values: Values) -> Int64[Tensor, "head bin"]:
    """Counts of values per bin of HISTOGRAM_EDGES, compared in float64: a value equal to an edge is in the bin that begins there."""
    heads = values.shape[1]
    inner = torch.tensor(HISTOGRAM_EDGES[1:-1], dtype=torch.float64, device=values.device)
    bins = torch.bucketize(values.double().contiguous(), inner, right=True)
    cells = (bins + BINS * torch.arange(heads, device=values.device)[:, None]).flatten()
    # index_add rather than bincount, which waits for the device.
    counts = torch.zeros(heads * BINS, dtype=torch.int64, device=values.device)
    return counts.index_add_(0, cells, torch.ones_like(cells)).view(heads, BINS)
