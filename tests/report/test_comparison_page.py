"""The pages of runs side by side and of agreement: their numbers are the file's, and `report check` turns red where they are not."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pytest
from planted_pairs import CODE, PROSE, add_model, add_table, run_sql, write_pair
from planting import PLANTED, add_published_counts, figures_of, write_counters
from selectolax.lexbor import LexborHTMLParser

from report import build, check, figures, publish, queries
from report.comparisons import page, published
from report.pages import Pages

SLUG = "comparisons/toy-toy-on-code"
SHOWN = ("activation", "residual_activation")


@dataclass(frozen=True)
class Made:
    """The two kinds of page of one file, rendered as the site does it but without the theme."""

    file: Path
    site: Path
    drawings: list[page.PairDrawing]

    def article(self, name: str) -> LexborHTMLParser:
        """A page without its queries and chart."""
        parsed = LexborHTMLParser((self.site / name / "index.html").read_text(encoding="utf-8"))
        for node in parsed.css("template, .query"):
            node.decompose()
        return parsed

    def words(self, name: str) -> str:
        """A page's visible text, every run of white space one blank."""
        root = self.article(name).css_first("article")
        assert root is not None
        return " ".join(root.text().split())

    def table(self, name: str, number: int) -> list[list[str]]:
        """The rows of a page's n-th table, without its head."""
        return [[cell.text().strip() for cell in row.css("td")] for row in self.article(name).css("table")[number].css("tbody tr")]


def make(counters: Path, folder: Path, *figures_shown: str) -> Made:
    """A whole site with both kinds of page in it, as it is built for a reader; of activation alone, where no figures are named."""
    file, site, drawings = folder / "h.duckdb", folder / "site", []
    write = page.write

    def and_keep(pages: Pages, shown: tuple[figures.Figure, ...]) -> list[page.PairDrawing]:
        drawings.extend(write(pages, shown))
        return drawings

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "write", and_keep)
        build.build(counters, site, file, figures_of(folder, *figures_shown))
    return Made(file, site, drawings)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The pages of one model on two texts."""
    folder = tmp_path_factory.mktemp("pages")
    return make(write_pair(folder / "counters.duckdb"), folder, *SHOWN)


def test_the_page_answers_what_changes_and_every_number_on_it_can_be_asked_for_again(made: Made) -> None:
    assert check.check(made.file, made.site) == []
    lead = made.article(SLUG).css_first(".finding")
    assert lead is not None
    assert " ".join(lead.text().split()) == (
        "Many heads differ between the two texts, and many of those change band; the mean over all heads is higher on the second. "
        "Of 12 heads, 5 (41.7 %) differ; 8 (66.7 %) stay in their band."
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published file with a pair of texts, an imported table of the model, and published counts."""
    folder = tmp_path_factory.mktemp("whole")
    path = add_published_counts(write_pair(folder / "counters.duckdb"))
    add_table(path, "toy, gazes", "entropy_published", PROSE / 100, (0, 0.5, 1))
    publish.publish(path, folder / "h.duckdb", figures.load())
    return folder / "h.duckdb"


@pytest.mark.parametrize("question", sorted(name for name in queries.questions() if name.startswith(("compare_", "agreement_"))))
def test_every_question_of_pairs_and_agreement_has_the_grain_it_promises(whole: Path, question: str) -> None:
    query = queries.question(question)
    given = {"run_a": "toy", "run_b": "toy on code", "figure": "activation"}
    with duckdb.connect(str(whole), read_only=True) as connection:
        table = connection.execute(query.sql, {name: text for name, text in given.items() if f"${name}" in query.sql}).fetchall()
        columns = [column[0] for column in connection.description or ()]
    keys = [tuple(row[columns.index(name)] for name in query.key) for row in table]
    assert table
    assert len(set(keys)) == len(table)


def test_its_tables_count_heads_from_band_to_band_and_range_by_range(made: Made) -> None:
    bands, ranges, shown, heads, asleep = (made.table(SLUG, number) for number in range(5))
    # Bands from low to high; 12 heads. Prose: 10 19 | 30 35 | 50 50 | 70 | 80 90 90 90 95.
    assert bands == [
        ["[0, 20)", "0", "0", "0", "0", "2", "2"],
        ["[20, 40)", "0", "2", "0", "0", "0", "2"],
        ["[40, 60)", "0", "0", "1", "1", "0", "2"],
        ["[60, 80)", "0", "0", "0", "1", "0", "1"],
        ["[80, 100]", "1", "0", "0", "0", "4", "5"],
        ["All", "1", "2", "1", "2", "6", "12"],
    ]
    assert [row[:6] for row in ranges] == [
        ["[0, 1)", "3", "2", "1", "0", "2"],
        ["[1, 2)", "3", "2", "1", "0", "1"],
        ["[2, 3)", "3", "2", "1", "0", "1"],
        ["[3, 4)", "3", "2", "0", "1", "1"],
    ]
    assert ranges[0][6:] == ["50.00", "78.00", "28.00"]
    assert [row[0] for row in shown] == [figure.title for figure in figures.load() if figure.id in SHOWN]
    assert [(row[0], row[3]) for row in heads] == [
        ("L0H0", "80.00"),
        ("L1H1", "76.00"),
        ("L3H2", "−68.00"),
        ("L2H0", "12.00"),
        ("L0H2", "4.00"),
    ]
    assert [row[0] for row in asleep] == ["L0H0", "L3H2"]


