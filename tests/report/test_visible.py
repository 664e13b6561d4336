"""Text that nobody sees, names of any kind: what an imported table or a stranger's file may hold is published so that it can be read."""

from pathlib import Path

import duckdb
import numpy as np
import pytest
from planting import add_published_counts, ask, figures_of, write_counters

from extract import imports
from report import figures, publish, site_address
from report.check.definitions import compare_views
from report.check.svg import Bar
from report.errors import DatabaseRefusal, UsageRefusal


def published(tmp_path: Path, *statements: str) -> Path:
    counters = add_published_counts(write_counters(tmp_path / "c.duckdb", np.full((2, 2), 50), shards=2))
    with duckdb.connect(str(counters)) as connection:
        for statement in statements:
            connection.execute(statement)
    publish.publish(counters, tmp_path / "h.duckdb", figures.load(figures_of(tmp_path)))
    return tmp_path / "h.duckdb"


def test_controls_and_marks_of_direction_become_symbols_and_printed_text_stays(tmp_path: Path) -> None:
    made = published(tmp_path, "update run set title = 'a' || chr(0) || chr(27) || chr(8238) || chr(8232) || '\\ é 日本', corpus = 'C:\\x'")
    assert ask(made, "select distinct title, corpus from run") == [("a\u2400\u241b\ufffd\u2424\u2216 é 日本", "C:\\x")]
    assert ask(tmp_path / "c.duckdb", "select count(*) from run where contains(title, chr(27))") == [(2,)]


def test_names_that_differ_in_controls_alone_are_refused(tmp_path: Path) -> None:
    statements = [f"insert into published_count select * replace ('a' || chr({code}) as band_colour) from published_count limit 1"
                  for code in (0x85, 0x2028)]  # fmt: skip
    with pytest.raises(DatabaseRefusal, match=r"two names in published_count\.band_colour differ in control characters alone"):
        published(tmp_path, *statements)


def test_a_strangers_tables_and_comments_do_no_harm(tmp_path: Path) -> None:
    made = published(tmp_path, 'create table "x;\n drop" (a integer)', "comment on column run.title is 'it''s a\n bell \x07'")
    assert ask(made, "select count(*) from duckdb_tables() where starts_with(table_name, 'x;')") == [(0,)]
    (comment,) = ask(made, "select comment from duckdb_columns() where table_name = 'run' and column_name = 'title'")[0]
    assert comment == "it's a␊ bell ␇"


def test_an_imported_measure_may_have_any_name_and_unit_and_its_run_marks_of_patterns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("layer,head,value\n0,0,1\n0,1,3\n1,0,2\n1,1,5\n", encoding="utf-8")
    name = 'GPT-2 [small] it\'s "x"'
    imports.import_heads(tmp_path / "t.csv", tmp_path / "c.duckdb", run=name, measure=name, unit="tokens", source="s")
    publish.publish(tmp_path / "c.duckdb", tmp_path / "h.duckdb", figures.load(figures_of(tmp_path)))
    made = tmp_path / "h.duckdb"
    assert ask(made, f"select sum(heads) from band_counts where run_id = {publish.literal(name)}") == [(4,)]
    with duckdb.connect(str(made), read_only=True) as connection:
        assert list(compare_views(connection)) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('high = "top 10"', "words.high holds the digit 1"),
        ('counts = "of 3"', "words.counts holds the digit 3"),
        ("legend = 'a\\b'", "legend holds a backslash"),
        ("title = 'a\\\"b'", "title holds a backslash"),
    ],
)
def test_what_no_page_can_say_of_a_figure_is_the_users_mistake(tmp_path: Path, line: str, said: str) -> None:
    folder = figures_of(tmp_path)
    key = line.partition(" = ")[0]
    lines = (folder / "activation.toml").read_text(encoding="utf-8").splitlines()
    changed = [line if one.startswith(f"{key} = ") else one for one in lines]
    (folder / "activation.toml").write_text("\n".join(changed), encoding="utf-8")
    with pytest.raises(UsageRefusal, match=said):
        figures.load(folder)


def test_a_bar_is_told_by_the_end_of_its_label_whatever_its_names_hold() -> None:
    odd = "a; Layers: x; Band: y"
    bar = Bar(f"Layer: {odd}; Layers: {odd}; Band: b; Heads: 3; Share of the range: 5.0 %", "red", 1.0)
    assert bar.says(odd, "b", "3", "5.0 %")
    assert not bar.says(odd, "b", "4", "5.0 %") and not bar.says("y", "b", "3", "5.0 %")


@pytest.mark.parametrize("address", ["", "https://example.org/headcount/", "http://127.0.0.1:8000", "https://x.example/~me/a%20b/"])
def test_an_address_of_the_web_is_taken_and_not_with_a_tag_after_it(address: str) -> None:
    site_address.refuse_other(address)
    with pytest.raises(UsageRefusal, match="is no address of a site"):
        site_address.refuse_other(f"{address}<b>")


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://x.example/<b>", 'https://x.example/"', "example.org", "https://x\n/"])
def test_any_other_address_is_refused(address: str) -> None:
    with pytest.raises(UsageRefusal, match="is no address of a site"):
        site_address.refuse_other(address)
