"""What the check sees of the pages of heads: every kind of change turns it red, with the hashes of facts.json made anew."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from report import check, database
from report.build import Built
from report.check.page import read_page
from report.check.recount import Answers

pytestmark = pytest.mark.attack

PAGE = "heads/toy/L2H1/index.html"
TABLE = "heads/toy/index.html"
Judge = Callable[[], list[str]]


@pytest.fixture(scope="module")
def forged(exemplary: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Judge]]:
    """A copy of the site to forge, and what the part of the check says of it: hashes play no role in this part."""
    site = Path(shutil.copytree(exemplary.site, tmp_path_factory.mktemp("forged") / "site"))
    # As the check itself opens it: DuckDB allows one way at a time.
    with database.read(exemplary.published) as connection:
        answers = Answers(connection)
        others = {path.relative_to(site).as_posix() for path in site.rglob("*.html") if not re.search(r"/L\d+H\d+/", path.as_posix())}

        def judge() -> list[str]:
            pages = {name: read_page(site, site / name) for name in others if (site / name).is_file()}
            return list(check.compare_heads(site, pages, answers, check.read_ledger(site)))

        assert judge() == []
        yield site, judge


def change(forged: tuple[Path, Judge], name: str, pattern: str, replacement: str) -> list[str]:
    """What the check says where the first match of a pattern in a file is replaced; the file is put back."""
    site, judge = forged
    path = site / name
    before = path.read_text(encoding="utf-8")
    after = re.sub(pattern, replacement, before, count=1, flags=re.DOTALL)
    assert after != before, pattern
    try:
        path.write_text(after, encoding="utf-8")
        return judge()
    finally:
        path.write_text(before, encoding="utf-8")


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r'value="88.0" data-cell="mean">88.0', 'value="88.0" data-cell="mean">89.0'),
        (r'value="88.0" data-cell="mean">88.0', 'value="89.0" data-cell="mean">88.0'),
        (r'(data-cell="low">)(\d)', r"\g<1>1\2"),
        (r'(data-cell="rank">)', r"\g<1>1"),
        (r'data-cell="low"', 'data-cell="high"'),
        (r'(data-cell="text_before">)', r"\1 not"),
        (r'(data-cell="token">)[^<]+', r"\1 other"),
        (r'(data-cell="source_token">)[^<]*', r"\1 elsewhere"),
        (r'(data-cell="document_title">)', r"\1Another "),
        (r'<tr data-row="largest/2">.*?</tr>\s*', ""),
        (r'(<tr data-row="largest/1">.*?</tr>)\s*(<tr data-row="largest/2">.*?</tr>)', r"\2\n\1"),
        (r'data-row="largest/1"', 'data-row="largest/2"'),
        (r'(<tr data-row="activation_pct">.*?</tr>)\s*(<tr data-row="\w+">.*?</tr>)', r"\2\n\1"),
        (r'data-question="head_standing" data-run="toy"', 'data-question="head_standing" data-run="toy on code"'),
        (r"<h3 id=\"largest\">The largest", '<h3 id="largest">The smallest'),
        (r"<p>Each bar", "<p>In all 12, each bar"),
        (r"Drawn at random", "Drawn at 5 random"),
        (r'<h1 id="head">L2H1', '<h1 id="head">L2H2'),
        (r"<title>L2H1", "<title>L2H2"),
        (r'content="Attention head L2H1', 'content="Attention head L2H0'),
        (r'<a href="\.\./L2H0/"', '<a href="../L2H2/"'),
        (r'(<tr data-row="1"><td><a href="\.\./)L\dH\d', r"\1L7H0"),
        (r'(<rect[^>]* height=")150.0', r"\g<1>140.0"),
        (r'<rect class="quiet"', "<rect"),
        (r"<rect[^>]*/>", ""),
        (r'(<text[^>]*>)0.5', r"\g<1>0.6"),
        (r"<desc ([^>]*)>Bars", r"<desc \1>No bars"),
        (r"<span data-run-title>Toy on code", "<span data-run-title>Toy on prose"),
        (r"</article>", "<script>alert(1)</script></article>"),
        (r"</article>", '<a href="https://example.org/">more</a></article>'),
        (r"</article>", '<p><b data-cell="x">pruned: 99 %</b></p></article>'),
        (r"</h1>", "</h1><h1>second</h1>"),
        (r"</svg>", "</svg><svg><title>x</title></svg>"),
        (r"</svg>", '<foreignObject></foreignObject></svg>'),
        (r"</svg>", '<rect x="0" y="0" width="624" height="150"/></svg>'),
        (r"</article>", '<video src="https://example.org/"></video></article>'),
        (r'<table data-question="head_standing"', '<table hidden data-question="head_standing"'),
        (r'<table data-question="head_standing"', '<table onclick="x()" data-question="head_standing"'),
        (r'<p class="head-steps"', '<p class="md-hidden"'),
        (r'(<rect[^>]* width=")[^"]*', r"\g<1>90.0"),
        (r'(<text data-tick="\d+" x=")[^"]*', r"\g<1>3.0"),
        (r'(<tr data-row="activation_pct">.*?)<td>', r"\1<td></td><td>"),
        (r"<footer", "<p>13</p><footer"),
        (r'href="[^"]*" class="md-nav__link"', 'href="../../../nowhere/" class="md-nav__link"'),
    ],
)  # fmt: skip
def test_a_changed_page_of_a_head_is_found(forged: tuple[Path, Judge], pattern: str, replacement: str) -> None:
    found = change(forged, PAGE, pattern, replacement)
    assert found
    assert all("L2H1" in text for text in found)


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r'(data-row="L2H1">.*?data-cell="mean">)88.0', r"\g<1>98.0"),
        (r'(<tr data-row="L2H1">.*?</tr>)\s*(<tr data-row="L2H2">.*?</tr>)', r"\2\n\1"),
        (r'<tr data-row="L2H1">.*?</tr>', ""),
        (r'href="L2H1/"', 'href="L2H2/"'),
        (r'(data-row="L2H1">.*?data-cell="label">)[^<]+', r"\1negative"),
        (r'data-column="activation_pct">activation&#95;pct', 'data-column="activation_pct">entropy'),
        (r'data-column="activation_pct"', 'data-column="sink_mass"'),
        (r'(<tr data-row="L2H1">.*?)</tr>', r"\1<td>98 %</td></tr>"),
        (r'(<tr data-row="L2H1">.*?<td>)(<data[^>]*data-cell="layer">2</data>)</td><td>', r"\1</td><td>\2"),
        (r"rank\(\)", "row_number()"),
        (r"<code>toy on code</code>", "<code>toy</code>"),
        (r'data-asked="head_similar"', 'data-asked="head_examples"'),
    ],
)
def test_a_changed_table_of_heads_is_found(forged: tuple[Path, Judge], pattern: str, replacement: str) -> None:
    html = (forged[0] / TABLE).read_text(encoding="utf-8")
    if pattern.startswith("rank"):
        # Code is highlighted: its words stand in elements of their own.
        pattern, replacement = r'<span class="k">with</span>', '<span class="k">without</span>'
    if "activation&#95;pct" in pattern and "activation&#95;pct" not in html:
        pattern = pattern.replace("activation&#95;pct", "activation_pct")
    assert change(forged, TABLE, pattern, replacement)


@pytest.mark.parametrize("added", ["<p>all pruned</p><footer", "<video></video><footer"])
def test_what_is_added_to_the_shell_of_all_heads_alike_is_found(forged: tuple[Path, Judge], added: str) -> None:
    site, judge = forged
    before = {path: path.read_text(encoding="utf-8") for path in sorted(site.glob("heads/toy/L*/index.html"))}
    try:
        for path, text in before.items():
            path.write_text(text.replace("<footer", added, 1), encoding="utf-8")
        assert any("stands around its article, and not around the table" in text for text in judge())
    finally:
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")


def test_pages_that_are_missing_swapped_or_too_many_are_found(forged: tuple[Path, Judge]) -> None:
    site, judge = forged
    here, there = site / PAGE, site / "heads/toy/L2H2/index.html"
    first, second = here.read_bytes(), there.read_bytes()
    here.write_bytes(second)
    there.write_bytes(first)
    wrong = "title, heading or description is not its head's"
    assert {f"heads/toy/{name}/: {wrong}" for name in ("L2H1", "L2H2")} <= set(judge())
    here.unlink()
    there.write_bytes(second)
    assert judge() == ["heads/toy/L2H1/ is missing"]
    here.write_bytes(first)
    shutil.copytree(site / "heads/toy/L2H1", site / "heads/toy/L9H9")
    assert judge() == ["heads/toy/L9H9/ is the page of no head of the file"]
    shutil.rmtree(site / "heads/toy/L9H9")
    assert judge() == []


def test_a_changed_line_of_the_search_index_is_found(forged: tuple[Path, Judge]) -> None:
    index = "search/search_index.json"
    wrong = ["search index: heads/toy/L2H1/ is not entered as its head"]
    assert change(forged, index, "Attention head L2H1 of", "Attention head L2H2 of") == wrong
    assert change(forged, index, r'\{"location": "heads/toy/L2H1/".*?\}, ', "") == wrong


def test_other_questions_in_the_ledger_are_found(forged: tuple[Path, Judge]) -> None:
    assert change(forged, "facts.json", '"question": "head_similar"', '"question": "head_profile"')
    assert change(forged, "facts.json", r'("question": "head_similar", "sha256": ")\w', r"\1x")
    assert change(forged, "facts.json", r'("heads": \{"toy": .*?"run": ")toy', r"\1other")


def test_the_whole_check_finds_a_forgery_whose_hashes_were_made_anew(exemplary: Built, tmp_path: Path) -> None:
    site = Path(shutil.copytree(exemplary.site, tmp_path / "site"))
    page = (site / PAGE).read_text(encoding="utf-8")
    (site / PAGE).write_text(page.replace('data-cell="mean">88.0', 'data-cell="mean">98.0'), encoding="utf-8")
    ledger = json.loads((site / "facts.json").read_text()) | {"files": check.manifest(site)}
    (site / "facts.json").write_text(json.dumps(ledger))
    found = {part: texts for part, texts in check.differences(exemplary.published, site).items() if texts and part not in check.SEAL}
    assert list(found) == ["heads"]
    right, forged = ("mean", "88.0", "88.0"), ("mean", "88.0", "98.0")
    assert found["heads"] == [f"heads/toy/L2H1/: head_standing activation_pct: the page says {forged}, the file {right}"]


def test_a_changed_answer_of_the_file_is_found(exemplary: Built, tmp_path: Path) -> None:
    published = Path(shutil.copy(exemplary.published, tmp_path / "headcount.duckdb"))
    with duckdb.connect(str(published)) as connection:
        connection.execute("update example set relative_norm = 8.915 where layer = 2 and head = 1 and kind = 'largest' and draw = 1")
    with duckdb.connect(str(published), read_only=True) as connection:
        _, recount = check.compare_file(connection, check.fingerprints(connection), check.read_ledger(exemplary.site))
        found = check.compare_site(exemplary.site, recount)["heads"]
    assert found
    assert all(text.startswith("heads/toy/L2H1/: head_examples largest/2") for text in found)