def test_a_head_that_sleeps_on_one_text_and_works_on_the_other_comes_first(made: Made) -> None:
    observations = [" ".join(item.text().split()) for item in made.article(SLUG).css("h2 + ul > li")]
    first = next(text for text in observations if "sleep" in text)
    assert first == (
        "Some heads sleep on one text and work on the other: L0H0 and L3H2 – interval and all, below 20 per cent on the one, "
        "from 60 on the other."
    )
    told = made.drawings[0].reading
    assert len(told.observations) == 5
    assert "sleep" in told.observations[0]


def test_the_chart_has_a_point_per_head_and_its_files(made: Made) -> None:
    chart = made.drawings[0].chart
    points = chart.spec["layer"][0]["data"]["values"] if "data" in chart.spec["layer"][0] else chart.spec["data"]["values"]
    assert [row["a"] for row in points] == pytest.approx(PROSE.ravel().tolist())
    assert [row["b"] for row in points] == pytest.approx(CODE.ravel().tolist())
    assert {row["label"] for row in points} == {"", "L0H0", "L1H1", "L3H2", "L2H0", "L0H2"}
    assert chart.description.startswith("Many heads differ")
    folder = made.site / "charts"
    files = [f"{SLUG}{ending}" for ending in ("-light.svg", "-dark.svg", ".png", ".vl.json", ".csv")]
    assert all((folder / name).stat().st_size > 0 for name in files)
    assert len((folder / f"{SLUG}.csv").read_text().splitlines()) == 13
    assert json.loads((folder / f"{SLUG}.vl.json").read_text())["usermeta"]["ramps"][0] != chart.spec["usermeta"]["ramps"][1]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "update head_difference set value_b = 50 where layer = 0 and head = 0 and figure = 'activation'",
            "/0/0/b_value: the site says 90.0",
        ),
        ("update head_difference set q = 1 where figure = 'activation'", "corrected_p: the site says"),
        ("update comparison set mean_low = -1 where figure = 'activation'", "difference_low: the site says"),
        ("update published_value set value = 78 where kind = 'sinks'", "agreement_values/gpt2-xl_sinks"),
    ],
)
def test_a_changed_result_turns_the_check_red(
    made: Made, tmp_path: Path, change: Callable[[Path, str], None], sql: str, words: str
) -> None:
    file = Path(shutil.copy(made.file, tmp_path / "h.duckdb"))
    change(file, sql)
    told = check.check(file, made.site)
    assert any(words in text for text in told), told[:5]


