"""The check is green on what was built, and red on every change that alters what the site says."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from report.build import Built
from report.check import check, differences
from report.check.definitions import compare_definitions

pytestmark = pytest.mark.attack

Change = Callable[[Path, str], None]
Copy = tuple[Path, Path]
PAGE = "figures/toy/activation/index.html"


def edit(page: Path, before: str, after: str) -> None:
    text = page.read_text(encoding="utf-8")
    assert before in text, f"{before!r} is not on {page.name}"
    page.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_a_site_agrees_with_its_file(built: Built) -> None:
    assert check(built.published, built.site) == []


@pytest.mark.parametrize(
    "sql",
    [
        "update shard_histogram set n = n + 1 where shard = 3 and layer = 1 and head = 2 and kind = 'relative_norm'",
        "update shard_stat set total = total + 1e-9 where shard = 0 and layer = 0 and head = 0 and measure = 'entropy'",
        "delete from shard_stat where shard = 7 and layer = 7",
        "update band set low = 81 where figure = 'activation' and band_ordinal = 4",
        "update band set label = '[81, 100]' where figure = 'activation' and band_ordinal = 4",
        "update layer_range set end_layer = 3 where figure = 'activation' and range_ordinal = 0",
        "update figure set threshold = 0.75 where figure = 'activation'",
        "update published_count set heads = 3 where range_ordinal = 0 and band_ordinal = 0",
        "update test_result set p = 0.04 where figure = 'activation'",
        "update run set hardware = 'another' where run_id = 'toy'",
        "create or replace view head_measure as select run_id, layer, head, measure, n, mean, se, mean as low, mean as high from head_mean",
    ],
)
def test_a_changed_counter_edge_label_threshold_or_view_turns_the_check_red(copy_of_built: Copy, change: Change, sql: str) -> None:
    published, site = copy_of_built
    change(published, sql)
    assert check(published, site)


UNREADABLE = {
    "index.html": b"<html>\xe2</html>",
    "maps/toy/index.html": b"\xff",
    "facts.json": b'{"tables": 0, "files": 0, "charts": 0, "heads": 0, "facts": 0, "claims": 0}',
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_can_no_longer_be_read_as_what_it_was_is_named(small: Built, tmp_path: Path, name: str) -> None:
    site = Path(shutil.copytree(small.site, tmp_path / "site"))
    (site / name).write_bytes(UNREADABLE[name])
    # So the next build knows that the site is not what it was, and builds it again.
    assert f"SHA256SUMS: the checksum of {name} is another" in check(small.published, site)


def test_a_changed_counter_is_found_by_the_facts_too(copy_of_built: Copy, change: Change) -> None:
    published, site = copy_of_built
    change(published, "update published_count set heads = 3 where range_ordinal = 0 and band_ordinal = 0")
    ledger = json.loads((site / "facts.json").read_text())
    assert any("fact reference/reference/band_counts/0/0/heads: the site says 2, the file 3" in text for text in check(published, site))
    assert ledger["tables"].keys() >= {"published_count", "view band_counts"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (">45.8</data>", ">45.9</data>"),
        ('<data value="11"', '<data value="12"'),
        (">L2H2</data>", ">L2H1</data>"),
        (">three</data>", ">four</data>"),
        ("and deeper layers tend to hold lower bands</span>", "and deeper layers hold lower bands</span>"),
        ("Deeper may mean lower", "Deeper may mean higher"),
        ("gives as strong an ordering too often to call it a trend", "rarely gives so strong an ordering"),
        ("band_counts/0/4/heads", "band_counts/0/4/headz"),
        (">Key observations<a", ">3 key observations<a"),
    ],
)
def test_a_changed_digit_name_word_or_verb_turns_the_check_red(copy_of_built: Copy, before: str, after: str) -> None:
    published, site = copy_of_built
    edit(site / PAGE, before, after)
    assert check(published, site)[0].startswith(PAGE)


@pytest.mark.parametrize("name", ["charts/toy/activation.csv", "charts/toy/activation-light.svg", "llms.txt", "index.html"])
def test_a_changed_or_missing_file_turns_the_check_red(copy_of_built: Copy, name: str) -> None:
    published, site = copy_of_built
    (site / name).write_bytes((site / name).read_bytes() + b" ")
    assert f"{name} is not the file that was built" in check(published, site)
    (site / name).unlink()
    assert f"{name} is not the file that was built" in check(published, site)


def test_a_changed_or_missing_download_turns_the_check_red(copy_of_built: Copy, change: Change) -> None:
    published, site = copy_of_built
    change(site / "data" / "headcount.duckdb", "update shard_stat set total = total + 1 where shard = 0 and layer = 0")
    assert "data/headcount.duckdb is not the file that was built" in check(published, site)
    (site / "data" / "headcount.duckdb").unlink()
    assert "data/headcount.duckdb is not the file that was built" in check(published, site)


def test_a_plain_word_of_a_page_turned_around_turns_the_check_red(copy_of_built: Copy) -> None:
    published, site = copy_of_built
    edit(site / PAGE, "the deeper lies lower in", "the deeper lies higher in")
    twin = PAGE.replace(".html", ".md")
    assert check(published, site) == [
        f"{PAGE}: section “key-observations” does not read as in the search index",
        f"{twin}: does not read as its page: “lowerin54%ofpairs,higherin18%,levelin28%”",
        f"{PAGE} is not the file that was built",
        f"SHA256SUMS: the checksum of {PAGE} is another",
    ]


@pytest.mark.parametrize(
    ("before", "after", "part", "told"),
    [
        ("45.8</data></a> %)", "45.8</data></a> tokens)", "pages", "a number of column pct is followed by “tokens”"),
        ('"#query-band_totals"><data', '"#query-focus"><data', "pages", "leads to #query-focus, not to its query band_totals"),
        ("band_counts/0/4/heads", "band_counts/1/4/heads", "pages", "mixes rows or columns of band_counts"),
        ('data-claim="toy/activation/trend"', 'data-claim="toy/entropy/trend"', "pages", "stands in a section about something else"),
        (
            "= <code>toy</code>",
            "= <code>boy</code>",
            "pages",
            "is shown with other parameters than those of the page's facts",
        ),
        ("another band holds more", "no other band holds more", "words", "does not read as in the search index"),
        ("<title>toy", "<title>boy", "links", "is neither its heading nor its name in the navigation"),
        ("activation.csv", "entropy.csv", "links", "“CSV” leads to charts/toy/entropy.csv"),
        ('"../residual-activation/">Residual', '"../entropy/">Residual', "links", "leads to figures/toy/entropy/"),
        ("activation-light.svg", "entropy-light.svg", "charts", "stands in the place of its picture"),
        ('alt="No band', 'alt="One band', "charts", "its alternative text is not its description"),
        ("&quot;heads&quot;: &quot;4&quot;", "&quot;heads&quot;: &quot;5&quot;", "charts", "specify different charts"),
    ],
)
def test_each_part_sees_what_it_is_about_without_the_hashes(copy_of_built: Copy, before: str, after: str, part: str, told: str) -> None:
    published, site = copy_of_built
    edit(site / PAGE, before, after)
    assert any(told in text for text in differences(published, site)[part])


def test_rows_out_of_the_answers_order_turn_the_check_red(copy_of_built: Copy) -> None:
    published, site = copy_of_built
    text = (site / PAGE).read_text(encoding="utf-8")
    start = text.index("<tbody>", text.index('id="table"'))
    rows = text[start : text.index("</tbody>", start)].split("<tr>")
    edit(site / PAGE, "<tr>".join(rows), "<tr>".join([rows[0], rows[2], rows[1], *rows[3:]]))
    assert f"{PAGE}: a table's row [0, 2), [80, 100] is out of the order of band_counts" in differences(published, site)["pages"]


def test_a_picture_whose_bar_is_too_high_turns_the_check_red(copy_of_built: Copy) -> None:
    published, site = copy_of_built
    for scheme in ("light", "dark"):
        edit(site / "charts" / "toy" / f"activation-{scheme}.svg", "v233.009", "v133.009")
    assert differences(published, site)["charts"] == ["charts/toy/activation: a picture's bars are not as high as their heads"]


def test_a_table_with_a_column_of_its_own_name_is_sealed_as_a_whole(copy_of_built: Copy, change: Change) -> None:
    published, site = copy_of_built
    for table, sql in (("figure", "update figure set selection = 'x'"), ("head", "update head set kv_head = 9")):
        change(published, sql)
        assert f"{table} is not what the site was built from" in differences(published, site)["tables"]


def test_a_comment_of_the_file_is_sealed_too(copy_of_built: Copy, change: Change) -> None:
    published, site = copy_of_built
    change(published, "comment on column shard_stat.total is 'Something else.'")
    assert "comments is not what the site was built from" in differences(published, site)["tables"]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("update band set low = 81 where figure = 'activation' and band_ordinal = 4", "a band's label does not spell its edges"),
        ("update layer_range set end_layer = 3 where range_ordinal = 0", "a layer range does not begin where the one above it ends"),
        ("update layer_range set label = '[0, 9)' where range_ordinal = 0", "a layer range's label does not spell its edges"),
        ("update figure set threshold = 0.51 where figure = 'activation'", "a figure's threshold is no edge of its histogram"),
        ("update shard_histogram set n = n + 1 where shard = 3", "a head's histogram does not add up to its scored tokens"),
        ("update shard_stat set total = 1e6 where shard = 3", "a sum is larger than its squares allow"),
        ("create or replace view runs as select * from run", "view runs is not as report/sql/views has it"),
    ],
)
def test_a_file_that_contradicts_itself_turns_the_check_red(copy_of_built: Copy, change: Change, sql: str, told: str) -> None:
    published, _ = copy_of_built
    change(published, sql)
    with duckdb.connect(str(published), read_only=True) as connection:
        assert any(text.startswith(told) for text in compare_definitions(connection))


def test_a_fact_that_moves_to_another_row_turns_the_check_red(copy_of_built: Copy) -> None:
    published, site = copy_of_built
    ledger = json.loads((site / "facts.json").read_text())
    fact = next(fact for fact in ledger["facts"] if fact["id"] == "toy/activation/band_counts/0/4/heads")
    fact["value"], fact["text"] = 5, "5"
    (site / "facts.json").write_text(json.dumps(ledger))
    assert check(published, site)[0].startswith("fact toy/activation/band_counts/0/4/heads: the site says 5, the file 4")


def test_a_decision_that_does_not_follow_turns_the_check_red(copy_of_built: Copy) -> None:
    published, site = copy_of_built
    ledger = json.loads((site / "facts.json").read_text())
    claim = next(claim for claim in ledger["claims"] if claim["id"] == "toy/activation/trend")
    claim["decision"] = "fall"
    (site / "facts.json").write_text(json.dumps(ledger))
    assert any(text.startswith("claim toy/activation/trend: the site decided fall, the facts say") for text in check(published, site))
