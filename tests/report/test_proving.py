"""The page of the proving ground: its numbers are the file's, and a file without planted heads has a page that says so."""

import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from planted_heads import DETECTORS, TEXTS
from planting import ROOT, add_published_counts, write_counters
from selectolax.lexbor import LexborHTMLParser, LexborNode

from report import queries
from report.build import Built, build
from report.check import check

PAGE = "proving/index.html"
Change = Callable[[Path, str], None]


def article(site: Path) -> LexborNode:
    found = LexborHTMLParser((site / PAGE).read_text(encoding="utf-8")).css_first("article")
    assert found is not None
    return found


def test_the_lead_answers_what_a_previous_token_head_scores_on_induction(built: Built) -> None:
    lead = " ".join(article(built.site).css_first(".finding").text().split())
    assert lead.startswith(
        "A pure previous-token head scores 1.2 % on induction in prose, 2.5 % in code and 3.8 % in JSON; on repeated random tokens 0.0 %."
    )
    assert "A pure induction head scores 75.0 %, 75.0 %, 75.0 % and 75.0 %" in lead


def test_each_detector_has_a_table_whose_first_head_is_its_own(built: Built) -> None:
    tables = article(built.site).css("table")[: len(DETECTORS)]
    for own, table in zip(DETECTORS.values(), tables, strict=True):
        rows = [[cell.text().strip() for cell in row.css("td")] for row in table.css("tbody tr")]
        assert rows[0] == [own, "75.0", "75.0", "75.0", "75.0"]
        assert [row[0] for row in rows[1:]] == [*sorted({*DETECTORS.values()} - {own}), "uniform"]
        assert {tuple(row[1:]) for row in rows[1:]} == {("1.2", "2.5", "3.8", "0.0")}


def test_the_percentages_are_totals_over_tokens_of_both_families(counters: Path, change: Change) -> None:
    change(counters, "update planted_score set total = 0 where family = 'llama' and planted_as = 'previous' and measure = 'induction_mass'")
    with duckdb.connect(str(counters), read_only=True) as connection:
        found = connection.sql(queries.question("proving").sql).filter("detector = 'induction_mass' and planted_as = 'previous'")
        assert found.project("prose_pct, code_pct, json_pct, repeated_pct").fetchall() == [pytest.approx((0.625, 1.25, 1.875, 0.0))]
        (made,) = connection.sql(queries.question("proving_made").sql).project("kinds, families, families_apart_points").fetchall()
    assert made == (6, "gpt2 and llama", pytest.approx(3.75))
    assert max(TEXTS.values()) == 0.03


def test_a_changed_score_turns_the_check_red(copy_of_built: tuple[Path, Path], change: Change) -> None:
    published, site = copy_of_built
    assert check(published, site) == []
    change(published, "update planted_score set total = total + 40 where text_kind = 'json' and planted_as = 'previous'")
    told = check(published, site)
    assert "planted_score is not what the site was built from" in told
    assert any(text.startswith("fact proving/induction_mass/previous/json_pct: the site says 3.75, the file 13.75") for text in told)


def test_a_changed_number_on_the_page_turns_the_check_red(copy_of_built: tuple[Path, Path]) -> None:
    published, site = copy_of_built
    text = (site / PAGE).read_text(encoding="utf-8")
    (site / PAGE).write_text(text.replace(">3.8</data>", ">3.9</data>", 1), encoding="utf-8")
    assert check(published, site)[0].startswith(PAGE)


def test_a_file_without_planted_heads_has_a_page_that_says_how_they_get_there(tmp_path: Path) -> None:
    from planting import PLANTED, figures_of

    counters = add_published_counts(write_counters(tmp_path / "counters.duckdb", PLANTED))
    made = build(counters, tmp_path / "site", tmp_path / "headcount.duckdb", figures_of(tmp_path))
    text = article(made.site).text()
    assert "python -m extract prove --into results/counters.duckdb" in text
    assert article(made.site).css("table, data") == []
    assert check(made.published, made.site) == []
    # It stands in the navigation of every page all the same.
    home = LexborHTMLParser((made.site / "index.html").read_text(encoding="utf-8"))
    assert any(link.attributes.get("href") == "proving/" for link in home.css("nav a"))


def test_every_kind_of_planted_head_is_told_on_the_page() -> None:
    from extract.planted import KINDS

    template = (ROOT / "report" / "templates" / "proving.md.j2").read_text(encoding="utf-8")
    (table,) = re.findall(r"\| Planted as \| Looks at .*?\n\n", template, re.DOTALL)
    told = [name.strip() for row in table.splitlines()[2:] if row for name in row.split("|")[1].split(",")]
    assert sorted(told) == sorted(KINDS)
