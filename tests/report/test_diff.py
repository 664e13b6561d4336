"""Runs side by side: differences that can be worked out by hand, which runs are compared, and the command's text and refusals."""

import math
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
from planted_pairs import CODE, PROSE, add_table, run_sql, write_pair
from planting import PLANTED, add_published_counts, ask, write_counters
from scipy import stats

from report import figures, publish, queries
from report.comparisons import differences, pairs
from report.comparisons.diff import diff
from report.errors import DatabaseRefusal, Refusal, UsageRefusal

Change = Callable[[Path, str], None]
A, B = np.array([10.0, 14.0, 11.0, 19.0]), np.array([21.0, 17.0, 30.0, 22.0, 26.0, 25.0])


def influences(values: np.ndarray) -> np.ndarray:
    """Of equally large shards."""
    return (values - values.mean()) / len(values)


def between(a: np.ndarray, b: np.ndarray, sampling: str) -> differences.Estimate:
    return differences.estimate(np.array([a.mean()]), np.array([b.mean()]), influences(a)[None], influences(b)[None], sampling)


def test_independent_texts_are_compared_as_welch_does() -> None:
    ours, theirs = between(A, B, "independent"), stats.ttest_ind(B, A, equal_var=False)
    interval = theirs.confidence_interval()
    assert ours.difference[0] == 10
    assert [ours.p[0], ours.degrees_of_freedom[0], ours.low[0], ours.high[0]] == pytest.approx([theirs.pvalue, theirs.df, *interval])


def test_the_same_shards_are_compared_as_pairs() -> None:
    ours, theirs = between(A, B[:4], "paired"), stats.ttest_rel(B[:4], A)
    assert [ours.p[0], ours.degrees_of_freedom[0], ours.low[0]] == pytest.approx([theirs.pvalue, 3, theirs.confidence_interval().low])


def test_an_imported_table_is_taken_as_given() -> None:
    ours, theirs = between(A, B, "fixed"), stats.ttest_1samp(B, A.mean())
    assert [ours.p[0], ours.high[0]] == pytest.approx([theirs.pvalue, theirs.confidence_interval().high + 0 - A.mean()])


def test_shards_of_unequal_size_count_by_their_tokens(tmp_path: Path) -> None:
    # One shard of 100 and one of 300 tokens: 40 and 60 active tokens, 100 of 400. Influences (40 − 25)/400 and (60 − 75)/400.
    path = write_pair(tmp_path / "c.duckdb", np.array([[50]]), np.array([[50]]), shards=2)
    run_sql(path, "delete from shard_stat where measure = 'entropy'")
    for shard, n, total in ((0, 100, 40.0), (1, 300, 60.0)):
        run_sql(path, f"insert into shard_stat values ('toy', {shard}, 0, 0, 'entropy', {n}, {total}, 1)")
    with published(path, tmp_path) as connection:
        found = differences.sample(connection, "toy", "entropy", None)
    assert found.mean.tolist() == [0.25]
    assert found.influence.tolist() == [[15 / 400, -15 / 400]]
    assert differences.variance(found.influence)[0] == pytest.approx(2 * 2 * (15 / 400) ** 2)


def test_a_difference_without_any_variance_is_as_rare_as_its_split_of_the_shards() -> None:
    ours = between(np.full(8, 100.0), np.zeros(8), "independent")
    assert ours.p[0] == 2 / math.comb(16, 8)
    assert between(np.full(8, 100.0), np.zeros(8), "paired").p[0] == 2 / 2**8
    assert between(np.full(8, 7.0), np.full(8, 7.0), "independent").p[0] == 1


def test_layers_that_all_move_one_way_have_the_least_p_that_so_many_signs_allow() -> None:
    assert differences.signs(np.array([1.0, 2.0, 3.0, 4.0])) == (2 / 16, 16, None)
    assert differences.signs(np.array([1.0, -1.0, 1.0, -1.0]))[0] == 1
    p, draws, seed = differences.signs(np.ones(30))
    assert (p, draws) == (2 / 10_000, 9_999)
    assert seed is not None


def published(counters: Path, folder: Path) -> duckdb.DuckDBPyConnection:
    publish.publish(counters, folder / "h.duckdb", figures.load())
    return duckdb.connect(str(folder / "h.duckdb"), read_only=True)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Counters of one model on two texts."""
    return write_pair(tmp_path_factory.mktemp("pair") / "counters.duckdb")


@pytest.fixture(scope="module")
def both(pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file of the pair."""
    target = tmp_path_factory.mktemp("published") / "h.duckdb"
    publish.publish(pair, target, figures.load())
    return target


