"""Heads in a sliding window: what a query sees there, and so chance levels, entropy and masses, worked out by hand.

In a window of four, query i sees min(i + 1, 4) keys. The text is a b a a b c b a; queries 1 … 7 are scored."""

import math
from collections.abc import Callable

import pytest
import torch
from transformers import GPTNeoConfig, GPTNeoForCausalLM, PreTrainedModel

from extract import blocked, measures
from extract.attention import visit_layers
from extract.blocked import Scoring, attend
from extract.layer_heads import LayerHeads
from extract.layer_weights import LayerWeights
from extract.measures import effective_keys, entropy, self_mass, sink_mass, sink_mass_chance
from extract.same_token import SameTokens

A, B, C = 1, 2, 3
TEXT = [A, B, A, A, B, C, B, A]
MASSES = ("sink_mass", "self_mass", "previous_token_mass", "duplicate_token_mass", "induction_mass")
MODULES = {module.MEASURE.id: module for module in measures.discover()}
# How many of the keys that each query sees are the first, itself, the one before (from query 2 on), an earlier copy, or right after one;
# of query 7 (a), for one: copies at 0, 2 and 3, followed by 1, 3 and 4, and in the window of four it sees 4 … 7.
NEAR = {
    "sink_mass": [1, 1, 1, 0, 0, 0, 0],
    "self_mass": [1, 1, 1, 1, 1, 1, 1],
    "previous_token_mass": [1, 1, 1, 1, 1, 1],
    "duplicate_token_mass": [0, 1, 2, 1, 0, 1, 0],
    "induction_mass": [0, 1, 1, 1, 0, 1, 1],
}
ALL = NEAR | {
    "sink_mass": [1, 1, 1, 1, 1, 1, 1],
    "duplicate_token_mass": [0, 1, 2, 1, 0, 2, 3],
    "induction_mass": [0, 1, 1, 1, 0, 2, 3],
}
SEEN_NEAR, SEEN_ALL = [2, 3, 4, 4, 4, 4, 4], [2, 3, 4, 5, 6, 7, 8]


def uniform_model(window: int) -> PreTrainedModel:
    """GPT-Neo whose queries are all zero: every head spreads its attention evenly, over all keys in layer 0, over a window in layer 1."""
    sizes = {"hidden_size": 16, "num_heads": 2, "num_layers": 2, "max_position_embeddings": 96, "vocab_size": 50}
    config = GPTNeoConfig(**sizes, attention_types=[[["global", "local"], 1]], window_size=window, bos_token_id=None, eos_token_id=None)
    torch.manual_seed(0)
    model = GPTNeoForCausalLM(config).double().eval()
    with torch.no_grad():
        for block in model.transformer.h:
            block.attn.attention.q_proj.weight.zero_()
    return model


def layers_of(model: PreTrainedModel, tokens: list[int]) -> list[LayerHeads]:
    layers: list[LayerHeads] = []
    visit_layers(model, torch.tensor([tokens]), layers.append)
    return layers


def values_of(heads: LayerHeads, measure: str) -> list[list[float]]:
    """One list of values per head of the only window."""
    values: list[list[float]] = MODULES[measure].compute(heads)[0].tolist()
    return values


@pytest.mark.parametrize(("layer", "seen", "found"), [(0, SEEN_ALL, ALL), (1, SEEN_NEAR, NEAR)], ids=["all keys", "window of four"])
def test_a_uniform_head_gets_its_chance_levels_in_a_layer_with_and_one_without_a_window(
    layer: int, seen: list[int], found: dict[str, list[int]]
) -> None:
    heads = layers_of(uniform_model(window=4), TEXT)[layer]
    assert heads.visible.tolist() == seen
    assert heads.sees_first[0].tolist() == found["sink_mass"]
    for name in MASSES:
        expected = [count / keys for count, keys in zip(found[name], seen[-len(found[name]) :], strict=True)]
        # Two heads, alike; the mass and the chance level are worked out on different ways.
        assert values_of(heads, name) == [pytest.approx(expected, abs=1e-12)] * 2, name
        assert values_of(heads, f"{name}_chance") == [pytest.approx(expected, abs=1e-12)] * 2, name


@pytest.mark.parametrize(("layer", "seen"), [(0, SEEN_ALL), (1, SEEN_NEAR)], ids=["all keys", "window of four"])
def test_the_entropy_of_a_uniform_head_is_the_largest_possible_with_and_without_a_window(layer: int, seen: list[int]) -> None:
    heads = layers_of(uniform_model(window=4), TEXT)[layer]
    assert heads.entropy[0, 0].tolist() == pytest.approx([math.log(keys) for keys in seen], abs=1e-12)
    assert values_of(heads, "entropy") == [pytest.approx([1.0] * 7, abs=1e-12)] * 2
    assert values_of(heads, "effective_keys") == [pytest.approx(seen, abs=1e-12)] * 2
    # Keys at distances 0, 1, … up to the last one seen: half of the greatest on average.
    assert values_of(heads, "mean_distance") == [pytest.approx([(keys - 1) / 2 for keys in seen], abs=1e-12)] * 2


