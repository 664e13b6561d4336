"""The pages of heads: what stands on one, that all are there, and how much they weigh at the shape of GPT-2 xl."""

import gzip
import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest
from labelled_heads import add_detectors
from planted_examples import TITLE, add_examples
from planting import figures_of, write_counters
from selectolax.lexbor import LexborHTMLParser

from report import check, database, queries
from report.build import Built, build
from report.heads import stamping

LAYERS, HEADS = 48, 25
MEGABYTE = 2**20


@pytest.fixture(scope="session")
def page(exemplary: Built) -> LexborHTMLParser:
    return page_of(exemplary, "L2H1")


def page_of(built: Built, name: str) -> LexborHTMLParser:
    return LexborHTMLParser((built.site / "heads" / "toy" / name / "index.html").read_text(encoding="utf-8"))


def rows(page: LexborHTMLParser, question: str) -> list[list[str]]:
    return [[cell.text() for cell in row.css("[data-cell]")] for row in page.css(f"[data-question={question}] [data-row]")]


def test_every_head_of_a_home_has_a_page_and_runs_of_the_same_weights_share_them(exemplary: Built) -> None:
    found = {path.parent.name for path in exemplary.site.glob("heads/*/*/index.html")}
    assert found == {f"L{layer}H{head}" for layer in range(8) for head in range(3)}
    assert [path.name for path in exemplary.site.glob("heads/*")] == ["toy"]
    assert exemplary.pages == len(list(exemplary.site.rglob("*.html"))) > 24
    assert not (exemplary.site / "heads" / "toy" / "head").exists()


def test_a_page_says_which_head_of_which_run_it_is_and_leads_to_its_neighbours(page: LexborHTMLParser) -> None:
    assert page.css_first("h1").text() == "L2H1 – toy"
    assert page.css_first("title").text() == "L2H1 – toy - Headcount"
    assert "L2H1 of toy" in str(page.css_first("meta[name=description]").attributes["content"])
    steps = [(link.text(), link.attributes["href"]) for link in page.css("[data-heads=steps] a")]
    assert steps == [("L2H0", "../L2H0/"), ("L2H2", "../L2H2/"), ("all heads", "../"), ("map", "../../../maps/toy/")]
    assert [link.text() for link in page.css("[data-heads=layer] a")] == ["L2H0", "L2H2"]


def test_the_largest_examples_come_first_then_the_draws_of_each_band(page: LexborHTMLParser) -> None:
    shown = rows(page, "head_examples")
    assert [row[0] for row in shown[:6]] == ["9.01", "8.91", "8.81", "8.71", "8.61", "8.51"]
    assert [row[:3] for row in shown[6:]] == [
        ["0", "0.25", "0.01"], ["0", "0.25", "0.02"],
        ["0.25", "1", "0.26"], ["0.25", "1", "0.27"],
        ["1", "1.01", shown[10][2]], ["1", "1.02", shown[11][2]],
    ]  # fmt: skip


def test_hostile_texts_stand_as_texts_and_line_breaks_are_seen(page: LexborHTMLParser, exemplary: Built) -> None:
    article = page.css_first("article")
    assert article is not None
    assert not article.css("script, b")
    assert "<script>alert(1)</script>" in article.text()
    assert "⏎" in article.text()
    assert "\x07" not in article.text()
    assert TITLE in {cite.text() for cite in article.css("cite")}


def test_a_measure_has_its_interval_its_places_and_the_same_heads_value_on_the_other_text(page: LexborHTMLParser) -> None:
    # Planted 88 and 80, give or take 2 from shard to shard; the fourteenth largest of 24 – ten are 90 or more, and 88 is the next.
    shown = {row.attributes["data-row"]: [cell.text() for cell in row.css("[data-cell]")] for row in page.css("[data-row=activation_pct]")}
    half = 2.364624251592785 * 2 / 7**0.5
    values = shown["activation_pct"]
    assert values[:5] == ["activation_pct", "%", "88.0", f"{88 - half:.1f}", f"{88 + half:.1f}"]
    assert values[6] == "2"
    assert values[7] == "80.0"


def test_the_histogram_says_how_many_tokens_lie_where(page: LexborHTMLParser) -> None:
    shown = {row[0]: row[1:] for row in rows(page, "head_histogram")}
    assert shown["0.5"] == ["704", "88.0"]
    assert sum(int(tokens) for tokens, _ in shown.values()) == 800
    bars = page.css("rect[data-bar]")
    assert [bar.attributes.get("class") for bar in bars] == ["quiet", None]
    assert bars[1].attributes["height"] == "150.0"


