"""Trend tests against numbers worked by hand or simulated."""

from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report import figures, publish, queries
from report.errors import UsageRefusal
from report.trends import (
    band_effects,
    by_ranges,
    circular_shift,
    circular_shifts,
    cochran_armitage_exact,
    holm,
    layer_permutation,
    layer_permutations,
    permuted_ranges,
    somers_d,
)


def test_somers_d_counts_pairs_of_heads_from_different_ranges() -> None:
    # Range 0 holds bands 0, 1; range 1 holds bands 1, 1: of four pairs two are higher, two are level.
    assert somers_d(np.array([[1, 1], [0, 2]])) == pytest.approx(0.5)
    assert somers_d(np.array([[0, 2], [2, 0]])) == pytest.approx(-1)
    assert somers_d(np.array([[3, 3]])) == 0


@given(st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=2, max_size=5))
def test_turning_the_ranges_around_turns_the_sign(rows: list[list[int]]) -> None:
    counts = np.array(rows)
    assert somers_d(counts[::-1]) == pytest.approx(-somers_d(counts))


def test_ranges_sum_their_layers() -> None:
    assert by_ranges(np.array([[1, 0], [2, 1], [3, 3]]), (0, 1, 3)).tolist() == [[1, 0], [5, 4]]


def test_the_published_figures_trend_has_the_p_value_worked_out_before() -> None:
    assert round(cochran_armitage_exact([2, 7, 20, 15], [7, 12, 27, 19]).p, 3) == 0.017


def test_the_exact_test_on_two_by_two_counts_is_fishers_by_hand() -> None:
    # Two of two against none of two: of C(4, 2) = 6 arrangements, the two extreme ones lie as far from the mean.
    assert cochran_armitage_exact([2, 0], [2, 2]).p == pytest.approx(2 / 6)


def test_a_clear_order_is_rare_under_permutation_and_a_flat_one_is_not() -> None:
    rising = np.array([[8 - layer, layer] for layer in range(8)])
    flat = np.full((8, 2), 4)
    edges = (0, 2, 4, 6, 8)
    assert layer_permutation(rising, edges).p < 0.01
    assert layer_permutation(flat, edges).p == 1
    assert circular_shift(rising, edges).p == pytest.approx(1 / 8, abs=1 / 8)
    assert circular_shift(flat, edges).p == 1


def test_the_permutation_is_seeded() -> None:
    layers = np.random.default_rng(1).integers(0, 4, size=(12, 5))
    assert layer_permutation(layers, (0, 3, 6, 9, 12)) == layer_permutation(layers, (0, 3, 6, 9, 12))


def test_layer_effects_without_a_trend_are_rejected_at_about_the_level() -> None:
    # Heads of one layer share a level, and levels do not depend on depth: at .05 the test may reject about one in twenty.
    random = np.random.default_rng(7)
    rejected = 0
    for _ in range(300):
        levels = random.normal(size=(16, 1)) + 0.3 * random.normal(size=(16, 12))
        bands = np.clip(np.floor(levels + 2.5), 0, 4).astype(int)
        layers = np.stack([np.bincount(row, minlength=5) for row in bands])
        rejected += layer_permutation(layers, (0, 4, 8, 12, 16), draws=199).p < 0.05
    assert rejected / 300 < 0.09


def test_the_effect_of_one_band_is_somers_d_of_in_it_or_not() -> None:
    random = np.random.default_rng(5)
    counts = random.integers(0, 6, size=(7, 4, 3))
    for band in range(3):
        inside = counts[..., band]
        either = np.stack([counts.sum(-1) - inside, inside], axis=-1)
        assert band_effects(counts)[..., band] == pytest.approx(somers_d(either))
    # Range 0 has one of two heads in the band, range 1 both: of four pairs the deeper one alone is in it twice, the shallower one never.
    assert band_effects(np.array([[1, 1], [0, 2]])).tolist() == [-0.5, 0.5]
    assert band_effects(np.zeros((3, 2), dtype=int)).tolist() == [0, 0]


def test_bands_and_their_whole_are_tested_on_the_same_orders_of_layers() -> None:
    layers = np.random.default_rng(2).integers(0, 5, size=(12, 3))
    edges = (0, 4, 8, 12)
    whole, bands = layer_permutations(layers, edges, draws=499)
    assert whole == layer_permutation(layers, edges, draws=499)
    for band, found in enumerate(bands):
        either = np.stack([layers.sum(-1) - layers[:, band], layers[:, band]], axis=-1)
        alone = layer_permutation(either, edges, draws=499)
        assert (found.value, found.p) == (pytest.approx(alone.value), alone.p)
        assert found.test == "layer_permutation_of_band"
        shifted = circular_shifts(layers, edges)[1][band]
        assert (shifted.value, shifted.p) == (pytest.approx(alone.value), circular_shift(either, edges).p)


