"""The tables of intervals, reliability and thresholds in a published file, and the questions that read them."""

from pathlib import Path

import duckdb
import numpy as np
import pytest
from planting import EDGES, PLANTED, add_published_counts, ask, write_counters

from report import figures, publish, queries
from report.statistics.threshold import around

FIGURES = ("activation", "deviation_activation", "entropy", "non_sink_windows", "previous_token", "residual_activation")


def answer(path: Path, question: str, figure: str = "activation", run_id: str = "toy") -> list[dict[str, object]]:
    query = queries.question(question)
    keys = {name: value for name, value in (("run_id", run_id), ("figure", figure)) if f"${name}" in query.sql}
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(query.sql, keys).fetchall()
        return [dict(zip([column[0] for column in connection.description or ()], row, strict=True)) for row in rows]


def publish_heads(folder: Path, active: list[list[int]], **options: int) -> Path:
    """A published file of heads with these activations."""
    publish.publish(write_counters(folder / "c.duckdb", np.array(active), **options), folder / "h.duckdb", figures.load())
    return folder / "h.duckdb"


def test_every_figure_of_a_measured_run_has_its_intervals_and_published_counts_have_none(published: Path) -> None:
    assert ask(published, "select figure, count(*) from band_interval group by all order by all") == [(name, 25) for name in FIGURES]
    assert ask(published, "select run_id, figure from reliability order by all") == [("toy", name) for name in FIGURES]
    assert answer(published, "band_intervals", "reference", "reference") == []
    assert answer(published, "reliability", "reference", "reference")[0]["heads"] is None


def test_the_counts_of_band_interval_are_those_of_band_counts_and_lie_in_their_intervals(published: Path) -> None:
    counted = (
        "select figure, range_ordinal, band_ordinal, heads from band_counts where run_id = 'toy' union all "
        "select figure, null, band_ordinal, sum(heads)::bigint from band_counts where run_id = 'toy' group by all order by all"
    )
    bounded = "select figure, range_ordinal, band_ordinal, heads from band_interval where low between 0 and heads and high >= heads"
    assert ask(published, counted) == ask(published, f"{bounded} order by all")


def test_a_run_of_one_shard_has_neither_interval_nor_reliability_nor_design_effect(tmp_path: Path) -> None:
    path = publish_heads(tmp_path, [[10, 90, 81]], shards=1)
    for table in ("band_interval", "reliability", "interval_check"):
        assert ask(path, f"select count(*) from {table}") == [(0,)]
    assert ask(path, "select distinct design_effect from head_measure") == [(None,)]
    assert answer(path, "reliability")[0]["flip_pct"] is None
    assert answer(path, "interval_check")[0]["median_ratio"] is None
    # Thresholds need no interval.
    assert ask(path, "select count(*) from threshold where figure = 'activation'") == [(40,)]


def test_heads_near_an_edge_widen_the_interval_of_both_bands_and_no_other(tmp_path: Path) -> None:
    # Eight shards two points to either side: 81 is drawn below 80 in some texts; 90 and 50 stay where they are.
    path = publish_heads(tmp_path, [[81, 90, 50]])
    rows = [(row["heads"], row["low_heads"], row["high_heads"]) for row in answer(path, "band_intervals") if row["place"] == 0]
    assert rows == [(2, 1, 2), (0, 0, 1), (1, 1, 1), (0, 0, 0), (0, 0, 0)]


def test_heads_that_change_band_from_half_to_half_are_counted(tmp_path: Path) -> None:
    # Of two shards at 79 and 83, halves disagree on the head of 81 and on no other.
    path = publish_heads(tmp_path, [[81, 90, 50, 20, 35]], shards=2)
    assert ask(path, "select heads, shards, flip_pct from reliability where figure = 'activation'") == [(5, 2, 40.0)]


def test_the_design_effect_of_planted_heads_is_worked_out_by_hand(published: Path) -> None:
    # L0H1 is active on 88 and 92 of a hundred tokens in turn, over eight shards: each is 200 from its share of the total.
    squared_error = 8 * 200**2 * (8 / 7) / 800**2
    of_independent_tokens = 90 * 10 / 799
    effect = ask(published, "select design_effect from head_measure where measure = 'activation_pct' and layer = 0 and head = 1")[0][0]
    assert effect == pytest.approx(squared_error / of_independent_tokens)


