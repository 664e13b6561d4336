"""The built site: self-contained, inert, complete, and the same every time."""

import csv
import json
import re
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest
from planting import ROOT, add_published_counts, figures_of, write_counters
from selectolax.lexbor import LexborHTMLParser

from report import figures, queries, theme
from report.build import Built, build
from report.check import check, fingerprints
from report.errors import EnvironmentRefusal, UsageRefusal
from report.pages import csv_cell, distinct_slugs, slug
from report.publish import publish

HOSTILE = "</script><img src=x onerror=alert(1)> [x](javascript:alert(2)) {{ 7*7 }} | =1+1"


def pages_of(site: Path) -> list[Path]:
    return sorted(path for path in site.rglob("*.html") if path.name != "404.html")


def test_no_page_loads_anything_from_another_host(built: Built) -> None:
    loads = ("script[src]", "link[rel=stylesheet][href]", "img[src]", "iframe[src]", "link[rel=preconnect][href]")
    for page in built.site.rglob("*.html"):
        tree = LexborHTMLParser(page.read_text(encoding="utf-8"))
        addresses = [node.attributes.get("src") or node.attributes.get("href") or "" for rule in loads for node in tree.css(rule)]
        assert [address for address in addresses if re.match(r"(https?:)?//", address)] == [], page


def test_every_link_and_picture_of_the_site_leads_somewhere(built: Built) -> None:
    broken = []
    for page in pages_of(built.site):
        tree = LexborHTMLParser(page.read_text(encoding="utf-8"))
        addresses = [
            node.attributes.get(name) or ""
            for rule, name in (("a[href]", "href"), ("img[src]", "src"), ("script[src]", "src"))
            for node in tree.css(rule)
        ]
        for address in addresses:
            place, _, anchor = address.partition("#")
            if re.match(r"[a-z]+:", address):
                continue
            target = (page.parent / place).resolve() if place else page
            target = target / "index.html" if target.is_dir() else target
            inside = target.suffix == ".html" and target.is_file()
            if not target.is_file() or (anchor and inside and f'id="{anchor}"' not in target.read_text(encoding="utf-8")):
                broken.append((page.relative_to(built.site).as_posix(), address))
    assert broken == []