def test_every_head_has_its_value_on_either_text_and_their_difference(both: Path) -> None:
    rows = ask(
        both,
        "select value_a, value_b, difference, degrees_of_freedom from head_difference where figure = 'activation' order by layer, head",
    )
    assert [row[0] for row in rows] == pytest.approx(PROSE.ravel().tolist())
    assert [row[1] for row in rows] == pytest.approx(CODE.ravel().tolist())
    assert [row[2] for row in rows] == pytest.approx((CODE - PROSE).ravel().tolist())
    # Eight shards each, two points above and below in turn: equal variances, so 14 degrees of freedom.
    assert [row[3] for row in rows] == pytest.approx([14] * 12)


def test_the_interval_of_a_head_is_that_of_its_shards(both: Path) -> None:
    shards = np.array([8.0, 12.0] * 4)
    theirs = stats.ttest_ind(shards + 80, shards, equal_var=False)
    ((low, high, p),) = ask(both, "select low, high, p from head_difference where figure = 'activation' and layer = 0 and head = 0")
    assert (low, high, p) == pytest.approx((*theirs.confidence_interval(), theirs.pvalue))


def test_many_heads_are_corrected_by_benjamini_and_yekutieli(both: Path) -> None:
    rows = ask(both, "select p, q from head_difference where figure = 'activation' order by p desc")
    harmonic, least = sum(1 / k for k in range(1, 13)), 1.0
    for rank, (p, q) in zip(range(12, 0, -1), rows, strict=True):
        least = min(least, p * 12 * harmonic / rank)
        assert q == pytest.approx(least)


def test_the_mean_takes_all_heads_of_a_shard_together(both: Path) -> None:
    columns = "mean_a, mean_b, mean_difference, mean_low, mean_p, layers_up, layers_down, draws"
    sql = f"select {columns} from comparison where figure = 'activation'"
    ((*found,),) = ask(both, sql)
    # All heads wobble together, so the mean over heads wobbles as one head does.
    shards = np.array([-2.0, 2.0] * 4)
    theirs = stats.ttest_ind(shards + CODE.mean(), shards + PROSE.mean(), equal_var=False)
    expected = [PROSE.mean(), CODE.mean(), (CODE - PROSE).mean(), theirs.confidence_interval().low, theirs.pvalue]
    assert found == pytest.approx([*expected, 3, 1, 16])


def test_heads_that_swing_against_each_other_leave_the_mean_at_rest(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "c.duckdb", np.array([[50, 50]]), np.array([[50, 50]]))
    run_sql(path, "delete from shard_stat where measure = 'entropy'")
    swing = "10 * (1 - 2 * (shard % 2)) * (1 - 2 * head) + if(run_id = 'toy', 0, 10)"
    run_sql(
        path, f"insert into shard_stat select run_id, shard, 0, head, 'entropy', 100, 50 + {swing}, 1 from shard join head using (run_id)"
    )
    with published(path, tmp_path) as connection:
        ((mean, p),) = connection.execute("select mean_difference, mean_p from comparison where figure = 'entropy'").fetchall()
        ((least, most),) = connection.execute("select min(p), max(p) from head_difference where figure = 'entropy'").fetchall()
    assert mean == pytest.approx(0.1)
    # Every shard has the same mean over its heads, though each head swings by ten points.
    assert p == 2 / math.comb(16, 8)
    assert least == pytest.approx(most)
    assert least > 0.05


def test_bands_are_those_of_the_views_where_the_thresholds_are_the_runs_own(both: Path) -> None:
    sql = (
        "select count(*), "
        "count(*) filter (band_a = a.band_ordinal and band_b = b.band_ordinal and value_a = a.value and value_b = b.value) "
        "from head_difference as h "
        "join head_band as a on a.run_id = run_a and a.figure = h.figure and a.layer = h.layer and a.head = h.head "
        "join head_band as b on b.run_id = run_b and b.figure = h.figure and b.layer = h.layer and b.head = h.head"
    )
    ((heads, same),) = ask(both, sql)
    assert heads == same == 12 * len(figures.load())


