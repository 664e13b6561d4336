"""The published file: what the views promise, and that everything in it is described."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planting import EDGES, PLANTED, ROOT, add_published_counts, ask, write_counters

from report import database, figures, publish, queries
from report.database import identifier
from report.errors import DatabaseRefusal, UsageRefusal

Change = Callable[[Path, str], None]


def test_the_bands_of_every_figure_sum_to_all_heads(published: Path) -> None:
    rows = ask(published, "select run_id, figure, sum(heads)::bigint from band_counts group by all order by all")
    assert rows == [("reference", "reference", 65)] + [
        ("toy", figure, PLANTED.size)
        for figure in ("activation", "deviation_activation", "entropy", "non_sink_windows", "previous_token", "residual_activation")
    ]


def test_the_published_file_does_not_hold_the_name_that_it_was_given(tmp_path: Path) -> None:
    counters, target = write_counters(tmp_path / "counters.duckdb", np.array([[10, 90]])), tmp_path / "of_ada_lovelace.duckdb"
    publish.publish(counters, target, figures.load())
    assert b"of_ada_lovelace" not in target.read_bytes()


def test_shares_of_a_range_sum_to_one(published: Path) -> None:
    assert ask(published, "select distinct abs(sum(share) - 1) < 1e-12 from band_counts group by run_id, figure, range_ordinal") == [
        (True,)
    ]


def test_the_activation_counts_are_those_planted(published: Path) -> None:
    counts = ask(published, "select heads from band_counts where figure = 'activation' order by range_ordinal, band_ordinal")
    edges = [0, 20, 40, 60, 80, 100.001]
    expected = [int(np.histogram(PLANTED[first : first + 2], bins=edges)[0][band]) for first in range(0, 8, 2) for band in range(5)]
    assert [heads for (heads,) in counts] == expected


def test_the_reference_figure_comes_out_as_published(published: Path) -> None:
    rows = ask(
        published,
        "select range_label, list(heads order by band_ordinal), list(printf('%.1f', 100 * share) order by band_ordinal) from band_counts "
        "where figure = 'reference' group by range_ordinal, range_label order by range_ordinal",
    )
    assert rows == [
        ("[0, 12)", [2, 3, 2, 0], ["28.6", "42.9", "28.6", "0.0"]),
        ("[12, 24)", [7, 1, 3, 1], ["58.3", "8.3", "25.0", "8.3"]),
        ("[24, 36)", [20, 2, 5, 0], ["74.1", "7.4", "18.5", "0.0"]),
        ("[36, 48)", [15, 2, 2, 0], ["78.9", "10.5", "10.5", "0.0"]),
    ]


def test_the_shipped_counts_are_the_reference_counts() -> None:
    reference = ROOT.parent / "shared" / "reference" / "seed_figure_counts.csv"
    if not reference.is_file():
        pytest.skip("the reference counts lie beside a working copy only")
    assert (ROOT / "runs" / "gpt2-xl-published-counts.csv").read_bytes() == reference.read_bytes()


@pytest.mark.parametrize("view", [*(view.id for view in queries.views()), "heads"])
def test_every_view_has_the_grain_it_promises(published: Path, view: str) -> None:
    keys = {query.id: query.key for query in queries.views()} | {"heads": ("run_id", "layer", "head")}
    grain = ", ".join(identifier(name) for name in keys[view])
    assert ask(published, f"select count(*) from (select 1 from {view} group by {grain} having count(*) > 1)") == [(0,)]


PARAMETERS = (("run_id", "toy"), ("figure", "activation"), ("other", "residual_activation"), ("ablation", "ablation_mean"))
PARAMETERS += (("measure", "activation_pct"),)
# Two runs side by side are tested in test_comparison_page.py, examples in test_head_pages.py; as planted, no head lies near an
# edge.
ELSEWHERE = ("compare_", "agreement_", "crossing_heads", "head_examples", "quarantined")


@pytest.mark.parametrize("question", [name for name in sorted(queries.questions()) if not name.startswith(ELSEWHERE)])
def test_every_question_has_the_grain_it_promises(published: Path, question: str) -> None:
    query = queries.question(question)
    names = {name: value for name, value in PARAMETERS if f"${name}" in query.sql}
    with duckdb.connect(str(published), read_only=True) as connection:
        table = connection.execute(query.sql, names).fetchall()
        columns = [column[0] for column in connection.description or ()]
    keys = [tuple(row[columns.index(name)] for name in query.key) for row in table]
    assert table
    assert len(set(keys)) == len(table)


def test_two_figures_agree_on_the_heads_that_both_put_on_the_baseline(counters: Path, tmp_path: Path, change: Change) -> None:
    # As planted, no head reaches the residual threshold; one bin higher, the heads of layer 0 do wherever they are active: two of three.
    change(counters, "update shard_histogram set bin = bin + 1 where kind = 'residual_share' and layer = 0")
    publish.publish(counters, tmp_path / "h.duckdb", figures.load())
    with duckdb.connect(str(tmp_path / "h.duckdb"), read_only=True) as connection:
        keys = {"run_id": "toy", "figure": "activation", "other": "residual_activation"}
        heads, shared, *_ = connection.execute(queries.question("agreement").sql, keys).fetchall()[0]
    assert (heads, shared) == (11, 2)


def test_every_table_view_and_column_is_described(published: Path) -> None:
    own = "where not internal and coalesce(comment, '') = ''"
    undescribed = [ask(published, f"select {name} from duckdb_{kind}() {own}") for kind, name in
                   (("tables", "table_name"), ("views", "view_name"), ("columns", "table_name || '.' || column_name"))]  # fmt: skip
    assert undescribed == [[], [], []]


def test_layer_ranges_of_48_and_30_layers_have_the_edges_agreed_on() -> None:
    figure = figures.load()[0]
    assert figure.edges_of_ranges(48) == (0, 12, 24, 36, 48)
    assert figure.edges_of_ranges(30) == (0, 8, 15, 23, 30)
    assert figure.edges_of_ranges(2) == (0, 1, 2)


def test_a_head_exactly_on_an_edge_belongs_to_the_band_above_and_a_hundred_to_the_last(tmp_path: Path) -> None:
    path = write_counters(tmp_path / "c.duckdb", np.array([[20, 40, 60, 80, 100, 0]]), wobble=0)
    publish.publish(path, tmp_path / "h.duckdb", figures.load())
    assert ask(tmp_path / "h.duckdb", "select heads from band_counts where figure = 'activation' order by band_ordinal") == [
        (1,),
        (1,),
        (1,),
        (1,),
        (2,),
    ]


def test_the_interval_of_a_mean_is_the_linearised_ratio_error_over_shards(published: Path) -> None:
    # Four shards of 100 tokens at 48 % and four at 52 %: the squared deviations of the totals sum to 8 · 2²;
    # t with 7 degrees of freedom is 2.3646.
    se = 100 * np.sqrt(8 * 2**2 * 8 / 7) / 800
    (row,) = ask(published, "select mean, se, low, high from head_measure where measure = 'activation_pct' and layer = 2 and head = 0")
    assert row == pytest.approx((50.0, se, 50 - 2.364624 * se, 50 + 2.364624 * se), rel=1e-6)


def test_an_interval_ends_where_the_measure_does(tmp_path: Path) -> None:
    # Two shards only, so t is 12.7: without the cut the intervals would reach below 0 % and above 100 %.
    path = write_counters(tmp_path / "c.duckdb", np.array([[1, 99]]), shards=2)
    publish.publish(path, tmp_path / "h.duckdb", figures.load())
    rows = ask(tmp_path / "h.duckdb", "select low, high from head_measure where measure = 'activation_pct' order by head")
    assert rows[0][0] == 0
    assert rows[1][1] == 100
    assert 0 < rows[0][1] < 100


def test_a_head_crosses_an_edge_where_its_interval_reaches_into_another_band(tmp_path: Path) -> None:
    # Wobbling by two points over eight shards makes an interval of 1.8 points to either side; the ends of the scale are no edges.
    path = write_counters(tmp_path / "c.duckdb", np.array([[0, 19, 21, 50, 79, 80, 83, 99, 100]]))
    publish.publish(path, tmp_path / "h.duckdb", figures.load())
    crossing = ask(tmp_path / "h.duckdb", "select head from head_band where figure = 'activation' and crosses_edge order by head")
    assert crossing == [(1,), (2,), (4,), (5,)]


def test_residual_activation_takes_the_stored_edge_nearest_to_half_the_runs_mean(published: Path) -> None:
    # Every head writes .12 of the residual stream on average, so the target is .06; the edges around it are 2^-4 and 2^-4.125.
    assert ask(published, "select threshold from figure_threshold where figure = 'residual_activation'") == [(2**-4,)]


def add_variant(path: Path, change: Change, variant: str, of: str) -> None:
    """Another measure with bins of its own, as those of `of` but for the last three shards: there, one bin lower."""
    change(path, f"""
        insert into measure select '{variant}', title, unit, low, high, definition, source, condition, 1, 64, null, '{variant}_kind'
            from measure where id = '{of}';
        insert into histogram_bin select '{variant}_kind', bin, histogram_bin.low, histogram_bin.high
            from histogram_bin join measure on measure.histogram_kind = kind where id = '{of}';
        insert into shard_histogram
            select run_id, shard, '{variant}_kind' as kind, layer, head, bin - case when shard > 4 then 1 else 0 end as bin, n
            from shard_histogram join measure on measure.histogram_kind = kind where id = '{of}'
    """)  # fmt: skip


ACTIVE = "select mean from head_measure where measure = '{}' and layer = 2 and head = 0"


def test_a_variant_of_a_measure_is_counted_at_the_threshold_of_its_figure(counters: Path, tmp_path: Path, change: Change) -> None:
    # Head 0 of layer 2 is active on 48 and 52 % of the tokens, by turns; in the last three shards of eight, the variant just misses 1/2.
    add_variant(counters, change, "activation_pct_1_64", of="activation_pct")
    add_variant(counters, change, "activation_pct_without_loudest", of="activation_pct")
    publish.publish(counters, tmp_path / "h.duckdb", figures.load())
    rows = "select figure, threshold from figure_threshold where measure = '{}'"
    for variant in ("activation_pct_1_64", "activation_pct_without_loudest"):
        assert ask(tmp_path / "h.duckdb", rows.format(variant)) == [("activation", 0.5)]
        assert ask(tmp_path / "h.duckdb", ACTIVE.format(variant)) == [(pytest.approx((3 * 48 + 2 * 52) / 8),)]
    assert ask(tmp_path / "h.duckdb", ACTIVE.format("activation_pct")) == [(pytest.approx(50.0),)]
    # A variant has no bands: its figure shows the measure that it is named after.
    assert ask(tmp_path / "h.duckdb", "select count(*) from head_band where figure = 'activation'") == [(PLANTED.size,)]


def test_a_variants_threshold_moves_with_its_figures(counters: Path, tmp_path: Path, change: Change) -> None:
    add_variant(counters, change, "activation_pct_1_64", of="activation_pct")
    folder = tmp_path / "figures"
    folder.mkdir()
    text = (ROOT / "report" / "figures" / "activation.toml").read_text()
    # The edge below 1/2, where every token stands that is not active, but for those that the variant has one bin lower.
    below = EDGES[EDGES.index(0.5) - 1]
    (folder / "activation.toml").write_text(text.replace("threshold = 0.5", f"threshold = {below!r}"))
    publish.publish(counters, tmp_path / "h.duckdb", figures.load(folder))
    assert ask(tmp_path / "h.duckdb", ACTIVE.format("activation_pct")) == [(100.0,)]
    # All tokens of the first five shards; of the others 52, 48 and 52 %.
    assert ask(tmp_path / "h.duckdb", ACTIVE.format("activation_pct_1_64")) == [(pytest.approx((500 + 52 + 48 + 52) / 8),)]


def test_a_variant_takes_the_threshold_that_follows_the_run_from_its_own_edges(counters: Path, tmp_path: Path, change: Change) -> None:
    add_variant(counters, change, "residual_activation_pct_1_64", of="residual_activation_pct")
    # Half the mean share is .06; without 2^-4, the nearest edge is the one below.
    change(counters, "delete from histogram_bin where kind = 'residual_activation_pct_1_64_kind' and low = 0.0625")
    publish.publish(counters, tmp_path / "h.duckdb", figures.load())
    rows = "select measure, threshold from figure_threshold where figure = 'residual_activation' order by measure"
    assert ask(tmp_path / "h.duckdb", rows) == [("residual_activation_pct", 2**-4), ("residual_activation_pct_1_64", 2**-4.125)]


def test_only_what_is_named_after_a_figures_measure_takes_its_threshold(counters: Path, tmp_path: Path, change: Change) -> None:
    for other in ("activation_pctile", "late_activation_pct"):
        add_variant(counters, change, other, of="activation_pct")
    publish.publish(counters, tmp_path / "h.duckdb", figures.load())
    assert ask(tmp_path / "h.duckdb", "select figure, measure, threshold from figure_threshold order by figure") == [
        ("activation", "activation_pct", 0.5),
        ("deviation_activation", "deviation_activation_pct", 0.5),
        ("residual_activation", "residual_activation_pct", 2**-4),
    ]
    assert ask(
        tmp_path / "h.duckdb", "select count(*) from head_measure where measure in ('activation_pctile', 'late_activation_pct')"
    ) == [(0,)]


def test_a_variant_of_a_measure_in_two_figures_has_the_threshold_of_the_first(counters: Path, tmp_path: Path, change: Change) -> None:
    add_variant(counters, change, "activation_pct_1_64", of="activation_pct")
    shutil.copytree(ROOT / "report" / "figures", tmp_path / "figures", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    text = (tmp_path / "figures" / "activation.toml").read_text()
    stricter = text.replace("ordinal = 1\n", "ordinal = 9\n").replace("threshold = 0.5", "threshold = 0.75")
    (tmp_path / "figures" / "a_stricter_one.toml").write_text(stricter)
    publish.publish(counters, tmp_path / "h.duckdb", figures.load(tmp_path / "figures"))
    rows = "select figure, threshold from figure_threshold where measure = 'activation_pct_1_64' order by threshold"
    assert ask(tmp_path / "h.duckdb", rows) == [("activation", 0.5), ("a_stricter_one", 0.75)]
    # At 3/4 no token would count.
    assert ask(tmp_path / "h.duckdb", ACTIVE.format("activation_pct_1_64")) == [(pytest.approx((3 * 48 + 2 * 52) / 8),)]


def test_a_run_without_a_measure_has_no_rows_in_its_figures(counters: Path, tmp_path: Path, change: Change) -> None:
    change(counters, "delete from shard_stat where measure = 'entropy'")
    publish.publish(counters, tmp_path / "h.duckdb", figures.load())
    assert ask(tmp_path / "h.duckdb", "select distinct figure from band_counts where figure = 'entropy'") == []


def test_an_imported_table_gets_a_figure_of_its_own_bands(counters: Path, tmp_path: Path, change: Change) -> None:
    change(counters, """
        insert into run (run_id, kind, title, layers, heads_per_layer, source) values ('theirs', 'imported', 'theirs', 2, 2, 'a paper');
        insert into measure values ('induction', 'Induction', 'share', 0, 1, 'theirs', 'a paper', 'theirs', 0, null, null, null);
        insert into head select 'theirs', layer, head, null from range(2) as a(layer), range(2) as b(head);
        insert into shard values ('theirs', 0, 0, 0, 'committed');
        insert into shard_stat values ('theirs', 0, 0, 0, 'induction', 1, 0.0, 0.0), ('theirs', 0, 0, 1, 'induction', 1, 0.5, 0.25),
            ('theirs', 0, 1, 0, 'induction', 1, 0.9, 0.81), ('theirs', 0, 1, 1, 'induction', 1, 1.0, 1.0);
        insert into imported_band values ('theirs', 'induction', 0, 0.0, 0.5), ('theirs', 'induction', 1, 0.5, 1.0)
    """)  # fmt: skip
    publish.publish(counters, tmp_path / "h.duckdb", figures.load())
    assert ask(tmp_path / "h.duckdb", "select range_label, band_label, heads from band_counts where run_id = 'theirs'") == [
        ("[0, 1)", "[0, 0.5)", 1), ("[0, 1)", "[0.5, 1]", 1), ("[1, 2)", "[0, 0.5)", 0), ("[1, 2)", "[0.5, 1]", 2)
    ]  # fmt: skip
    assert ask(tmp_path / "h.duckdb", "select distinct se, low, high from head_measure where run_id = 'theirs'") == [(None, None, None)]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(4)))
def test_the_order_of_shards_and_rows_changes_no_count(planted_counters: Path, published: Path, tmp_path: Path, order: list[int]) -> None:
    shuffled, target = tmp_path / "shuffled.duckdb", tmp_path / "h.duckdb"
    for path in (shuffled, target):
        path.unlink(missing_ok=True)
    shuffled.write_bytes(planted_counters.read_bytes())
    with duckdb.connect(str(shuffled)) as connection:
        for table in ("shard", "shard_stat", "shard_histogram"):
            connection.execute(f"create temp table t as from {table} order by hash(shard * 7 + {order[0]}), hash(rowid + {order[1]})")
            connection.execute(f"delete from {table}; insert into {table} from t; drop table t")
    publish.publish(shuffled, target, figures.load())
    for view in ("band_counts", "head_measure", "test_result"):
        assert ask(target, f"from {view} order by all") == ask(published, f"from {view} order by all")


def test_a_file_that_is_not_duckdb_is_refused_with_what_it_looks_like(tmp_path: Path) -> None:
    pointer = tmp_path / "counters.duckdb"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    with pytest.raises(DatabaseRefusal, match="Git LFS pointer"):
        publish.open_counters(pointer)
    pointer.write_bytes(b"<html>" * 10)
    with pytest.raises(DatabaseRefusal, match="not a DuckDB file"):
        publish.open_counters(pointer)
    with pytest.raises(DatabaseRefusal, match="no such file"):
        publish.open_counters(tmp_path / "typo.duckdb")
    assert not (tmp_path / "typo.duckdb").exists()


def test_a_truncated_file_and_a_foreign_one_are_refused(planted_counters: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.duckdb"
    short.write_bytes(planted_counters.read_bytes()[:9000])
    with pytest.raises(DatabaseRefusal):
        publish.open_counters(short)
    foreign = tmp_path / "foreign.duckdb"
    duckdb.connect(str(foreign)).execute("create table t (x int)").close()
    with pytest.raises(DatabaseRefusal, match="without Headcount's tables"):
        publish.open_counters(foreign)


def test_an_unfinished_run_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    path = write_counters(tmp_path / "c.duckdb", PLANTED, shards_done=5)
    with pytest.raises(DatabaseRefusal, match="5 of 8 shards"):
        publish.publish(path, tmp_path / "h.duckdb", figures.load())
    assert not (tmp_path / "h.duckdb").exists()
    publish.publish(path, tmp_path / "h.duckdb", figures.load(), allow_partial=True)
    assert ask(tmp_path / "h.duckdb", "select status, shards_done from runs") == [("unfinished", 5)]


def test_an_empty_file_and_a_newer_schema_are_refused(counters: Path, tmp_path: Path, change: Change) -> None:
    change(counters, "insert into schema_version values (999)")
    with pytest.raises(DatabaseRefusal, match="schema version 999"):
        publish.open_counters(counters)
    with pytest.raises(DatabaseRefusal, match="holds no run"):
        empty = write_counters(tmp_path / "c.duckdb", PLANTED[:1], shards=1)
        change(empty, "delete from run")
        publish.publish(empty, tmp_path / "h.duckdb", figures.load())


def test_a_threshold_between_edges_is_refused_with_the_two_nearest(planted_counters: Path, tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    text = (ROOT / "report" / "figures" / "activation.toml").read_text()
    (folder / "activation.toml").write_text(text.replace("threshold = 0.5", "threshold = 0.52"))
    with pytest.raises(UsageRefusal, match=r"use 0\.5 or 0\.5452538663326288"):
        publish.publish(planted_counters, tmp_path / "h.duckdb", figures.load(folder))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("edges = [0, 20, 40, 60, 80, 100]", "edges = [0, 20, 40, 60, 70, 80]", r"gap 80\.\.100"),
        ("edges = [0, 20, 40, 60, 80, 100]", "edges = [10, 20, 40, 60, 80, 100]", r"gap 0\.\.10"),
        ("threshold = 0.5\n", "", "needs a threshold"),
        ("threshold = 0.5\n", 'threshold_half_mean_of = "residual_shar"\n', "did you mean residual_share"),
        ('measure = "activation_pct"\nthreshold = 0.5', 'measure = "entrpy"', "did you mean entropy"),
        ('measure = "activation_pct"', 'measure = "entropy"', "takes no threshold"),
    ],
)
def test_a_figure_that_does_not_fit_its_measure_is_refused(
    planted_counters: Path, tmp_path: Path, before: str, after: str, message: str
) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    text = (ROOT / "report" / "figures" / "activation.toml").read_text()
    assert before in text
    (folder / "activation.toml").write_text(text.replace(before, after))
    with pytest.raises(UsageRefusal, match=message):
        publish.publish(planted_counters, tmp_path / "h.duckdb", figures.load(folder))
    assert not (tmp_path / "h.duckdb").exists()


def test_the_counters_are_only_read(counters: Path, tmp_path: Path) -> None:
    before = counters.read_bytes()
    publish.publish(counters, tmp_path / "h.duckdb", figures.load())
    assert counters.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counters.duckdb", "h.duckdb"]


def test_duckdb_asks_and_writes_without_a_thread_of_its_own(published: Path, tmp_path: Path) -> None:
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("threads are listed by Linux alone")
    before = {task.name for task in tasks.iterdir()}
    opened = (lambda: database.read(published), lambda: database.write(tmp_path / "new.duckdb"), lambda: database.in_memory(published))
    for connect in opened:
        with connect() as connection:
            assert connection.execute("select sum(x % 7) from range(1000000) as numbers(x)").fetchall() == [(2999997,)]
            assert {task.name for task in tasks.iterdir()} <= before


@pytest.mark.parametrize("version", ["1.4.4", "1.5.1"])
def test_older_duckdb_clients_open_the_published_file(published: Path, tmp_path: Path, version: str) -> None:
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "client"), f"duckdb=={version}"]
    if subprocess.run(install, capture_output=True, check=False).returncode != 0:
        pytest.skip(f"duckdb {version} cannot be installed here (no package index)")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import duckdb; con = duckdb.connect(sys.argv[2], read_only=True); "
        "print(duckdb.__version__, [con.execute(f'select count(*) from {view}').fetchone()[0] for view in "
        "('band_counts', 'head_measure', 'head_activation', 'heads', 'runs')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "client"), str(published)], capture_output=True, text=True, check=True
    )
    counts = [
        ask(published, f"select count(*) from {view}")[0][0] for view in ("band_counts", "head_measure", "head_activation", "heads", "runs")
    ]
    assert done.stdout.strip() == f"{version} {counts}"


def test_imports_alone_make_a_published_file(tmp_path: Path, change: Change) -> None:
    path = write_counters(tmp_path / "c.duckdb", PLANTED[:1], shards=1)
    for table in ("run", "head", "shard", "shard_stat", "shard_histogram", "worked_token", "measure", "histogram_bin"):
        change(path, f"delete from {table}")
    add_published_counts(path)
    publish.publish(path, tmp_path / "h.duckdb", figures.load())
    assert ask(tmp_path / "h.duckdb", "select run_id, figure, sum(heads)::bigint from band_counts group by all") == [
        ("reference", "reference", 65)
    ]
