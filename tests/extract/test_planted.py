"""The planted heads: what they look at by their model's own attention, what rotary positions owe to a formula, what gauges leave alone."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from extract import measures
from extract.attention import mean_outputs, visit_layers
from extract.layer_heads import LayerHeads
from extract.measures import NATURAL, WEIGHTS, MeasureModule
from extract.planted import AFTER_SAME, EVERYWHERE, FAMILIES, FIRST, HEADS, ITSELF, KINDS, PREVIOUS, SAME, plant, renumber
from extract.planted.llama import score_at, sharpness
from extract.planted.stream import GAP, codes
from extract.self_test import self_test

MODULES = measures.discover()
WINDOW = 64
(SWITCH,) = (planted for planted in HEADS if planted.kind == "switch")


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return plant(request.param, WINDOW)


def twice(tokens: int) -> Tensor:
    return torch.arange(tokens).repeat(2)[None]


def keys_looked_at(looks: str, tokens: list[int], query: int) -> list[int]:
    """The positions that a head looks at from a query, by definition."""
    every = range(query + 1)
    # Before the first position stands only itself, for the head that the second layer builds on.
    after = [key for key in every if tokens[max(0, key - 1)] == tokens[query]]
    return {
        PREVIOUS: [max(0, query - 1)],
        ITSELF: [query],
        FIRST: [0],
        EVERYWHERE: [*every],
        SAME: [key for key in every if tokens[key] == tokens[query]],
        AFTER_SAME: after or [0],
    }[looks]


def own_patterns(model: PreTrainedModel, tokens: Tensor) -> dict[str, Tensor]:
    """Whole patterns [query, key] of each planted head, from the model's own eager attention."""
    eager = copy.deepcopy(model)
    eager.set_attn_implementation("eager")
    with torch.no_grad():
        layers = eager.base_model(input_ids=tokens, use_cache=False, output_attentions=True).attentions
    return {planted.kind: layers[planted.layer][0, planted.head].double() for planted in HEADS}


@pytest.mark.parametrize("distinct", [2, 5, 20, 63])
def test_every_head_looks_where_it_was_planted_to_look_on_any_text(model: PreTrainedModel, distinct: int) -> None:
    text = np.random.default_rng(distinct).integers(1, 1 + distinct, WINDOW - 1)
    (tokens,) = renumber(np.concatenate([[0], text])[None])
    for kind, pattern in own_patterns(model, torch.from_numpy(tokens)[None]).items():
        for query in range(WINDOW):
            keys = keys_looked_at(KINDS[kind].looks, tokens.tolist(), query)
            expected = torch.zeros(WINDOW, dtype=torch.float64)
            expected[keys] = 1 / len(keys)
            # Llama's own eager attention rounds to float32.
            assert torch.allclose(pattern[query], expected, rtol=0, atol=1e-12 if model.config.model_type == "gpt2" else 1e-7), (
                kind,
                query,
            )


@pytest.mark.parametrize("distinct", [2, 5, 20])
def test_detectors_count_what_their_definitions_say_on_any_text(model: PreTrainedModel, distinct: int) -> None:
    """Immediate repeats among it: the query itself follows its own token there, and is no induction."""
    (tokens,) = renumber(np.concatenate([[0], np.random.default_rng(distinct).integers(1, 1 + distinct, WINDOW - 1)])[None])
    window = tokens.tolist()
    counted = {
        "induction_mass": lambda key, query: 0 < key < query and window[key - 1] == window[query],
        "duplicate_token_mass": lambda key, query: key < query and window[key] == window[query],
        "previous_token_mass": lambda key, query: key == query - 1 and query > 1,
        "self_mass": lambda key, query: key == query,
        "sink_mass": lambda key, query: key == 0,
    }
    layers, _ = values_of(model, torch.from_numpy(tokens)[None])
    for planted in HEADS:
        looked_at = [keys_looked_at(KINDS[planted.kind].looks, window, query) for query in range(WINDOW)]
        for name, counts in counted.items():
            expected = sum(counts(key, query) / len(keys) for query, keys in enumerate(looked_at) if query for key in keys)
            assert float(layers[planted.layer][name][0, planted.head].sum()) == pytest.approx(expected, abs=1e-6), (planted.kind, name)