def test_similar_heads_are_the_nearest_by_hand(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("create table measure as select unnest(['a', 'b', 'c']) as id, null::varchar as chance_of")
        connection.execute(
            "create table head_measure as select 'toy' as run_id, 0 as layer, head, measure, mean from (values "
            "(0, 'a', 0), (1, 'a', 1), (2, 'a', 3), (3, 'a', 4), (0, 'b', 0), (1, 'b', 0), (2, 'b', 20), (3, 'b', 20), "
            "(0, 'c', 7), (1, 'c', 7), (2, 'c', 7), (3, 'c', 7)) as t(head, measure, mean)"
        )
        found = connection.execute(queries.question("head_similar").sql, {"run_id": "toy"}).fetchall()
    # a: mean 2, deviation √2.5; b: mean 10, deviation 10; c is the same everywhere and tells nothing.
    nearest = {row[1]: (row[3], row[4]) for row in found if row[2] == 1}
    assert nearest == {head: (other, pytest.approx(1 / 2.5**0.5)) for head, other in enumerate(["L0H1", "L0H0", "L0H3", "L0H2"])}
    assert [row[3:] for row in found if row[1] == 0][1] == ("L0H2", pytest.approx((9 / 2.5 + 4) ** 0.5))


def test_a_head_is_found_by_search_with_its_title_and_one_line(exemplary: Built) -> None:
    docs = json.loads((exemplary.site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    entries = {doc["location"]: (doc["title"], doc["text"]) for doc in docs if re.match(r"heads/toy/L", doc["location"])}
    assert len(entries) == 24
    title, line = entries["heads/toy/L2H1/"]
    assert title == "L2H1 – toy"
    assert line.startswith("Attention head L2H1 of toy")
    assert "\n" not in line


def test_the_site_map_names_every_head_where_the_site_has_an_address(tmp_path: Path) -> None:
    shell = "heads/toy/head/"
    entries = "".join(f"    <url>\n         <loc>https://example.org/{place}</loc>\n    </url>\n" for place in ("", shell))
    for _ in range(2):
        (tmp_path / "sitemap.xml").write_text(f"<urlset>\n{entries}</urlset>\n")
        (tmp_path / "sitemap.xml.gz").write_bytes(gzip.compress(b"old", mtime=1234))
        stamping.map_out(tmp_path, shell, ["heads/toy/L0H0/", "heads/toy/L0H1/"])
        packed = (tmp_path / "sitemap.xml.gz").read_bytes()
        assert int.from_bytes(packed[4:8], "little") == 1234
    text = gzip.decompress(packed).decode()
    assert re.findall("<loc>https://example.org/(.*)</loc>", text) == ["", "heads/toy/L0H0/", "heads/toy/L0H1/"]
    assert text == (tmp_path / "sitemap.xml").read_text()


@pytest.mark.parametrize("question", ["head_examples", "head_homes"])
def test_a_question_has_the_grain_it_promises(exemplary: Built, question: str) -> None:
    query = queries.question(question)
    with database.read(exemplary.published) as connection:
        answer = connection.execute(query.sql, {"run_id": "toy"} if "$run_id" in query.sql else {})
        columns = [column[0] for column in answer.description]
        keys = [tuple(row[columns.index(name)] for name in query.key) for row in answer.fetchall()]
    assert keys
    assert len(set(keys)) == len(keys)


@pytest.mark.slow
def test_two_builds_give_the_same_pages(exemplary: Built, tmp_path: Path) -> None:
    again = build(exemplary.published.with_name("counters.duckdb"), tmp_path / "site", tmp_path / "headcount.duckdb", figures_of(tmp_path))
    for path in exemplary.site.glob("heads/**/*.html"):
        assert path.read_bytes() == (again.site / path.relative_to(exemplary.site)).read_bytes()
    for name in ("search/search_index.json", "sitemap.xml", "sitemap.xml.gz"):
        assert (exemplary.site / name).read_bytes() == (again.site / name).read_bytes()


def noisy(path: Path, measures: int) -> None:
    """More measures, with as many digits as measured ones have, and a histogram with tokens in every bin."""
    with duckdb.connect(str(path)) as connection:
        for number in range(measures):
            about = [f"planted_measure_{number}_mass", f"A planted measure with a title of the usual length, number {number}"]
            connection.execute("insert into measure select $1, $2, 'share', 0, 1, 'planted', 'none', 'planted', 1, null, null, null", about)
            value = f"100 * (hash(shard, layer, head, {number}) % 1000003) / 1000003.0"
            connection.execute(
                f"insert into shard_stat select run_id, shard, layer, head, $1, 100, {value}, ({value}) * ({value}) / 100 "
                "from shard join head using (run_id)",
                about[:1],
            )
        connection.execute("delete from shard_histogram where kind = 'relative_norm'")
        connection.execute(
            "insert into shard_histogram select run_id, shard, 'relative_norm', layer, head, bin, 2 "
            "from shard join head using (run_id) cross join range(50) as bins(bin)"
        )


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """A site at the shape of GPT-2 xl, with examples and detectors and as many measures as a run has."""
    folder = tmp_path_factory.mktemp("wide")
    active = np.random.default_rng(0).integers(0, 101, (LAYERS, HEADS))
    path = add_examples(add_detectors(write_counters(folder / "counters.duckdb", active, title="GPT-2 xl", shards=4)), windows=4)
    noisy(path, 12)
    yield build(path, folder / "site", folder / "headcount.duckdb", figures_of(folder))
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_a_model_of_twelve_hundred_heads_has_as_many_pages_in_sixty_megabytes(wide: Built, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [path.stat().st_size for path in wide.site.glob("heads/toy/L*/index.html")]
    with capsys.disabled():
        print(f"\n{len(sizes)} pages, {sum(sizes) / MEGABYTE:.1f} MB, largest {max(sizes) / 1024:.1f} kB")
    assert len(sizes) == LAYERS * HEADS
    assert sum(sizes) < 60 * MEGABYTE
    table = wide.site / "heads" / "toy"
    packed = sum(len(gzip.compress((table / name).read_bytes())) for name in ("index.html", "heads.js"))
    assert packed < 500 * 1024
    started = time.monotonic()
    assert check.check(wide.published, wide.site) == []
    with capsys.disabled():
        print(f"table {packed / 1024:.0f} kB packed; whole check {time.monotonic() - started:.1f} s")