def test_a_threshold_that_follows_the_run_is_the_first_runs_in_both(pair: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.duckdb"
    path.write_bytes(pair.read_bytes())
    # Active tokens into the bin from 2⁻⁴ on, which is the first run's threshold; twice the residual share doubles the second run's own.
    run_sql(path, "update shard_histogram set bin = bin + 1 where kind = 'residual_share'")
    run_sql(path, "update shard_stat set total = 2 * total where run_id = 'toy on code' and measure = 'residual_share'")
    with published(path, tmp_path) as connection:
        sql = "select threshold, threshold_b, mean_b from comparison where figure = 'residual_activation'"
        ((threshold, own, mean),) = connection.execute(sql).fetchall()
        ((shown,),) = connection.execute(
            "select avg(value) from head_band where run_id = 'toy on code' and figure = 'residual_activation'"
        ).fetchall()
    assert (threshold, own) == (2**-4, 2**-3)
    assert shown == 0
    assert mean == pytest.approx(CODE.mean())
    assert "residual_activation is counted at the first run's threshold in both, 0.0625" in diff(path, "toy", "toy on code")


def test_identical_runs_do_not_differ(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "c.duckdb", PROSE, PROSE)
    with published(path, tmp_path) as connection:
        assert connection.execute("select distinct difference, p, q, band_a = band_b from head_difference").fetchall() == [(0, 1, 1, True)]
        assert connection.execute(
            "select distinct mean_difference, mean_p, layer_p, layers_up, layers_down from comparison"
        ).fetchall() == [(0, 1, 1, 0, 0)]
    text = diff(path, "toy", "toy on code")
    assert "No head differs between the two runs; the mean over all heads shows no clear shift." in text
    assert "no layer moves" in text
    assert "no head differs at all" in text


def test_a_head_that_sleeps_on_one_text_and_works_on_the_other_is_found_with_its_interval(pair: Path) -> None:
    # L1H1 goes from 19 to 95, but its interval on prose reaches over the edge at 20.
    assert "From one end to the other (below 20 in one run, from 60 in the other, intervals included): L0H0, L3H2." in diff(
        pair, "toy", "toy on code"
    )


def test_as_many_heads_are_counted_asleep_as_are_named(both: Path) -> None:
    keys = {"run_a": "toy", "run_b": "toy on code", "figure": "activation"}
    with duckdb.connect(str(both), read_only=True) as connection:
        named = connection.execute(queries.question("compare_sleepers").sql, keys).fetchall()
        counted = connection.sql(queries.question("compare_sleeper_count").sql, params=keys).project("heads, waking_heads, dozing_heads")
        assert counted.fetchall() == [(len(named), 1, 1)]


def test_a_counters_file_and_the_file_published_from_it_give_the_same_text(pair: Path, both: Path) -> None:
    before = pair.read_bytes(), both.read_bytes()
    text = diff(pair, "toy", "toy on code")
    assert text == diff(both, "toy", "toy on code")
    assert "text's hash  111111111111…  222222222222…" in text
    assert "In common: 4 layers of 3 heads, model planted" in text
    assert "L0H0  10.00  90.00  80.00 [77.71, 82.29]" in text
    assert (pair.read_bytes(), both.read_bytes()) == before


def test_the_other_way_round_every_difference_changes_its_sign(pair: Path) -> None:
    assert "L0H0  90.00  10.00  −80.00 [−82.29, −77.71]" in diff(pair, "toy on code", "toy")


def test_the_same_text_at_another_number_type_is_compared_shard_by_shard(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "c.duckdb", PROSE, PROSE + 1)
    run_sql(path, f"update run set corpus_sha256 = '{'1' * 64}', dtype = 'bfloat16' where run_id = 'toy on code'")
    text = diff(path, "toy", "toy on code")
    assert "the same shards of text in both runs" in text
    # Each shard is one point higher: no variance is left, and the difference is as rare as eight equal signs.
    assert "difference 1.00 [1.00, 1.00]" in text
    with published(path, tmp_path) as connection:
        assert pairs.of_file(connection) == []


def test_another_figure_is_shown_where_it_is_asked_for(pair: Path) -> None:
    assert "Attention entropy: " in diff(pair, "toy", "toy on code", "entropy")


@pytest.mark.parametrize(
    ("runs", "figure", "refusal", "words"),
    [
        (("toy", "toy on cod"), None, UsageRefusal, "no run toy on cod (RUN_B); fix: did you mean toy on code?"),
        (("xyz", "toy"), None, UsageRefusal, "use one of"),
        (("toy", "toy"), None, UsageRefusal, "run toy is given twice"),
        (("toy", "toy on code"), "entropie", UsageRefusal, "did you mean entropy?"),
        (("toy", "deep"), None, DatabaseRefusal, "4 layers of 3 heads against 8 of 3"),
        (("toy", "short"), None, DatabaseRefusal, "windows of 101 against 51 tokens"),
        (("toy", "half"), None, DatabaseRefusal, "half is unfinished"),
        (("toy", "reference"), None, UsageRefusal, "turn them round"),
        (("reference", "toy"), None, DatabaseRefusal, "reference holds counts of heads, not values of heads"),
        (("table", "toy"), None, DatabaseRefusal, "no figure's measure in common"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(
    tmp_path: Path, runs: tuple[str, str], figure: str | None, refusal: type[Refusal], words: str
) -> None:
    path = write_pair(tmp_path / "c.duckdb")
    write_counters(path, PLANTED, run_id="deep")
    write_counters(path, PROSE, run_id="short", tokens=50)
    write_counters(path, PROSE, run_id="half", shards_done=3)
    add_published_counts(path)
    add_table(path, "table", "gaze_published", PROSE / 100, (0, 0.5, 1))
    with pytest.raises(refusal) as told:
        diff(path, *runs, figure)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("select 1", 1),
        (f"update run set corpus_sha256 = '{'1' * 64}'", 0),
        ("update run set weights_sha256 = 'other' where run_id = 'toy'", 0),
        ("update run set dtype = 'bfloat16' where run_id = 'toy'", 0),
        ("update run set window_tokens = 51 where run_id = 'toy'", 0),
        ("update run set shards = 9 where run_id = 'toy'", 0),
    ],
)
def test_a_file_puts_one_model_on_two_texts_side_by_side_and_nothing_else(pair: Path, tmp_path: Path, sql: str, count: int) -> None:
    path = tmp_path / "c.duckdb"
    path.write_bytes(pair.read_bytes())
    run_sql(path, sql)
    publish.publish(path, tmp_path / "h.duckdb", figures.load(), allow_partial=True)
    assert ask(tmp_path / "h.duckdb", "select count(distinct (run_a, run_b)) from comparison") == [(count,)]


@pytest.mark.parametrize(
    ("title", "of_it"),
    [("toy", True), ("Toy, gazes", True), ("planted gazes", True), ("toys", False), ("my toy", False), ("GPT-2 small", False)],
)
def test_a_table_is_of_the_model_whose_name_opens_its_title(tmp_path: Path, title: str, of_it: bool) -> None:
    path = add_table(write_counters(tmp_path / "c.duckdb", PROSE), "table", "entropy_published", PROSE / 100, (0, 0.5, 1))
    run_sql(path, f"update run set title = '{title}' where run_id = 'table'")
    with published(path, tmp_path) as connection:
        assert [(found.a.run_id, found.b.run_id, found.kind, found.sampling) for found in pairs.of_file(connection)] == (
            [("table", "toy", "table", "fixed")] if of_it else []
        )


def test_a_run_of_one_shard_is_compared_without_intervals(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "c.duckdb", shards=1)
    with published(path, tmp_path) as connection:
        assert connection.execute("select count(*) from head_difference where coalesce(se, low, high, p, q) is not null").fetchall() == [
            (0,)
        ]
    text = diff(path, "toy", "toy on code")
    assert "too few shards for intervals and tests" in text
    assert "Too little text to tell differences from chance" in text


def test_heads_that_do_not_differ_are_found_to_differ_as_often_as_the_level_says() -> None:
    # 4,000 heads, two samples of unequal size and spread; the standard error of a share at .05 is .0034.
    random = np.random.default_rng(7)
    a, b = random.normal(50, 2, (4_000, 20)), random.normal(50, 5, (4_000, 32))
    shares = [(sample - sample.mean(1, keepdims=True)) / sample.shape[1] for sample in (a, b)]
    found = differences.estimate(a.mean(1), b.mean(1), *shares, "independent")
    assert (found.p < 0.05).mean() == pytest.approx(0.05, abs=4 * 0.0034)
    assert ((found.low <= 0) & (found.high >= 0)).mean() == pytest.approx(0.95, abs=4 * 0.0034)
    assert (stats.false_discovery_control(found.p, method="by") < 0.05).sum() == 0
