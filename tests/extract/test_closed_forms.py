"""Every measure of every planted head, against what can be worked out with pencil and paper.

The text is 32 different tokens, twice, without a start token: queries 1 … 63 are scored, and query i ≥ 32 finds its token at i − 32."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from extract import measures
from extract.attention import mean_outputs, measure_windows, visit_layers
from extract.layer_heads import LayerHeads
from extract.measures import Measure
from extract.planted import FAMILIES, HEADS, KINDS, TRIGGER, PlantedHead, plant
from extract.sums import HISTOGRAM_EDGES, ShardSums

SCORED = 63
Expected = float | tuple[float, float]


def harmonic(first: int, last: int, values: Callable[[int], float] = lambda i: 1.0) -> float:
    """Σ values(i) / (i + 1): what a uniform head gives one key, summed over queries."""
    return sum(values(i) / (i + 1) for i in range(first, last + 1))


ROOT2, LN2 = math.sqrt(2), math.log(2)
# The first query of the second copy finds two keys, position 0 and 1: before the first position stands only itself.
SPLIT = math.sqrt(1.5)
FIRED = 2 / SCORED
# Heads that look at the same places: in the table one line stands for all of them.
ALIKE = {
    "previous": ("previous", "switch"),
    "self": ("self", "copying", "anti-copying"),
    "duplicate": ("duplicate",),
    "sink": ("sink", "constant"),
    "uniform": ("uniform", "dead"),
    "induction": ("induction", "negative induction"),
}


def by_place(**expected: Expected) -> dict[str, Expected]:
    """Expectations of the kinds from those of the places they look at."""
    return {kind: expected[place] for place, kinds in ALIKE.items() for kind in kinds}


def everywhere(value: Expected) -> dict[str, Expected]:
    return dict.fromkeys(KINDS, value)


def scaled(expected: Expected, factor: float) -> Expected:
    return (expected[0] * factor, expected[1] * factor) if isinstance(expected, tuple) else expected * factor


# Writes a code of length √2 at every token; but for the one query that splits.
WRITERS = ("previous", "self", "duplicate", "constant", "copying", "anti-copying", "induction", "negative induction")
CHANCE, CHANCE_REPEATED = harmonic(32, 63) / SCORED, harmonic(32, 63) / 32
ALONE = harmonic(1, 63) / SCORED


def active(uniform: Expected, **other: Expected) -> dict[str, Expected]:
    """Percentages of active tokens: writers always, the switch after its trigger, sink and dead head never."""
    return dict.fromkeys(WRITERS, 100.0) | {"sink": 0.0, "dead": 0.0, "switch": 100 * FIRED, "uniform": uniform} | other


# A uniform head writes the mean of the codes it sees: √6 / 2 long at query 1, √2 / 3 at query 2, √6 / 4 at query 3, then ever shorter.
UNIFORM = (100 * 2 / SCORED, 100 * 3 / SCORED)
# Norms of the streams that enter the layers: codes of squared length 2 for token, flag and, in GPT-2, two positions; then five more.
STREAM = {"gpt2": (math.sqrt(8), math.sqrt(20)), "llama": (2.0, 4.0)}
NORMS: dict[str, Expected] = dict.fromkeys(WRITERS, ROOT2) | {"sink": 0.0, "dead": 0.0, "switch": FIRED * ROOT2}
NORMS |= dict.fromkeys(("induction", "negative induction"), (62 * ROOT2 + SPLIT) / SCORED)
# Two of 63 queries write more than half as much as others do, and the last ones hardly anything.
NORMS["uniform"] = ((math.sqrt(6) / 2 + ROOT2 / 3 + math.sqrt(6) / 4) / SCORED, 0.2)
# In a code of 64 tokens: the balance takes half of the energy, a number that serves two tokens four of 126, and position 0 …
TOP_THREE = (63 + 4 + 4) / 126
# … for induction 31 of 63 queries look at token 0, one at tokens 0 and 1 by halves, and each of the others at its own.
TOP_INDUCTION = (63 + 32.25 + 2) / 125.5
# Nothing is written, or hardly anything: what rounding makes of 0 / 0 is some share.
UNDEFINED = (0.0, 1.0)

EXPECTED: dict[str, dict[str, Expected]] = {
    "sink_mass": by_place(previous=1 / SCORED, self=0.0, duplicate=0.5 / SCORED, sink=1.0, uniform=ALONE, induction=0.5),
    "previous_token_mass": by_place(previous=1.0, self=0.0, duplicate=0.0, sink=0.0, uniform=harmonic(2, 63) / 62, induction=0.0),
    "self_mass": by_place(previous=0.0, self=1.0, duplicate=(31 + 16) / SCORED, sink=0.0, uniform=ALONE, induction=0.0),
    "duplicate_token_mass": by_place(
        previous=0.0, self=0.0, duplicate=16 / SCORED, sink=1 / SCORED, uniform=CHANCE, induction=0.5 / SCORED
    ),
    "duplicate_token_mass_repeated": by_place(
        previous=0.0, self=0.0, duplicate=0.5, sink=1 / 32, uniform=CHANCE_REPEATED, induction=0.5 / 32
    ),
    "induction_mass": by_place(previous=0.0, self=0.0, duplicate=0.0, sink=0.0, uniform=CHANCE, induction=31.5 / SCORED),
    "induction_mass_repeated": by_place(previous=0.0, self=0.0, duplicate=0.0, sink=0.0, uniform=CHANCE_REPEATED, induction=1 - 0.5 / 32),
    "sink_mass_chance": everywhere(ALONE),
    "self_mass_chance": everywhere(ALONE),
    "previous_token_mass_chance": everywhere(harmonic(2, 63) / 62),
    "duplicate_token_mass_chance": everywhere(CHANCE),
    "induction_mass_chance": everywhere(CHANCE),
    "duplicate_token_mass_repeated_chance": everywhere(CHANCE_REPEATED),
    "induction_mass_repeated_chance": everywhere(CHANCE_REPEATED),
    "entropy": by_place(
        previous=0.0,
        self=0.0,
        duplicate=sum(LN2 / math.log(i + 1) for i in range(32, 64)) / SCORED,
        sink=0.0,
        uniform=1.0,
        induction=LN2 / math.log(33) / SCORED,
    ),
    "mean_distance": by_place(
        previous=1.0, self=0.0, duplicate=32 * 16 / SCORED, sink=32.0, uniform=16.0, induction=(31 * 16 + 31.5 + 31 * 31) / SCORED
    ),
    "effective_keys": by_place(
        previous=1.0, self=1.0, duplicate=(31 + 32 * 2) / SCORED, sink=1.0, uniform=33.0, induction=(62 + 2) / SCORED
    ),
    "non_sink_windows_pct": by_place(previous=100.0, self=100.0, duplicate=100.0, sink=0.0, uniform=100.0, induction=0.0),
    "output_norm": NORMS,
    "activation_pct": active(UNIFORM),
    "activation_pct_without_loudest": active(UNIFORM),
    # A head that always writes the same writes nothing beyond its mean.
    "deviation_activation_pct": active((0.0, 10.0), constant=0.0),
    # At a threshold of a quarter: one query of the uniform head reaches it.
    "residual_activation_pct": active(100 / SCORED),
    "non_sink_share": by_place(previous=62 / SCORED, self=1.0, duplicate=62.5 / SCORED, sink=0.0, uniform=1 - ALONE, induction=0.5)
    | {"dead": 0.0, "sink": UNDEFINED, "switch": UNDEFINED},
    "top_output_dimensions": by_place(
        previous=TOP_THREE, self=TOP_THREE, duplicate=TOP_THREE, sink=1.0, uniform=(0.9, 1.0), induction=TOP_INDUCTION
    )
    | {"sink": UNDEFINED, "dead": 0.0, "switch": 1.0},
    "ov_copying": everywhere(0.0) | {"induction": 1.0, "copying": 1.0, "negative induction": -1.0, "anti-copying": -1.0},
}
# Positions 1 … 63 are all that are scored, and later ones are not there.
EXPECTED |= {name: EXPECTED[name.removesuffix("_1_64")] for name in ("sink_mass_1_64", "activation_pct_1_64")}
LATER = {"sink_mass_64_256", "sink_mass_256_on", "activation_pct_64_256", "activation_pct_256_on"}
SHARES = {
    family: {planted.kind: scaled(NORMS[planted.kind], 1 / norms[planted.layer]) for planted in HEADS} for family, norms in STREAM.items()
}
THRESHOLDS = {"residual_activation_pct": 0.25}
MODULES = measures.discover()
MEASURES = {module.MEASURE.id: module.MEASURE for module in MODULES}


@dataclass(frozen=True)
class Measured:
    """A planted model, its text, and all sums."""

    family: str
    model: PreTrainedModel
    tokens: Tensor
    sums: ShardSums

    def value(self, measure: Measure, planted: PlantedHead) -> float:
        """The measure of one head; a percentage at its threshold where it is binned."""
        if measure.histogram_kind is None:
            n, total, _ = self.sums.stats[measure.id]
            return float(total[planted.layer, planted.head] / n[planted.layer, planted.head])
        counts = self.sums.histograms[measure.histogram_kind][planted.layer, planted.head]
        return 100 * counts[HISTOGRAM_EDGES.index(THRESHOLDS.get(measure.id, 0.5)) :].sum() / counts.sum()


def measured(family: str, model: PreTrainedModel, tokens: Tensor) -> Measured:
    sums = ShardSums(model.config.num_hidden_layers, model.config.num_attention_heads)
    measure_windows(model, tokens, sums, MODULES, mean_outputs=mean_outputs(model, tokens))
    return Measured(family, model, tokens, sums)


def twice(tokens: int) -> Tensor:
    return torch.arange(tokens).repeat(2)[None]


@pytest.fixture(scope="module", params=FAMILIES)
def planted_model(request: pytest.FixtureRequest) -> Measured:
    return measured(request.param, plant(request.param, 64), twice(32))


def test_every_measure_has_its_line_in_the_table() -> None:
    assert MEASURES.keys() == EXPECTED.keys() | LATER | {"residual_share"}
    assert all(line.keys() == KINDS.keys() for line in (*EXPECTED.values(), *SHARES.values()))


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_of_a_planted_head_is_what_pencil_and_paper_give(planted_model: Measured, name: str) -> None:
    measure = MEASURES[name]
    if name in LATER:
        assert name not in planted_model.sums.stats
        assert measure.histogram_kind not in planted_model.sums.histograms
        return
    line = SHARES[planted_model.family] if name == "residual_share" else EXPECTED[name]
    found = {planted.kind: planted_model.value(measure, planted) for planted in HEADS}
    for kind, expected in line.items():
        if isinstance(expected, tuple):
            assert expected[0] - 1e-9 <= found[kind] <= expected[1] + 1e-9, kind
        else:
            assert found[kind] == pytest.approx(expected, abs=1e-9), kind


@pytest.mark.parametrize(("name", "low", "end"), [("sink_mass_64_256", 64, 256), ("sink_mass_256_on", 256, 512)])
def test_sink_mass_is_split_by_position(long_window: Measured, name: str, low: int, end: int) -> None:
    found = {planted.kind: long_window.value(MEASURES[name], planted) for planted in HEADS}
    # 256 tokens twice: in the first copy induction looks at the start, and query 256 splits.
    expected = by_place(
        previous=0.0,
        self=0.0,
        duplicate=0.5 / 256 if end == 512 else 0.0,
        sink=1.0,
        uniform=harmonic(low, end - 1) / (end - low),
        induction=0.5 / 256 if end == 512 else 1.0,
    )
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["activation_pct_64_256", "activation_pct_256_on"])
def test_activation_is_split_by_position(long_window: Measured, name: str) -> None:
    found = {planted.kind: long_window.value(MEASURES[name], planted) for planted in HEADS}
    assert found == pytest.approx(active(0.0, switch=100 / 256 if name.endswith("on") else 0.0), abs=1e-9)


@pytest.fixture(scope="module")
def long_window() -> Measured:
    return measured("llama", plant("llama", 512), twice(256))


def test_a_previous_token_head_attends_to_nothing_else_in_float64(planted_model: Measured) -> None:
    n, total, _ = planted_model.sums.stats["previous_token_mass"]
    assert (n[0, 0], total[0, 0]) == (62, 62.0)


def test_a_uniform_heads_entropy_and_distance_are_exact_at_every_query(planted_model: Measured) -> None:
    position = torch.arange(1, 64, dtype=torch.float64)
    (uniform,) = (planted for planted in HEADS if planted.kind == "uniform")

    def check(heads: LayerHeads) -> None:
        if heads.layer == uniform.layer:
            assert torch.allclose(heads.entropy[0, uniform.head], (position + 1).log(), rtol=0, atol=1e-13)
            assert torch.allclose(heads.mean_distance[0, uniform.head], position / 2, rtol=0, atol=1e-12)
            assert torch.allclose(heads.self_mass[0, uniform.head], 1 / (position + 1), rtol=0, atol=1e-15)

    visit_layers(planted_model.model, planted_model.tokens, check)


def test_a_switch_is_active_as_often_as_its_trigger_comes(planted_model: Measured) -> None:
    tokens = torch.randint(0, 64, (3, 64), generator=torch.Generator().manual_seed(1))
    tokens[tokens == TRIGGER + 1] = TRIGGER
    (switch,) = (planted for planted in HEADS if planted.kind == "switch")
    fired = int((tokens[:, :-1] == TRIGGER).sum())
    assert fired > 3
    again = measured(planted_model.family, planted_model.model, tokens)
    assert again.value(MEASURES["activation_pct"], switch) == pytest.approx(100 * fired / (3 * SCORED), abs=1e-12)
