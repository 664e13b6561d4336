"""What tests of layer ranges do when layers differ but not with depth: whole layers must be shuffled, since heads of a layer are alike.

Simulated models of 40 layers with 12 heads in four ranges. Every head's value is its layer's plus its own; bands are cut at fixed values.
The rates are recorded with the test's results (`pytest --junitxml`) and printed (`-rP`)."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from report.evidence import EVIDENCE, HINT
from report.trends import circular_shift, layer_permutation

LAYERS, HEADS, EDGES = 40, 12, (0, 10, 20, 30, 40)
LEVEL, DRAWS = 0.05, 199
Levels = Callable[[np.random.Generator], NDArray[np.float64]]
Record = Callable[[str, object], None]


def independent(random: np.random.Generator) -> NDArray[np.float64]:
    """Layers that differ, each by itself."""
    return random.normal(size=LAYERS)


def neighbours_alike(random: np.random.Generator) -> NDArray[np.float64]:
    """Layers whose neighbours are alike: an autoregression of .8, begun in its own stationary law; no depth is special."""
    levels = [random.normal()]
    for _ in range(LAYERS - 1):
        levels.append(0.8 * levels[-1] + 0.6 * random.normal())
    return np.array(levels)


def ring_of_neighbours(random: np.random.Generator) -> NDArray[np.float64]:
    """The same likeness with the last layer next to the first, so that shifting the layers around changes nothing that matters."""
    noise = random.normal(size=LAYERS)
    near = 0.8 ** np.minimum(np.arange(LAYERS), LAYERS - np.arange(LAYERS))
    return np.array([np.roll(near, layer) @ noise for layer in range(LAYERS)]) / np.linalg.norm(near)


def equal(random: np.random.Generator) -> NDArray[np.float64]:
    """Layers that do not differ: heads are independent, as tests over heads take them."""
    return np.zeros(LAYERS)


def simulated(random: np.random.Generator, levels: Levels, trend: float = 0.0) -> NDArray[np.int64]:
    """Band of every head, [layer, head]; `trend`: what the last layer has more than the first."""
    values = levels(random)[:, None] + 0.5 * random.normal(size=(LAYERS, HEADS)) + trend * np.linspace(-0.5, 0.5, LAYERS)[:, None]
    return np.clip(np.floor(values + 2.5), 0, 4).astype(np.int64)


def p_values(bands: NDArray[np.int64]) -> dict[str, float]:
    """p of the tests that permute layers, and of three that take heads as independent of each other."""
    layers = np.stack([np.bincount(row, minlength=5) for row in bands])
    ranges = [bands[first:end].ravel() for first, end in pairwise(EDGES)]
    high = [np.count_nonzero(held >= 3) for held in ranges]
    top = np.array([high, [held.size - inside for held, inside in zip(ranges, high, strict=True)]])
    ordinals = np.repeat(np.arange(len(ranges)), [held.size for held in ranges])
    mixed = 0 < sum(high) < ordinals.size
    # Cochran–Armitage: the linear trend of a share, M² = (N − 1) r².
    linear = (ordinals.size - 1) * np.corrcoef(ordinals, np.concatenate(ranges) >= 3)[0, 1] ** 2 if mixed else 0.0
    return {
        "layer permutation": layer_permutation(layers, EDGES, draws=DRAWS).p,
        "circular shift": circular_shift(layers, EDGES).p,
        "Kruskal–Wallis over heads": float(stats.kruskal(*ranges).pvalue),
        "chi-squared over heads": float(stats.chi2_contingency(top, correction=False).pvalue) if mixed else 1.0,
        "Cochran–Armitage over heads": float(stats.chi2.sf(linear, 1)),
    }


def rejection_rates(levels: Levels, runs: int, record: Record, trend: float = 0.0) -> dict[str, float]:
    """How often each test rejects at LEVEL, over simulated models."""
    random = np.random.default_rng(20_250_702)
    found = [p_values(simulated(random, levels, trend)) for _ in range(runs)]
    rates = {name: float(np.mean([p[name] <= LEVEL for p in found])) for name in found[0]}
    # What a page calls a rise or a fall, its effect apart: evidence by the one test, and a hint at least by the other.
    rates["both together"] = float(np.mean([p["layer permutation"] < EVIDENCE and p["circular shift"] < HINT for p in found]))
    for name, rate in rates.items():
        record(name, rate)
        print(f"{levels.__name__}, trend {trend:g}, {runs} models: {name} rejects {100 * rate:.1f} %")
    return rates


def at_most(runs: int, level: float = LEVEL) -> float:
    """The rejection rate that a test of this level exceeds once in a thousand such simulations."""
    return float(stats.binom.ppf(0.999, runs, level)) / runs


def at_least(runs: int, level: float = LEVEL) -> float:
    """The rate that it falls below once in a thousand."""
    return float(stats.binom.ppf(0.001, runs, level)) / runs


SIZES = [pytest.param(300, id="300"), pytest.param(2000, id="2000", marks=pytest.mark.slow)]


@pytest.mark.parametrize("runs", SIZES)
def test_layers_that_differ_without_order_fool_tests_over_heads_and_not_those_over_layers(runs: int, record_property: Record) -> None:
    rates = rejection_rates(independent, runs, record_property)
    assert at_least(runs) <= rates["layer permutation"] <= at_most(runs)
    assert rates["circular shift"] <= at_most(runs)
    assert rates["Kruskal–Wallis over heads"] > 0.5
    assert rates["chi-squared over heads"] > 0.5
    # A linear trend is one way of being unlike out of three, so it goes wrong less often; often enough.
    assert rates["Cochran–Armitage over heads"] > 0.3


@pytest.mark.parametrize("runs", SIZES)
def test_layers_like_their_neighbours_fool_the_free_permutation_and_the_shift_guards_it(runs: int, record_property: Record) -> None:
    rates = rejection_rates(neighbours_alike, runs, record_property)
    assert rates["layer permutation"] > 0.25
    # The shift joins the last layer to the first, which are not neighbours: it is a guard, and no exact test.
    assert rates["circular shift"] <= at_most(runs, 2.5 * LEVEL)
    assert rates["both together"] < rates["layer permutation"]


@pytest.mark.parametrize("runs", SIZES)
def test_where_the_last_layer_is_next_to_the_first_the_shift_keeps_its_level(runs: int, record_property: Record) -> None:
    rates = rejection_rates(ring_of_neighbours, runs, record_property)
    assert rates["layer permutation"] > 0.25
    assert rates["circular shift"] <= at_most(runs)


@pytest.mark.parametrize("runs", SIZES)
def test_heads_that_are_independent_are_what_tests_over_heads_are_made_for(runs: int, record_property: Record) -> None:
    # So the rates above come from the layers, not from how these tests were computed here.
    for name, rate in rejection_rates(equal, runs, record_property).items():
        assert rate <= at_most(runs), name


def test_a_trend_is_found_by_both_tests_over_layers(record_property: Record) -> None:
    rates = rejection_rates(independent, 100, record_property, trend=3.0)
    assert rates["layer permutation"] > 0.8
    assert rates["circular shift"] > 0.2
