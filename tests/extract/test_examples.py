"""Examples: the reservoirs against brute force over every value, the random draw, and what each example attends to."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from extract.attention import visit_layers
from extract.config import RunConfig
from extract.examples import Examples, draws, mixed, place_keys
from extract.layer_heads import LayerHeads
from extract.reservoir import BANDS, KEPT, KINDS, UNKNOWN, Reservoirs, rows_of
from extract.run import measure
from extract.run_examples import RunExamples

LENGTH = 40
ORDER = ["layer", "head", "kind", "window", "position"]
KEYS = [*ORDER, "relative_norm", "draw", "source_position", "source_attention"]


def empty(model: PreTrainedModel, seed: int = 7) -> Examples:
    return Examples(seed, Reservoirs.empty(model.config.num_hidden_layers, model.config.num_attention_heads, "cpu"))


def take(model: PreTrainedModel, tokens: Tensor, examples: Examples, first: int, batch: int) -> Examples:
    """Examples of consecutive windows, so many at a time."""
    for start in range(0, len(tokens), batch):
        visit_layers(model, tokens[start : start + batch], examples.taking(first + start))
    return examples


def rows(examples: Examples) -> list[dict[str, object]]:
    return examples.to_table("r", 0).select(KEYS).to_pylist()


def by_place(table: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return sorted(tuple(row[name] for name in ORDER) for row in table)


def brute_force(model: PreTrainedModel, tokens: Tensor, seed: int = 7) -> list[tuple[object, ...]]:
    """Every value of r, sorted in plain Python."""
    layers: list[Tensor] = []
    for window in tokens:
        visit_layers(model, window[None], lambda heads: layers.append(heads.relative_norm[0]))
    depth, kept = model.config.num_hidden_layers, []
    r = torch.stack(layers).unflatten(0, (len(tokens), depth)).tolist()
    for layer, head in itertools.product(range(depth), range(model.config.num_attention_heads)):
        drawn = draws(seed, layer, head + 1, place_keys(seed, range(len(tokens)), tokens.shape[1] - 1, "cpu"))[:, head].tolist()
        places = [(w, i) for w in range(len(tokens)) for i in range(1, tokens.shape[1])]
        value = {(w, i): r[w][layer][head][i - 1] for w, i in places}
        best = {"largest": sorted(places, key=lambda place: (-value[place], place))}
        for band in BANDS:
            inside = [place for place in places if band.low <= value[place] < band.high]
            best[band.name] = sorted(inside, key=lambda place: (drawn[place[0]][place[1] - 1], place))
        kept += [(layer, head, kind, *place) for kind, order in best.items() for place in order[:KEPT]]
    return sorted(kept)


def test_the_examples_are_those_of_a_sort_over_every_value(toy: PreTrainedModel, windows: Callable[[int, int], Tensor]) -> None:
    tokens = windows(6, LENGTH)
    expected = brute_force(toy, tokens)
    assert len({kind for _, _, kind, _, _ in expected}) > 4
    assert by_place(rows(take(toy, tokens, empty(toy), 0, 1))) == expected


def test_neither_batch_nor_the_order_of_the_shards_nor_an_interruption_shows(
    toy: PreTrainedModel, windows: Callable[[int, int], Tensor]
) -> None:
    tokens = windows(9, LENGTH)
    whole = rows(take(toy, tokens, empty(toy), 0, 1))
    for batch in (2, 4, 9):
        assert by_place(rows(take(toy, tokens, empty(toy), 0, batch))) == by_place(whole)
    shape = (toy.config.num_hidden_layers, toy.config.num_attention_heads)
    committed: list[pa.Table] = []
    for first in (6, 0, 3):
        # As after an interruption: nothing is known but the rows of the shards that were committed.
        kept = RunExamples(*shape)
        if committed:
            kept.take(pa.concat_tables(committed))
        found = take(toy, tokens[first : first + 3], empty(toy), first, 1).to_table("r", first // 3)
        committed.append(kept.take(found))
        assert committed[-1].num_rows <= found.num_rows
    assert by_place(rows(Examples(7, Reservoirs(kept.rows)))) == by_place(whole)
    assert sum(table.num_rows for table in committed) > len(whole)


def test_the_source_is_the_greatest_weight_of_the_models_own_row_and_the_first_of_equals(
    toy: PreTrainedModel, windows: Callable[[int, int], Tensor], eager: Callable[..., list]
) -> None:
    tokens = windows(4, LENGTH)
    own = [layer.p for layer in eager(toy, tokens)]
    for row in rows(take(toy, tokens, empty(toy), 0, 2)):
        p = own[row["layer"]][row["window"], row["head"], row["position"]]
        assert p[row["source_position"]] >= p.max() - 1e-6
        assert row["source_attention"] == pytest.approx(float(p.max()), abs=1e-5)


def test_a_head_that_attends_evenly_has_the_first_position_as_its_source(gpt2_maker: Callable[..., PreTrainedModel]) -> None:
    model = gpt2_maker(layers=1, heads=2, width=8)
    with torch.no_grad():
        model.base_model.h[0].attn.c_attn.weight[:, :16] = 0
        model.base_model.h[0].attn.c_attn.bias[:16] = 0
    found = rows(take(model, torch.randint(0, 101, (1, 20)), empty(model), 0, 1))
    assert {row["source_position"] for row in found} == {0}
    assert all(row["source_attention"] == pytest.approx(1 / (row["position"] + 1)) for row in found)


def test_where_no_head_writes_the_largest_are_the_first_tokens(gpt2_maker: Callable[..., PreTrainedModel]) -> None:
    model = gpt2_maker(layers=1, heads=2, width=8)
    with torch.no_grad():
        model.base_model.h[0].attn.c_proj.weight.zero_()
    found = rows(take(model, torch.randint(0, 101, (3, 9)), empty(model), 0, 2))
    largest = [(row["window"], row["position"]) for row in found if row["kind"] == "largest" and row["head"] == 1]
    assert sorted(largest) == [(w, i) for w in range(3) for i in range(1, 9)][:KEPT]
    assert {row["relative_norm"] for row in found} == {0.0}


ENTRIES = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(-5, 5), st.sampled_from([0.0, 0.5, 1.0, 2.5])), min_size=1, max_size=120
)


@given(ENTRIES, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_reservoirs_merge_in_any_order_and_in_any_parts(entries: list[tuple[int, int, int, float]], random: object) -> None:
    # Few different values, so that the place decides often.
    places = [(number // 13, number % 13, *entry) for number, entry in enumerate(entries)]

    def filled(parts: list[list[tuple]]) -> Tensor:
        kept = Reservoirs.empty(1, 2, "cpu")
        for part in filter(None, parts):
            window, position, head, kind, draw = torch.tensor([entry[:5] for entry in part]).T
            norm = torch.tensor([entry[5] for entry in part], dtype=torch.float64)
            kept.insert(0, head, kind, rows_of(kind, window, position, draw, norm))
        return torch.stack(kept.rows)

    shuffled = random.sample(places, len(places))
    edges = sorted(random.choices(range(len(places) + 1), k=3))
    parts = [shuffled[start:end] for start, end in itertools.pairwise([0, *edges, len(places)])]
    whole = filled([places])
    assert torch.equal(filled(parts), whole)
    for head, kind in itertools.product(range(2), range(len(KINDS))):
        here = [entry for entry in places if entry[2:4] == (head, kind)]
        expected = sorted(here, key=lambda e: ((-e[5] if kind == 0 else e[4]), e[0], e[1]))[:KEPT]
        kept = whole[0, head, kind]
        assert [(int(row[1]) >> 32, int(row[1]) & 0xFFFFFFFF) for row in kept[: len(expected)]] == [entry[:2] for entry in expected]
        assert (kept[: len(expected), 4] == UNKNOWN).all()
        assert (kept[len(expected) :] == torch.iinfo(torch.int64).max).all()


def test_the_mixer_is_splitmix64() -> None:
    def reference(x: int) -> int:
        x = (x + 0x9E3779B97F4A7C15) % 2**64
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
        return x ^ x >> 31

    # The first number of the published generator from the seed 0.
    assert int(mixed(torch.tensor(0))) % 2**64 == reference(0) == 0xE220A8397B1DCDAF
    numbers = torch.tensor([1, -1, 2**62, -(2**63), 123456789])
    assert [int(x) % 2**64 for x in mixed(numbers)] == [reference(int(x) % 2**64) for x in numbers]


def test_the_draw_favours_no_window_position_or_head_and_follows_the_seed() -> None:
    batch, scored, heads = 64, 256, 4
    numbers = np.stack([draws(3, layer, heads, place_keys(3, range(batch), scored, "cpu")).numpy() for layer in range(4)])
    # Whatever windows a pass begins with.
    assert (draws(3, 1, heads, place_keys(3, range(5, 7), scored, "cpu")).numpy() == numbers[1, 5:7]).all()
    assert len(np.unique(numbers)) == numbers.size
    # Of each head the least hundredth: over windows, positions and bytes as a uniform sample would be.
    count = batch * scored // 100
    least = np.argsort(numbers.transpose(0, 2, 1, 3).reshape(16, -1), axis=1)[:, :count]
    for where, cells in ((least // scored, batch), (least % scored, scored)):
        expected = least.size / cells
        chi2 = ((np.bincount(where.ravel(), minlength=cells) - expected) ** 2 / expected).sum()
        assert abs(chi2 - (cells - 1)) < 5 * math.sqrt(2 * cells)
    # Two heads share no more of their draws than chance lets them.
    shared = [len(np.intersect1d(a, b)) for a, b in itertools.combinations(least, 2)]
    assert abs(np.mean(shared) - count / 100) < 0.6
    uniform = numbers.astype(np.float64) / 2**64 + 0.5
    assert abs(uniform.mean() - 0.5) < 5 / math.sqrt(12 * uniform.size)
    other = draws(4, 0, heads, place_keys(4, range(batch), scored, "cpu")).numpy()
    assert abs(np.corrcoef(other.ravel(), numbers[0].ravel())[0, 1]) < 0.02


def test_a_token_of_each_band_stands_in_its_band_and_an_edge_belongs_to_the_band_above(
    toy: PreTrainedModel, windows: Callable[[int, int], Tensor]
) -> None:
    bands = {kind.name: kind for kind in KINDS}
    for row in rows(take(toy, windows(3, LENGTH), empty(toy), 0, 3)):
        assert bands[row["kind"]].low <= row["relative_norm"] < bands[row["kind"]].high
    assert [(band.low, band.high) for band in BANDS][:4] == [(0, 0.25), (0.25, 0.5), (0.5, 1), (1, 2)]
    examples = empty(toy)

    def on_the_edge(heads: LayerHeads) -> None:
        heads.__dict__["relative_norm"] = torch.full_like(heads.relative_norm, 0.5)
        examples.taking(0)(heads)

    visit_layers(toy, windows(1, LENGTH), on_the_edge)
    assert {row["kind"] for row in rows(examples)} == {"largest", "band_2"}


def test_without_examples_no_word_of_the_text_is_in_the_file(config: RunConfig, out: Path) -> None:
    measure(dataclasses.replace(config, examples=False), out)
    with duckdb.connect(str(out), read_only=True) as counters:
        for table in ("example", "example_token", "window_document", "worked_token"):
            assert counters.execute(f"select count(*) from {table}").fetchall() == [(0,)], table
        assert counters.execute("select count(*) from shard_stat").fetchall()[0][0] > 0