def test_the_csv_beside_a_chart_is_the_answer_of_its_query(built: Built) -> None:
    with (built.site / "charts" / "reference" / "published-counts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with duckdb.connect(str(built.published), read_only=True) as connection:
        expected = connection.execute(queries.question("band_counts").sql, {"run_id": "reference", "figure": "reference"}).fetchall()
    assert [(row["range_label"], row["band_label"], int(row["heads"])) for row in rows] == [(row[1], row[5], row[8]) for row in expected]


def test_the_download_is_the_published_file(built: Built) -> None:
    assert (built.site / "data" / "headcount.duckdb").read_bytes() == built.published.read_bytes()


def test_the_chart_has_the_geometry_of_the_reference(built: Built) -> None:
    spec = json.loads((built.site / "charts" / "toy" / "activation.vl.json").read_text())
    bars = spec["layer"][0]["encoding"]
    assert spec["title"] == "toy"
    assert (bars["x"]["title"], bars["y"]["title"]) == ("Layer", "# heads")
    assert bars["x"]["sort"] == ["[0, 2)", "[2, 4)", "[4, 6)", "[6, 8)"]
    assert bars["color"]["scale"]["domain"] == ["[0, 20)", "[20, 40)", "[40, 60)", "[60, 80)", "[80, 100]"]
    assert bars["color"]["scale"]["range"][-1] == theme.PALETTE["green"]
    (green,) = [
        row for row in spec["layer"][0].get("data", spec["data"])["values"] if (row["range"], row["band"]) == ("[0, 2)", "[80, 100]")
    ]
    assert (green["low"], green["high"], green["percent"]) == (0, 4, "66.7 %")


def test_both_schemes_have_a_picture_with_the_same_percentages(built: Built) -> None:
    found = {
        scheme: re.findall(r">(\d+\.\d %)<", (built.site / "charts" / "reference" / f"published-counts-{scheme}.svg").read_text())
        for scheme in ("light", "dark")
    }
    assert found["light"] == found["dark"]
    assert sorted(found["light"]) == sorted(
        ["28.6 %", "42.9 %", "28.6 %", "58.3 %", "25.0 %", "74.1 %", "7.4 %", "18.5 %", "78.9 %", "10.5 %", "10.5 %"]
    )


def test_every_figure_page_has_the_sections_of_the_reference_document(built: Built) -> None:
    wanted = ["Overview", "Components and axes", "Detailed analysis", "Key observations", "Interpretation", "What this chart cannot say"]
    for page in (built.site / "figures").glob("*/*/index.html"):
        headings = [node.text().rstrip("¶").strip() for node in LexborHTMLParser(page.read_text(encoding="utf-8")).css("article h2")]
        assert headings[: len(wanted)] == wanted, page


def test_templates_hold_no_digit_outside_their_code_examples() -> None:
    for template in (ROOT / "report" / "templates").glob("*.j2"):
        text = re.sub(r"```.*?```", "", template.read_text(), flags=re.DOTALL)
        text = re.sub(r'(?m)^#+ .*\{ #.*$|base64|h[1-6]|colspan="2"|tabindex="0"|\.j2|```', "", text)
        assert re.findall(r".*\d.*", text) == [], template.name


def test_two_builds_of_one_file_are_the_same_byte_for_byte_but_for_the_database(
    planted_counters: Path, built: Built, tmp_path: Path
) -> None:
    again = build(planted_counters, tmp_path / "site", tmp_path / "headcount.duckdb")
    one, other = (
        {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}
        for site in (built.site, again.site)
    )
    assert one.keys() == other.keys()
    assert {name for name in one if one[name] != other[name]} <= {"data/headcount.duckdb", "SHA256SUMS"}
    lines = (
        {line for line in site["SHA256SUMS"].decode().splitlines() if not line.endswith("  data/headcount.duckdb")} for site in (one, other)
    )
    assert next(lines) == next(lines)
    with duckdb.connect(str(built.published), read_only=True) as mine, duckdb.connect(str(again.published), read_only=True) as theirs:
        assert fingerprints(mine) == fingerprints(theirs)


def again(small: Built, folder: Path) -> tuple[Path, Path, Path]:
    """A copy of the small site and its file in a folder, and the figures that it was made with: what a build of the same is given."""
    site = Path(shutil.copytree(small.site, folder / "site"))
    return site, Path(shutil.copy(small.published, folder / "headcount.duckdb")), figures_of(folder)


def test_a_second_build_of_the_same_inputs_only_checks(planted_counters: Path, small: Built, tmp_path: Path) -> None:
    paths = again(small, tmp_path)
    assert not build(planted_counters, *paths).fresh
    (tmp_path / "site" / "index.html").write_text('<data value="1" data-fact="none">1</data>')
    assert build(planted_counters, *paths).fresh


def test_a_band_edge_in_a_figure_file_changes_bars_labels_and_text(planted_counters: Path, tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    text = (ROOT / "report" / "figures" / "activation.toml").read_text()
    (folder / "activation.toml").write_text(text.replace("[0, 20, 40, 60, 80, 100]", "[0, 20, 40, 60, 89, 100]"))
    made = build(planted_counters, tmp_path / "site", tmp_path / "headcount.duckdb", folder)
    page = LexborHTMLParser((made.site / "figures" / "toy" / "activation" / "index.html").read_text(encoding="utf-8"))
    assert "[89, 100]" in page.css_first(".finding").text()
    assert "[80, 100]" not in page.css_first("article").text()


def test_hostile_names_and_texts_are_inert(tmp_path: Path) -> None:
    counters = write_counters(tmp_path / "c.duckdb", np.full((4, 6), 50), title=HOSTILE)
    add_published_counts(counters)
    with duckdb.connect(str(counters)) as connection:
        connection.execute("update worked_token set token = $1, text_before = $1, text_after = $1", [HOSTILE])
        connection.execute("update run set corpus = $1, model = $1, hardware = $1, source = $1", [HOSTILE])
        connection.execute("update published_count set title = $1, source = $1", [HOSTILE])
        connection.execute("update measure set definition = $1, title = $1, source = $1", [HOSTILE])
    made = build(counters, tmp_path / "site", tmp_path / "headcount.duckdb")
    for page in pages_of(made.site):
        tree = LexborHTMLParser(page.read_text(encoding="utf-8"))
        assert [node for node in tree.css("img") if node.attributes.get("src") == "x"] == [], page
        assert [node for node in tree.css("a[href]") if (node.attributes.get("href") or "").startswith("javascript:")] == [], page
        assert "{{" not in "".join(script.text() for script in tree.css("script")), page
        assert "49" not in tree.css_first("h1").text(), page


def test_cells_that_a_spreadsheet_takes_for_formulas_are_quoted_and_numbers_are_not() -> None:
    assert csv_cell("=1+1") == '"\'=1+1"'
    assert csv_cell("@x") == '"\'@x"'
    assert csv_cell(-3) == "-3"
    assert csv_cell('a "b"') == '"a ""b"""'


def test_names_become_addresses_and_stay_apart() -> None:
    assert slug("GPT-2 xl") == "gpt-2-xl"
    assert slug("../../etc") != slug("etc")
    assert re.fullmatch(r"[a-z0-9-]+", slug("模型 1"))
    assert slug("模型 1") != slug("模型 2")
    assert len(slug("x" * 300)) < 80


def test_runs_whose_names_fall_together_keep_their_own_pages() -> None:
    assert len(set(distinct_slugs(["Toy", "toy", "TOY", "to-y"]).values())) == 4


def test_two_runs_in_one_file_get_pages_of_their_own(tmp_path: Path) -> None:
    counters = write_counters(tmp_path / "c.duckdb", np.full((4, 6), 90), run_id="a")
    write_counters(counters, np.full((4, 6), 10), run_id="A")
    made = build(counters, tmp_path / "site", tmp_path / "headcount.duckdb", figures_of(tmp_path))
    texts = {path.parent.parent.name: path.read_text(encoding="utf-8") for path in (made.site / "figures").glob("*/activation/index.html")}
    assert len(texts) == 2
    assert sorted("Most heads fall in the busiest band" in text for text in texts.values()) == [False, True]


def test_a_folder_that_is_no_site_is_never_replaced(planted_counters: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(EnvironmentRefusal, match="holds something else than a site"):
        build(planted_counters, precious, tmp_path / "headcount.duckdb")
    assert (precious / "thesis.txt").read_text() == "years of work"


def test_the_counters_are_never_the_published_file(counters: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageRefusal, match="would replace the counters"):
        build(counters, tmp_path / "site", counters)


def test_a_site_can_be_built_from_a_published_file(small: Built, tmp_path: Path) -> None:
    again = build(small.published, tmp_path / "site", tmp_path / "headcount.duckdb", figures_of(tmp_path))
    with duckdb.connect(str(small.published), read_only=True) as one, duckdb.connect(str(again.published), read_only=True) as other:
        for table in ("band_counts", "head_measure", "figure", "test_result"):
            assert one.execute(f"from {table} order by all").fetchall() == other.execute(f"from {table} order by all").fetchall()


def test_what_an_earlier_report_added_is_not_in_the_bytes_of_a_new_one(planted_counters: Path, tmp_path: Path) -> None:
    folder, early, late = tmp_path / "figures", tmp_path / "early.duckdb", tmp_path / "late.duckdb"
    folder.mkdir()
    text = (ROOT / "report" / "figures" / "activation.toml").read_text()
    (folder / "activation.toml").write_text(text.replace('title = "Activation"', 'title = "A title that was taken back"'))
    publish(planted_counters, early, figures.load(folder))
    publish(early, late, figures.load())
    assert b"A title that was taken back" in early.read_bytes()
    assert b"taken back" not in late.read_bytes()


def test_a_spoilt_ledger_or_file_is_mended_by_building_again(planted_counters: Path, small: Built, tmp_path: Path) -> None:
    paths = again(small, tmp_path)
    (tmp_path / "site" / "facts.json").write_text("{")
    (tmp_path / "headcount.duckdb").write_bytes(b"short")
    assert build(planted_counters, *paths).fresh
    assert check(tmp_path / "headcount.duckdb", tmp_path / "site") == []


BANNED = (
    "causes",
    "learns",
    "responsible for",
    "captures",
    "decides",
    "focuses on",
    "useless",
    "inactive",
    "dispensable",
    "used by the rest",
)


def test_no_generated_text_speaks_of_causes_or_functions(built: Built) -> None:
    for page in pages_of(built.site):
        parsed = LexborHTMLParser(page.read_text(encoding="utf-8"))
        # The price of the threshold decides on two of these words, and says so in its own claim alone.
        for node in parsed.css('[data-claim$="/price"]'):
            node.decompose()
        spoken = " ".join(node.text() for node in parsed.css("[data-generated]")).lower()
        assert [word for word in BANNED if word in spoken] == [], page


def test_a_failed_build_leaves_the_last_good_site(built: Built, planted_counters: Path, tmp_path: Path) -> None:
    site = Path(shutil.copytree(built.site, tmp_path / "site"))
    shutil.copyfile(built.published, tmp_path / "headcount.duckdb")
    before = (site / "index.html").read_bytes()
    broken = tmp_path / "figures"
    broken.mkdir()
    (broken / "mine.toml").write_text(
        (ROOT / "report" / "figures" / "activation.toml").read_text().replace("threshold = 0.5", "threshold = 0.51")
    )
    with pytest.raises(Exception, match="not a stored edge"):
        build(planted_counters, site, tmp_path / "headcount.duckdb", broken)
    assert (site / "index.html").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures", "headcount.duckdb", "site"]


def test_an_output_that_is_something_else_is_refused_before_any_work(planted_counters: Path, tmp_path: Path) -> None:
    (tmp_path / "site").write_text("a file")
    with pytest.raises(EnvironmentRefusal, match="is a file already"):
        build(planted_counters, tmp_path / "site", tmp_path / "headcount.duckdb")
    (tmp_path / "folder.duckdb").mkdir()
    with pytest.raises(EnvironmentRefusal, match="is a folder already"):
        build(planted_counters, tmp_path / "new", tmp_path / "folder.duckdb")
    (tmp_path / "wall").write_text("a file")
    with pytest.raises(EnvironmentRefusal, match="cannot write here"):
        build(planted_counters, tmp_path / "wall" / "site", tmp_path / "headcount.duckdb")


def test_nothing_of_this_machine_is_published(built: Built) -> None:
    home, here = str(Path.home()), str(ROOT)
    for path in built.site.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert here.encode() not in content, path
            assert len(home) < 3 or f"{home}/".encode() not in content, path


def test_every_figure_of_the_folder_is_on_the_site(built: Built) -> None:
    made = {path.parent.relative_to(built.site / "figures").as_posix() for path in (built.site / "figures").glob("*/*/index.html")}
    assert made == {f"toy/{slug(figure.id)}" for figure in figures.load()} | {"reference/published-counts"}