def test_chance_on_repeated_tokens_is_zero_where_the_first_copy_lies_before_the_window() -> None:
    """A start token and five tokens twice: queries 6 … 10 find their token five back, out of a window of four, and what follows it four
    back, which is out of it too; with all keys, one each of i + 1."""
    everywhere, near = layers_of(uniform_model(window=4), [0, *[11, 12, 13, 14, 15] * 2])
    for name in ("duplicate_token_mass_repeated", "induction_mass_repeated"):
        for measure in (name, f"{name}_chance"):
            assert values_of(near, measure) == [[0.0] * 5] * 2, measure
            assert values_of(everywhere, measure) == [pytest.approx([1 / 7, 1 / 8, 1 / 9, 1 / 10, 1 / 11], abs=1e-12)] * 2, measure
    # One key more, and the token that followed is seen, its copy still not.
    near = layers_of(uniform_model(window=5), [0, *[11, 12, 13, 14, 15] * 2])[1]
    assert values_of(near, "induction_mass_repeated") == [pytest.approx([0.2] * 5, abs=1e-12)] * 2
    assert values_of(near, "induction_mass_repeated_chance") == [pytest.approx([0.2] * 5, abs=1e-12)] * 2
    assert values_of(near, "duplicate_token_mass_repeated_chance") == [[0.0] * 5] * 2


def test_blocks_of_rows_that_begin_after_the_first_key_see_as_many_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ninety queries in blocks of sixteen: from the second block on, the first key is out of reach, and so not among the keys at hand."""
    monkeypatch.setitem(blocked.BLOCK_BYTES, "cpu", 1)
    near = layers_of(uniform_model(window=4), [i % 50 for i in range(90)])[1]
    seen = [min(i + 1, 4) for i in range(1, 90)]
    assert values_of(near, "sink_mass") == [pytest.approx([1 / 2, 1 / 3, 1 / 4] + [0.0] * 86, abs=1e-12)] * 2
    assert values_of(near, "sink_mass_chance") == values_of(near, "sink_mass")
    assert values_of(near, "sink_mass_64_256") == [[0.0] * 26] * 2
    assert values_of(near, "self_mass") == [pytest.approx([1 / keys for keys in seen], abs=1e-12)] * 2
    assert values_of(near, "entropy") == [pytest.approx([1.0] * 89, abs=1e-12)] * 2
    # Tokens come again after fifty: never within four.
    assert values_of(near, "duplicate_token_mass_chance") == values_of(near, "induction_mass_chance") == [[0.0] * 89] * 2


def test_a_query_that_sees_itself_alone_has_no_entropy_and_one_key() -> None:
    near = layers_of(uniform_model(window=1), TEXT)[1]
    for module, value in ((entropy, 0.0), (effective_keys, 1.0), (self_mass, 1.0), (sink_mass, 0.0), (sink_mass_chance, 0.0)):
        assert values_of(near, module.MEASURE.id) == [[value] * 7] * 2, module.MEASURE.id


def heads_by_key(scores: Callable[[torch.Tensor], torch.Tensor], window: int | None) -> LayerHeads:
    """One head outside any model, whose score of a key depends on the key's position alone."""
    position = torch.arange(len(TEXT), dtype=torch.float64)
    q, k = torch.ones(1, 1, len(TEXT), 1, dtype=torch.float64), scores(position)[None, None, :, None]
    one, norm = torch.ones(1, 1, 1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    weights = LayerWeights(one, torch.zeros(1, 1, dtype=torch.float64), False, one, one, norm, lambda: one[0])
    scoring, tokens = Scoring(1.0, window=window), SameTokens(torch.tensor([TEXT]))
    rows = attend(q, k, k, scoring, tokens, LayerHeads.value_norms(k, weights))
    return LayerHeads(0, q, k, k, rows, scoring, torch.ones(1, len(TEXT), 1, dtype=torch.float64), tokens, weights)


def test_entropy_is_a_share_of_what_the_window_allows() -> None:
    """A head that looks at even positions only, evenly: from query 3 on, two of the four keys in the window, ln 2 of ln 4; with all keys,
    the 2, 3, 3, 4, 4 even ones of 4, 5, 6, 7, 8."""
    near, everywhere = (heads_by_key(lambda position: -80.0 * (position % 2), window) for window in (4, None))
    first = [0.0, math.log(2) / math.log(3)]
    assert values_of(near, "entropy") == [pytest.approx([*first, 0.5, 0.5, 0.5, 0.5, 0.5], abs=1e-12)]
    shares = [math.log(even) / math.log(keys) for even, keys in ((2, 4), (3, 5), (3, 6), (4, 7), (4, 8))]
    assert values_of(everywhere, "entropy") == [pytest.approx([*first, *shares], abs=1e-12)]