def test_a_changed_number_or_verb_on_the_page_turns_the_check_red(made: Made, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(made.site, site)
    file = site / SLUG / "index.html"
    built = file.read_text(encoding="utf-8")
    file.write_text(built.replace(">80.00<", ">80.01<", 1), encoding="utf-8")
    assert any("80.01" in text for text in check.check(made.file, site))
    file.write_text(built.replace("is higher on the second", "is lower on the second"), encoding="utf-8")
    assert any("is lower on the second” does not follow from up" in text for text in check.check(made.file, site))


@pytest.mark.slow
def test_two_texts_on_which_nothing_differs_have_a_page_that_says_so(tmp_path: Path) -> None:
    made = make(write_pair(tmp_path / "c.duckdb", PROSE, PROSE), tmp_path)
    words = made.words(SLUG)
    assert "No head differs between the two texts; the mean over all heads shows no clear shift." in words
    assert "Every head stays in its band." in words
    assert "No head sleeps on one text and works on the other" in words
    assert "both runs give every head the same value" in words
    assert check.check(made.file, made.site) == []


@pytest.mark.slow
def test_runs_of_one_shard_have_a_page_without_intervals(tmp_path: Path) -> None:
    made = make(write_pair(tmp_path / "c.duckdb", shards=1), tmp_path)
    words = made.words(SLUG)
    assert "Too little text to tell differences from chance" in words
    assert "Interval" not in words
    assert check.check(made.file, made.site) == []


def test_a_file_without_a_pair_has_no_page_of_one(tmp_path: Path) -> None:
    made = make(add_published_counts(write_counters(tmp_path / "c.duckdb", PLANTED)), tmp_path)
    assert made.drawings == []
    assert not (made.site / "comparisons").exists()
    words = made.words("agreement")
    assert "No published figure can be held against this file." in words
    assert "reference: 65 of 1,200 heads. Not comparable with anything measured here" in words
    assert words.count("not measured here") == sum(len(model.lists) for model in published.models())
    assert check.check(made.file, made.site) == []


@pytest.mark.slow
def test_what_was_published_stands_beside_a_run_of_that_model(tmp_path: Path) -> None:
    path = write_counters(tmp_path / "c.duckdb", PLANTED)
    values = np.full((12, 12), 0.1)
    values[5, 1], values[6, 9], values[11, 10] = 0.97, 0.5, 0.3
    add_model(path, "openai-community/gpt2", "GPT-2 small", "induction_mass_repeated", "share", values)
    made = make(path, tmp_path)
    rows = {row[0]: row[1:] for table in range(7) for row in made.table("agreement", table) if len(row) == 5}
    assert rows["L5H1"] == ["0.987", "0.97", "−0.017", "1"]
    assert rows["L6H9"] == ["0.966", "0.5", "−0.466", "2"]
    assert rows["L11H10"] == ["n/a", "0.3", "n/a", "3"]
    words = made.words("agreement")
    assert "Ours: induction_mass_repeated, in the run GPT-2 small – not every value agrees" in words
    assert "python -m extract run with runs/gpt2-xl.toml measures it" in words
    assert check.check(made.file, made.site) == []


@pytest.mark.slow
def test_heads_above_a_level_and_sinks_are_counted_over_the_whole_model(tmp_path: Path) -> None:
    path = write_counters(tmp_path / "c.duckdb", PLANTED)
    values = np.zeros((48, 25))
    values[12:24, 0], values[30, :] = 0.6, 0.4
    add_model(path, "openai-community/gpt2-xl", "GPT-2 xl", "induction_mass_repeated", "share", values)
    run_sql(path, "update shard_stat set total = 25, total_of_squares = 625 where run_id = 'GPT-2 xl' and measure = 'non_sink_windows_pct'")
    made = make(path, tmp_path)
    rows = [row for table in range(7) for row in made.table("agreement", table) if len(row) in (4, 5)]
    assert ["[12, 24)", "0.5", "15", "12", "−3"] in rows
    assert ["[24, 36)", "0.3", "56", "25", "−31"] in rows
    assert ["[0, 12)", "0.5", "0", "0", "0"] in rows
    assert ["GPT-2 xl", "77", "75", "−2"] in rows
    assert "every value agrees within what another draw of the text gives" in made.words("agreement")
    assert check.check(made.file, made.site) == []


@pytest.mark.parametrize(
    "sql",
    [
        "update run set model = 'gpt2' where run_id = 'GPT-2 small'",
        pytest.param("update run set quantisation = 'four bits' where run_id = 'GPT-2 small'", marks=pytest.mark.slow),
        pytest.param("update run set heads_per_layer = 11 where run_id = 'GPT-2 small'", marks=pytest.mark.slow),
    ],
)
def test_another_model_is_not_set_beside_published_values(tmp_path: Path, sql: str) -> None:
    path = write_counters(tmp_path / "c.duckdb", PLANTED)
    add_model(path, "openai-community/gpt2", "GPT-2 small", "induction_mass_repeated", "share", np.full((12, 12), 0.1))
    run_sql(path, sql)
    assert "No published figure can be held against this file." in make(path, tmp_path).words("agreement")


@pytest.mark.slow
def test_an_imported_table_stands_beside_the_run_of_its_model(tmp_path: Path) -> None:
    values = np.linspace(0, 0.96, 12 * 12).reshape(12, 12)
    path = add_model(
        write_counters(tmp_path / "c.duckdb", PLANTED), "openai-community/gpt2", "small", "induction_mass_repeated", "share", values + 0.04
    )
    add_table(path, "GPT-2 small, induction", "induction_mass_repeated_published", values, (0, 0.5, 1))
    add_table(path, "GPT-2 huge, induction", "elsewhere_published", np.full((5, 5), 0.5), (0, 0.5, 1))
    made = make(path, tmp_path)
    rows = {row[0]: row[1:] for row in made.table("agreement", 7)}
    # Six heads lie within .04 below .5 and come to lie above it; 138 of 144 stay.
    crossing = int(((values < 0.5) & (values + 0.04 >= 0.5)).sum())
    assert rows["GPT-2 small, induction"][2:] == ["small", "0.48", "0.52", "0.04", "0.04", str(144 - crossing), "1.00"]
    assert rows["GPT-2 huge, induction"][2:] == ["n/a"] * 7
    assert "is not measured here: a run of the same model with the measure elsewhere in this file" in made.words("agreement")
    assert made.drawings == []
    assert check.check(made.file, made.site) == []