def test_one_value_per_shard_has_a_design_effect_of_one_and_a_constant_has_none(tmp_path: Path) -> None:
    # 50 wobbles to 48 and 52, so half the windows have more than half of their tokens active; 90 always.
    path = publish_heads(tmp_path, [[50, 90]])
    rows = ask(path, "select n, design_effect from head_measure where measure = 'non_sink_windows_pct' order by head")
    assert rows == [(8, pytest.approx(1.0)), (8, None)]


def test_tokens_that_repeat_each_other_within_a_shard_cost_as_many_as_they_are(tmp_path: Path) -> None:
    # Every token of a shard has the shard's value (previous_token_mass is planted so): m shards' worth of tokens says no more than m.
    path = publish_heads(tmp_path, [[50]])
    effect = ask(path, "select design_effect from head_measure where measure = 'previous_token_mass'")[0][0]
    assert effect == pytest.approx(100 * (8 / 7) * (799 / 800))


def test_the_two_standard_errors_agree_and_only_heads_that_vary_are_counted(published: Path) -> None:
    row = answer(published, "interval_check")[0]
    # Two of the 24 heads are active at no token or at every one.
    assert row["heads"] == 22
    assert row["median_ratio"] == pytest.approx(1, abs=0.05)
    assert row["low_ratio"] <= row["median_ratio"] <= row["high_ratio"]
    measured = [row["measure"] for row in answer(published, "interval_checks")]
    assert "activation_pct" in measured
    # Planted without any variation.
    assert "residual_share" not in measured


def test_forty_thresholds_lie_around_the_figures_own(published: Path) -> None:
    edges = [row[0] for row in ask(published, "select threshold from threshold where figure = 'activation' order by ordinal")]
    own = EDGES.index(0.5)
    assert edges == EDGES[own - 20 : own + 20]
    assert ask(published, "select ordinal, threshold from threshold where figure = 'activation' and is_own") == [(20, 0.5)]
    assert ask(published, "select distinct figure from threshold order by 1") == [
        ("activation",),
        ("deviation_activation",),
        ("residual_activation",),
    ]


def test_near_an_end_of_the_histogram_more_thresholds_come_from_the_other_side() -> None:
    edges = [float(edge) for edge in range(1, 101)]
    assert around(50.0, edges) == edges[29:69]
    assert around(3.0, edges) == edges[:40]
    assert around(99.0, edges) == edges[60:]
    assert around(2.0, edges[:5]) == edges[:5]


@pytest.mark.parametrize("figure", ["activation", "deviation_activation", "residual_activation"])
def test_at_the_figures_own_threshold_the_counts_are_those_of_the_figure(published: Path, figure: str) -> None:
    columns = "range_ordinal, range_label, band_ordinal, band_label, heads, share"
    by_threshold = ask(published, f"select {columns} from band_counts_by_threshold where is_own and figure = '{figure}' order by all")
    assert by_threshold == ask(published, f"select {columns} from band_counts where figure = '{figure}' order by all")
    assert len(by_threshold) == 20


def test_every_threshold_bands_every_head_once(published: Path) -> None:
    rows = ask(
        published, "select distinct figure, sum(heads)::bigint from band_counts_by_threshold group by figure, threshold order by all"
    )
    assert rows == [(figure, PLANTED.size) for figure in ("activation", "deviation_activation", "residual_activation")]


def test_tokens_are_lost_one_bin_above_the_threshold_and_all_are_there_one_bin_below(published: Path) -> None:
    # Active tokens are planted in the bin from 1/2, all others in the one below it. Eleven heads are in the top band, seven in the lowest.
    rows = answer(published, "threshold_step")
    assert [(row["step"], row["leader_label"], row["leader_heads"], row["raised_heads"], row["lowered_heads"]) for row in rows] == [
        (-1, "[80, 100]", 24, 13, 0),
        (0, "[80, 100]", 11, 0, 0),
        (1, "[0, 20)", 24, 0, 17),
    ]
    assert [row["changed_heads"] for row in rows] == [13, 0, 17]
    assert [row["tied"] for row in rows] == [False, False, False]


