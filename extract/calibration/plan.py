"""The list of interventions of a calibration: from its settings and what the run's counters say of its heads. Needs no torch."""

import dataclasses
import itertools
import math
import random
from collections.abc import Iterator, Mapping

from extract.calibration.settings import LARGEST_THRESHOLD, LEAST_THRESHOLD, QUICK_THRESHOLDS, Settings
from extract.store import Store
from extract.sums import HISTOGRAM_EDGES

RIVALS = ("raw_norm", "residual_share", "deviation", "sink_mass", "gradient_output")
Head = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Intervention:
    """One change of the model, in all layers at once; the fields are the columns of table intervention, which says what they mean.

    No columns: members, the heads, as (layer, head), that a band or its random control changes at every token; copied, the rule of the
    reference."""

    intervention: str
    treatment: str
    rule: str
    threshold: float
    reference: str | None = None
    band_low: float | None = None
    band_high: float | None = None
    first_layer: int | None = None
    end_layer: int | None = None
    heads: int | None = None
    draw: int | None = None
    seed: int | None = None
    members: tuple[Head, ...] = ()
    copied: str = "relative_norm"

    def row(self) -> dict[str, object]:
        """Its columns of table intervention."""
        return {key: value for key, value in vars(self).items() if key not in ("members", "copied")}


@dataclasses.dataclass(frozen=True)
class Counted:
    """What the run's counters say: the activation of every head at the threshold, in %, and the mean residual share of all of them."""

    activation: Mapping[Head, float]
    residual_share: float

    @property
    def layers(self) -> int:
        """Layers of the model."""
        return 1 + max(layer for layer, _ in self.activation)


def counted(store: Store, run_id: str, threshold: float) -> Counted:
    """Read a complete run's counters."""
    active = """
        select layer, head, coalesce(sum(n) filter (low >= ?::double), 0) * 100 / sum(n) as activation_pct
        from shard_histogram join histogram_bin using (kind, bin)
        where run_id = ? and kind = 'relative_norm' group by layer, head order by layer, head"""
    share = (
        "select fsum(total order by shard, layer, head) / sum(n) as mean from shard_stat where run_id = ? and measure = 'residual_share'"
    )
    activation = {
        (int(str(row["layer"])), int(str(row["head"]))): float(str(row["activation_pct"]))
        for row in store.rows(active, repr(threshold), run_id)
    }
    return Counted(activation, float(str(store.rows(share, run_id)[0]["mean"])))


def interventions(settings: Settings, run: Counted) -> tuple[Intervention, ...]:
    """All of them, in order: each after the one that it copies."""
    return (*_thresholds(settings), *_rivals(settings, run), *_bands(settings, run))


def _thresholds(settings: Settings) -> Iterator[Intervention]:
    for threshold in _edges(LEAST_THRESHOLD, LARGEST_THRESHOLD, QUICK_THRESHOLDS if settings.quick else HISTOGRAM_EDGES):
        below = Intervention(_named("relative_norm", threshold), "zero", "relative_norm", threshold)
        yield below
        if threshold == settings.threshold:
            yield dataclasses.replace(below, intervention=f"{below.intervention}-mean", treatment="mean")
        yield from _controls(settings, below)


def _controls(settings: Settings, below: Intervention) -> Iterator[Intervention]:
    """Random pairs and a uniform shrink beside a rule; quick, only the matched ones but at the figure's threshold."""
    copy = dataclasses.replace(below, reference=below.intervention, copied=below.rule)
    all_controls = not settings.quick or below.threshold == settings.threshold
    for rule in ("random", "random_matched") if all_controls else ("random_matched",):
        for draw in range(settings.draws):
            name = f"{rule}-{below.intervention}-{draw}"
            yield dataclasses.replace(copy, intervention=name, rule=rule, draw=draw, seed=settings.seed)
    if all_controls:
        yield dataclasses.replace(copy, intervention=f"shrink-{below.intervention}", rule="shrink", treatment="shrink")


def _rivals(settings: Settings, run: Counted) -> Iterator[Intervention]:
    reference = _named("relative_norm", settings.threshold)
    for rule in RIVALS:
        yield Intervention(f"{rule}-as-{reference}", "zero", rule, settings.threshold, reference)
    if not settings.quick:
        # The twin of the figure has the stored edge nearest to half the mean; an octave to both sides of it.
        middle = min(HISTOGRAM_EDGES, key=lambda edge: (abs(edge - run.residual_share / 2), edge))
        for threshold in _edges(middle / 2, middle * 2, HISTOGRAM_EDGES):
            below = Intervention(_named("residual_share", threshold), "zero", "residual_share", threshold)
            yield below
            if threshold == middle:
                yield from _controls(settings, below)


def _bands(settings: Settings, run: Counted) -> Iterator[Intervention]:
    for first, end in _ranges(run.layers, settings.ranges):
        found = list(_heads_of_bands(settings, run, first, end))
        # The quietest heads of each range are those that a reader would call inactive.
        for low, high, heads in found[:1] if settings.quick else found:
            name = f"band-{low:g}-{high:g}-layers-{first}-{end}"
            band = Intervention(name, "zero", "band", settings.threshold, None, low, high, first, end, heads=len(heads), members=heads)
            yield band
            for draw in range(settings.draws):
                beside = dataclasses.replace(band, intervention=f"random-{name}-{draw}", rule="band_random", reference=name)
                members = _others(settings, run, name, heads, draw)
                yield dataclasses.replace(beside, draw=draw, seed=settings.seed, members=members)


def _heads_of_bands(settings: Settings, run: Counted, first: int, end: int) -> Iterator[tuple[float, float, tuple[Head, ...]]]:
    """The bands of a range that hold a head, from the lowest; low closed, high open, the last one closed."""
    edges = settings.band_edges
    for low, high in itertools.pairwise(edges):
        held = [head for head, pct in run.activation.items() if first <= head[0] < end and low <= pct]
        heads = tuple(head for head in held if run.activation[head] < high or high == edges[-1])
        if heads:
            yield low, high, heads


def _others(settings: Settings, run: Counted, name: str, heads: tuple[Head, ...], draw: int) -> tuple[Head, ...]:
    """As many heads of each layer, drawn from those that are not in the band; where these are too few, from all heads of the layer."""
    generator, drawn = random.Random(f"{settings.seed} {name} {draw}"), []  # noqa: S311 - a draw that is to be repeated, no secret
    for layer in sorted({layer for layer, _ in heads}):
        of_layer = [head for head in sorted(run.activation) if head[0] == layer]
        here = [head for head in of_layer if head in heads]
        others = [head for head in of_layer if head not in heads]
        drawn += sorted(generator.sample(others if len(others) >= len(here) else of_layer, len(here)))
    return tuple(drawn)


def _ranges(layers: int, ranges: int) -> list[tuple[int, int]]:
    """Layer ranges as equal as can be, empty ones left out; half a layer is rounded up."""
    edges = [math.floor(part * layers / ranges + 1 / 2) for part in range(ranges + 1)]
    return [(first, end) for first, end in itertools.pairwise(edges) if first < end]


def _edges(low: float, high: float, edges: tuple[float, ...]) -> list[float]:
    return [edge for edge in edges if low <= edge <= high]


def _named(rule: str, threshold: float) -> str:
    return f"{rule}-{threshold:.4g}"
