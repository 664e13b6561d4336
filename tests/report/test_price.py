"""The price of the threshold, against numbers worked out by hand from planted sums."""

from pathlib import Path

import duckdb
import numpy as np
import pytest
from planted_calibration import OWN, RISES, TOKENS, add_calibration
from planting import PLANTED, figures_of, write_counters
from scipy import stats

from report import check, figures, publish, queries
from report.build import build
from report.statistics.effect_check import rank_correlation


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("price")
    counters = add_calibration(write_counters(folder / "counters.duckdb", PLANTED))
    publish.publish(counters, folder / "published.duckdb", figures.load())
    return folder / "published.duckdb"


def answer(path: Path, question: str, **parameters: str) -> list[dict]:
    with duckdb.connect(str(path), read_only=True) as connection:
        cursor = connection.execute(queries.question(question).sql, {"run_id": "toy", **parameters})
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def interval(rises: tuple[float, ...]) -> tuple[float, float, float]:
    """Mean rise per prediction and its interval: windows of equal length, so the ratio is a plain mean."""
    values = np.array(rises) / TOKENS
    arm = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean(), values.mean() - arm, values.mean() + arm


def test_the_price_of_the_figures_threshold_is_the_mean_over_windows_with_students_interval(published: Path) -> None:
    (row,) = answer(published, "price_summary")
    assert (row["rise_nats"], row["rise_low_nats"], row["rise_high_nats"]) == pytest.approx(interval(RISES[OWN]))
    assert row["kl_nats"] == pytest.approx(4 * 0.015)
    assert (row["silenced_pct"], row["norm_pct"], row["changed_pct"]) == pytest.approx((20, 2, 10))
    assert row["clean_nats"] == pytest.approx(3.0)
    assert row["worst_kl_nats"] == 0.5
    assert row["within_budget"] is True
    assert row["predictions"] == 40


def test_the_mark_on_the_curve_is_the_last_threshold_before_the_first_that_goes_over(published: Path, tmp_path: Path) -> None:
    (row,) = answer(published, "price_summary")
    assert row["largest_threshold"] == 0.5
    # A greater threshold that happens to be within the budget again does not count.
    dear = {"relative_norm-0.25": (4.0,), OWN: (0.1,)}
    counters = add_calibration(write_counters(tmp_path / "c.duckdb", PLANTED), dear)
    publish.publish(counters, tmp_path / "p.duckdb", figures.load())
    assert answer(tmp_path / "p.duckdb", "price_summary")[0]["largest_threshold"] is None


def test_random_draws_are_averaged_window_by_window(published: Path) -> None:
    (row,) = [row for row in answer(published, "price_curve") if row["rule"] == "random"]
    assert (row["rise_nats"], row["rise_low_nats"], row["rise_high_nats"]) == pytest.approx(interval((10.0, 12.0, 10.0, 12.0)))


def test_a_rule_is_compared_on_the_same_windows(published: Path) -> None:
    rows = {row["rule"]: row for row in answer(published, "price_rivals") if row["treatment"] == "zero"}
    differences = tuple(a - b for a, b in zip(RISES[f"raw_norm-as-{OWN}"], RISES[OWN], strict=True))
    row = rows["raw_norm"]
    assert (row["more_nats"], row["more_low_nats"], row["more_high_nats"]) == pytest.approx(interval(differences))
    assert rows["random_matched"]["more_low_nats"] == pytest.approx(0.1)
    assert rows["relative_norm"]["more_nats"] == 0


def test_the_rule_is_chosen_on_even_windows_and_reported_on_odd_ones(published: Path) -> None:
    (row,) = answer(published, "price_choice")
    # Raw norm costs nothing on even windows, and most on odd ones.
    assert (row["chosen_rule"], row["own_chosen"], row["rules"]) == ("raw_norm", False, 3)
    assert (row["chosen_rise_nats"], row["own_rise_nats"], row["more_nats"]) == pytest.approx((0.03, 0.02, 0.01))
    assert (row["choosing_windows"], row["reporting_windows"]) == (2, 2)


def test_a_band_of_heads_stands_beside_as_many_random_ones(published: Path) -> None:
    (row,) = answer(published, "price_sets")
    assert (row["range_label"], row["band_label"], row["heads"]) == ("[0, 2)", "[0, 20)", 1)
    assert (row["rise_nats"], row["random_rise_nats"]) == pytest.approx((0.01, 0.04))


def test_a_calibration_that_is_not_complete_does_not_count(tmp_path: Path) -> None:
    counters = add_calibration(write_counters(tmp_path / "c.duckdb", PLANTED))
    with duckdb.connect(str(counters)) as connection:
        connection.execute("""delete from intervention_window where "window" = 3""")
    publish.publish(counters, tmp_path / "p.duckdb", figures.load())
    with duckdb.connect(str(tmp_path / "p.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from calibrations").fetchone() == (0,)


def test_every_head_has_its_predicted_effect_in_thousandths_of_a_nat(published: Path) -> None:
    with duckdb.connect(str(published), read_only=True) as connection:
        rows = connection.execute("select layer * 3 + head, effect_millinats from heads where run_id = 'toy' order by 1").fetchall()
    assert [effect for _, effect in rows] == pytest.approx([100 * (head - 10) for head, _ in rows])
    assert answer(published, "effect_counts") == [{"heads": 24, "above_heads": 13, "below_heads": 10}]
    # In the order of the lower end of the interval, which grows with the prediction here.
    assert answer(published, "effect_heads")[0]["head_label"] == "L7H2"


def test_the_prediction_is_checked_on_the_windows_of_the_ablation(published: Path) -> None:
    (row,) = answer(published, "effect_check")
    assert (row["kind"], row["heads"]) == ("ablation_mean", 6)
    # One pair of neighbours exchanged: 1 - 6 * 2 / (6 * 35).
    assert row["rank_correlation"] == pytest.approx(1 - 12 / 210)
    assert row["low_correlation"] < row["rank_correlation"] <= row["high_correlation"]


def test_the_rank_correlation_is_scipys_and_nought_where_nothing_varies() -> None:
    random = np.random.default_rng(1)
    one, other = random.integers(0, 9, (2, 30)).astype(float)
    assert rank_correlation(one, other)[0] == pytest.approx(stats.spearmanr(one, other).statistic)
    assert rank_correlation(np.ones(30), other) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("rises", "words"),
    [
        ({}, "jointly dispensable"),
        pytest.param({OWN: (1.0, 1.2, 1.0, 1.2)}, "have a price", marks=pytest.mark.slow),
        pytest.param({OWN: (0.0, 0.5, 0.0, 0.5)}, "is not settled", marks=pytest.mark.slow),
    ],
)
def test_the_word_dispensable_stands_on_the_page_where_the_price_allows_it_alone(
    tmp_path: Path, rises: dict[str, tuple[float, ...]], words: str
) -> None:
    counters = add_calibration(write_counters(tmp_path / "c.duckdb", PLANTED), rises)
    built = build(counters, tmp_path / "site", tmp_path / "p.duckdb", figures_of(tmp_path))
    page = (built.site / "price" / "index.html").read_text(encoding="utf-8")
    assert words in page
    assert ("jointly dispensable" in page) == (words == "jointly dispensable")
    assert check.check(built.published, built.site) == []