def test_the_curve_of_thresholds_runs_from_all_heads_on_top_to_none(published: Path) -> None:
    top = [row["heads"] for row in answer(published, "threshold_curve") if row["stack_ordinal"] == 0]
    assert top == [24] * 20 + [11] + [0] * 19


def test_the_distribution_of_a_range_ends_at_a_hundred_and_equal_heads_share_a_step(tmp_path: Path) -> None:
    path = publish_heads(tmp_path, [[50, 10, 50, 90]])
    rows = [(row["head_label"], row["value"], row["cumulative_pct"]) for row in answer(path, "ecdf")]
    assert rows == [("L0H1", 10.0, 25.0), ("L0H0", 50.0, 75.0), ("L0H2", 50.0, 75.0), ("L0H3", 90.0, 100.0)]


def test_heads_whose_interval_crosses_an_edge_are_listed_the_nearest_first(tmp_path: Path) -> None:
    # Eight shards two points to either side: standard error 2 / sqrt(7), half a width 2.3646 times that: 1.787.
    path = publish_heads(tmp_path, [[81, 85, 40, 59, 99]])
    half = 2.364624251592785 * 2 / 7**0.5
    rows = answer(path, "crossing_heads")
    assert rows[0]["head_label"] == "L0H2"
    assert {row["head_label"]: (row["band_label"], row["other_band_label"], row["edge"]) for row in rows} == {
        "L0H2": ("[40, 60)", "[20, 40)", 40.0),
        "L0H0": ("[80, 100]", "[60, 80)", 80.0),
        "L0H3": ("[40, 60)", "[60, 80)", 60.0),
    }
    one = next(row for row in rows if row["head_label"] == "L0H0")
    assert (one["value"], one["low"], one["high"], one["distance_ratio"]) == pytest.approx((81, 81 - half, 81 + half, 1 / half))


def test_a_run_without_two_shards_has_no_head_that_crosses(tmp_path: Path) -> None:
    assert answer(publish_heads(tmp_path, [[80, 81]], shards=1), "crossing_heads") == []


def test_the_same_counters_give_the_same_rows_whatever_their_order(planted_counters: Path, published: Path, tmp_path: Path) -> None:
    shuffled = tmp_path / "c.duckdb"
    shuffled.write_bytes(planted_counters.read_bytes())
    with duckdb.connect(str(shuffled)) as connection:
        for table in ("shard_stat", "shard_histogram"):
            connection.execute(f"create temp table t as from {table} order by hash(rowid)")
            connection.execute(f"delete from {table}; insert into {table} from t; drop table t")
    publish.publish(shuffled, tmp_path / "h.duckdb", figures.load())
    for table in ("band_interval", "reliability", "interval_check", "threshold"):
        assert ask(tmp_path / "h.duckdb", f"from {table} order by all") == ask(published, f"from {table} order by all")


def test_an_imported_table_of_heads_has_no_interval(tmp_path: Path) -> None:
    path = write_counters(tmp_path / "c.duckdb", PLANTED)
    with duckdb.connect(str(add_published_counts(path))) as connection:
        run = "select 'table' as run_id, 'imported' as kind, 'a table' as title, 1 as layers, 3 as heads_per_layer"
        connection.execute(f"insert into run by name {run}")
        connection.execute("insert into head select 'table', 0, unnest(range(3)), null")
        connection.execute("insert into shard values ('table', 0, 0, 0, 'committed')")
        connection.execute("insert into shard_stat select 'table', 0, 0, unnest(range(3)), 'previous_token_mass', 1, 0.5, 0.25")
    publish.publish(path, tmp_path / "h.duckdb", figures.load())
    assert ask(tmp_path / "h.duckdb", "select count(*) from head_band where run_id = 'table'") == [(3,)]
    for table in ("band_interval", "reliability", "interval_check"):
        assert ask(tmp_path / "h.duckdb", f"select distinct run_id from {table}") == [("toy",)]