def test_r_of_a_head_is_what_it_writes_over_what_its_layer_writes(model: PreTrainedModel) -> None:
    """Four of the six heads of the first layer write vectors of one length, the others nothing."""
    layers, _ = values_of(model, twice(WINDOW // 2))
    writes = torch.tensor([planted.kind not in ("sink", "dead") for planted in HEADS if planted.layer == 0]).double()[:, None]
    for name, r in (("activation_pct", 6 / 4), ("activation_pct_without_loudest", 5 / 3)):
        assert torch.allclose(layers[0][name][0].double(), (r * writes).expand(-1, WINDOW - 1), rtol=0, atol=1e-9), name


def test_a_planted_model_passes_the_probes_of_a_run(model: PreTrainedModel) -> None:
    assert self_test(model, twice(WINDOW // 2)) == "blocks of rows"


def test_every_kind_is_planted_once() -> None:
    assert sorted(planted.kind for planted in HEADS) == sorted(KINDS)
    assert {(planted.layer, planted.head) for planted in HEADS} == {(layer, head) for layer in range(2) for head in range(6)}


@pytest.mark.parametrize("window", [16, 51, 64, 128])
@pytest.mark.parametrize(("looks", "distance"), [(PREVIOUS, 1), (ITSELF, 0)])
def test_rotary_scores_are_a_sum_of_cosines_that_peaks_at_one_distance(window: int, looks: str, distance: int) -> None:
    score = sharpness(window, looks) * score_at(window, looks)
    others = torch.arange(window) != distance
    assert float(score[distance] - score[others].max()) == pytest.approx(GAP)
    # What is left for all other keys together is less than float64 can tell from nothing.
    mass = 1 / (1 + (score[others] - score[distance]).exp().sum())
    assert float(mass) == 1.0


@pytest.mark.parametrize("window", [16, 51, 64, 128])
def test_a_rotary_sink_scores_higher_the_further_away_a_key_is(window: int) -> None:
    score = sharpness(window, FIRST) * score_at(window, FIRST)
    assert (score.diff() >= GAP * (1 - 1e-12)).all()


def test_the_formula_is_what_the_rotary_model_computes() -> None:
    model, found = plant("llama", 128), {}

    def keep(heads: LayerHeads) -> None:
        scores = heads.scoring.scale * heads.q[0] @ heads.k[0].repeat_interleave(2, 0).mT
        found.update({planted.kind: scores[planted.head, -1] for planted in HEADS if planted.layer == heads.layer})

    visit_layers(model, twice(64), keep)
    for kind in ("previous", "self", "sink"):
        looks = KINDS[kind].looks
        formula = sharpness(128, looks) * score_at(128, looks).flip(0)
        # transformers keeps the angles in float32.
        assert torch.allclose(found[kind], formula, rtol=0, atol=1e-5 * float(formula.abs().max())), kind


def test_two_codes_agree_have_nothing_in_common_or_are_opposites() -> None:
    products = codes(9) @ codes(9).T
    assert torch.equal(products.diagonal(), torch.ones(9, dtype=torch.float64))
    assert set(products.flatten().tolist()) == {-1.0, 0.0, 1.0}
    # Nothing is the opposite of code 0, with which every window begins.
    assert products[0].tolist() == [1.0] + 8 * [0.0]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_renumbering_keeps_the_pattern_of_equal_tokens_and_counts_up(tokens: list[int]) -> None:
    before = np.array([tokens], dtype=np.int64)
    after = renumber(before)
    assert np.array_equal(before[0][:, None] == before[0], after[0][:, None] == after[0])
    assert [*dict.fromkeys(after[0].tolist())] == [*range(len(set(tokens)))]


def values_of(
    model: PreTrainedModel, tokens: Tensor, modules: tuple[MeasureModule, ...] = MODULES
) -> tuple[list[dict[str, Tensor]], list[Tensor]]:
    """The measures' values and the raw norms of the heads' outputs, layer by layer."""
    layers: list[dict[str, Tensor]] = []
    raw: list[Tensor] = []

    def receive(heads: LayerHeads) -> None:
        layers.append({module.MEASURE.id: module.compute(heads) for module in modules})
        raw.append(heads.z.norm(dim=-1))

    visit_layers(model, tokens, receive, mean_outputs=mean_outputs(model, tokens))
    return layers, raw


# Quotients of rounding errors where a head writes nothing.
UNSTABLE = {"non_sink_share": ("sink", "switch"), "top_output_dimensions": ("sink",)}


def test_a_value_bias_moved_into_the_output_bias_changes_only_the_raw_norm() -> None:
    """u is added to the value bias of each head, and −u W_O to the output bias: the same model."""
    model, tokens = plant("gpt2", WINDOW), twice(WINDOW // 2)
    shifted, width = copy.deepcopy(model), model.config.n_embd
    u = torch.linspace(-3, 4, width, dtype=torch.float64)
    with torch.no_grad():
        for block in shifted.transformer.h:
            block.attn.c_attn.bias[2 * width :] += u
            block.attn.c_proj.bias -= u @ block.attn.c_proj.weight
        assert torch.allclose(model(tokens).logits, shifted(tokens).logits, rtol=0, atol=1e-9)
    (before, raw), (after, raw_shifted) = values_of(model, tokens), values_of(shifted, tokens)
    for layer, (one, other) in enumerate(zip(before, after, strict=True)):
        for name in one:
            stable = [planted.head for planted in HEADS if planted.layer == layer and planted.kind not in UNSTABLE.get(name, ())]
            assert torch.allclose(one[name][:, stable], other[name][:, stable], rtol=0, atol=1e-9), name
    assert all((one - other).abs().mean() > 1 for one, other in zip(raw, raw_shifted, strict=True))


def test_a_constant_added_to_all_outputs_of_a_head_counts_only_where_no_layernorm_reads(model: PreTrainedModel) -> None:
    tokens, shifted, gpt2 = twice(WINDOW // 2), copy.deepcopy(model), model.config.model_type == "gpt2"
    # The second layer's switch: nothing that is measured reads what it writes.
    with torch.no_grad():
        output = shifted.transformer.h[1].attn.c_proj.weight if gpt2 else shifted.model.layers[1].self_attn.o_proj.weight.T
        output.unflatten(0, (6, -1))[SWITCH.head] += 1.0
    modules = measures.discover(NATURAL, WEIGHTS)
    (before, _), (after, _) = values_of(model, tokens, modules), values_of(shifted, tokens, modules)
    difference = {name: (after[1][name] - before[1][name]).abs()[0, SWITCH.head].mean() for name in ("activation_pct", "output_norm")}
    assert max(difference.values()) < 1e-9 if gpt2 else min(difference.values()) > 1
    if gpt2:
        # Rounding leaves something of the circuit where all of it cancels, and that has eigenvalues too.
        assert torch.equal(after[1]["ov_copying"], before[1]["ov_copying"])