def test_every_random_order_holds_each_layer_once() -> None:
    # Powers of two: a sum over all layers says which of them it is made of.
    layers = 2 ** np.arange(8)[:, None] * np.array([[1, 1000]])
    drawn = permuted_ranges(layers, (0, 3, 8), draws=50)
    assert drawn.sum(axis=1).tolist() == [[255, 255_000]] * 50
    assert len(np.unique(drawn, axis=0)) > 10


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    # .01 · 4, then .02 · 3 and .021 · 2, which may not fall below it, then .9 · 1.
    assert holm(np.array([0.9, 0.01, 0.021, 0.02])) == pytest.approx([0.9, 0.04, 0.06, 0.06])
    assert holm(np.array([0.5, 0.6])).tolist() == [1, 1]
    assert holm(np.array([])).size == 0


ROLES = "select test, role, band_ordinal, p, p_adjusted from test_result where figure = $1 order by test, band_ordinal"


def test_one_test_of_a_figure_is_primary_and_its_bands_are_corrected_together(planted_counters: Path, tmp_path: Path) -> None:
    publish.publish(planted_counters, tmp_path / "h.duckdb", figures.load())
    with duckdb.connect(str(tmp_path / "h.duckdb"), read_only=True) as connection:
        rows = connection.execute(ROLES, ["activation"]).fetchall()
        assert [(test, role, band) for test, role, band, _, _ in rows] == [
            ("circular_shift", "companion", None),
            *(("circular_shift_of_band", "companion", band) for band in range(5)),
            ("layer_permutation", "primary", None),
            *(("layer_permutation_of_band", "other", band) for band in range(5)),
        ]
        assert [corrected for *_, corrected in rows[:7]] == [None] * 7
        assert [corrected for *_, corrected in rows[7:]] == pytest.approx(holm(np.array([p for *_, p, _ in rows[7:]])))
        totals = connection.execute(queries.question("band_totals").sql, {"run_id": "toy", "figure": "activation"}).fetchall()
        assert sorted((row[0], row[-2]) for row in totals) == [(band, p) for _, _, band, p, _ in rows[7:]]
        question = connection.execute(queries.question("band_trends").sql, {"run_id": "toy", "figure": "activation"}).fetchall()
        assert [row[-2] for row in sorted(question)] == [p for *_, p, _ in rows[1:6]]
        values = connection.execute("select value from test_result where figure = 'activation' and role = 'other' order by band_ordinal")
        assert [row[4] for row in sorted(question)] == pytest.approx([value for (value,) in values.fetchall()])


def test_of_published_counts_the_band_on_the_baseline_is_primary(planted_counters: Path, tmp_path: Path) -> None:
    publish.publish(planted_counters, tmp_path / "h.duckdb", figures.load())
    with duckdb.connect(str(tmp_path / "h.duckdb"), read_only=True) as connection:
        rows = connection.execute(ROLES, ["reference"]).fetchall()
        assert [(role, band) for _, role, band, _, _ in rows] == [("primary", 0), ("other", 1), ("other", 2), ("other", 3)]
        assert (round(rows[0][3], 3), rows[0][4]) == (0.017, None)
        # Yellow .114 · 3, orange .243 · 2, red .585 · 1.
        assert [corrected for *_, corrected in rows[1:]] == pytest.approx([rows[1][3] * 3, rows[2][3] * 2, rows[3][3]])
        totals = connection.execute(queries.question("band_totals").sql, {"run_id": "reference", "figure": "reference"}).fetchall()
        assert [row[-2:] for row in totals] == [(p, p if corrected is None else corrected) for *_, p, corrected in rows]


def test_a_figure_can_only_name_a_primary_test_that_there_is(tmp_path: Path) -> None:
    activation = next(figure for figure in figures.load() if figure.id == "activation")
    assert activation.primary_test == "layer_permutation"
    text = (Path(figures.__file__).parent / "activation.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace('primary_test = "layer_permutation"', ""))
    assert figures.load(tmp_path)[0].primary_test == "layer_permutation"
    for wrong in ('"kruskal_wallis"', "7"):
        (tmp_path / "mine.toml").write_text(text.replace('"layer_permutation"', wrong))
        with pytest.raises(UsageRefusal, match=r"primary_test = .* \(mine.toml\); fix: use layer_permutation") as refusal:
            figures.load(tmp_path)
        assert "\n" not in str(refusal.value)
