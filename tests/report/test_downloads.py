"""Every download of a built site is read again and compared with the database; what describes downloads is held to its rules."""

import csv
import functools
import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from planting import ROOT

from report import __version__, check, database
from report.build import Built
from report.check import page, twins, words
from report.check.package import compare_download_checksum
from report.downloads import checksums, measures, plain_text
from report.downloads.answers import FILES, script
from report.downloads.tables import LARGEST_CSV, csv_of
from report.queries import question

Spoil = Callable[[str, Callable[[Path], None]], list[str]]
LIST = "downloads/index.html"
MARKDOWN = "figures/toy/activation/index.md"


def charts_of(site: Path) -> list[str]:
    return sorted(path.relative_to(site).as_posix().removesuffix(".vl.json") for path in (site / "charts").rglob("*.vl.json"))


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def in_words(rows: list[tuple]) -> list[list[str]]:
    """Values as a CSV reader gives them; no planted text begins as a formula does."""
    return [["" if value is None else str(value) for value in row] for row in rows]


def test_the_sql_beside_a_chart_gives_its_csv_and_its_parquet_on_the_downloaded_file(built: Built) -> None:
    names = charts_of(built.site)
    assert "charts/toy/activation" in names
    assert "charts/price/toy" in names
    for name in names:
        # A connection of its own: as the command line does, with nothing set before.
        with duckdb.connect(str(built.site / "data" / "headcount.duckdb"), read_only=True) as connection:
            answer = connection.execute((built.site / f"{name}.sql").read_text(encoding="utf-8"))
            columns, rows = [column[0] for column in answer.description], answer.fetchall()
        assert rows, name
        assert read_csv(built.site / f"{name}.csv") == [columns, *in_words(rows)], name
        table = pq.read_table(built.site / f"{name}.parquet")
        assert (table.column_names, [tuple(row.values()) for row in table.to_pylist()]) == (columns, rows), name


def test_the_bars_of_a_specification_are_the_rows_of_its_parquet(built: Built) -> None:
    bars = json.loads((built.site / "charts" / "toy" / "activation.vl.json").read_text())["data"]["values"]
    rows = pq.read_table(built.site / "charts" / "toy" / "activation.parquet").to_pylist()
    assert {(bar["range"], bar["band"], bar["heads"]) for bar in bars} == {
        (row["range_label"], row["band_label"], str(row["heads"])) for row in rows
    }


def test_every_public_table_is_a_file_that_holds_what_the_file_holds(built: Built) -> None:
    with duckdb.connect(str(built.published), read_only=True) as connection:
        views = {name for (name,) in connection.execute("select view_name from duckdb_views() where not internal").fetchall()}
        offered = {path.stem for path in (built.site / "data").glob("*.parquet")}
        assert views - offered == {"shard_total"}
        for name in offered:
            rows = connection.execute(f"from {name} order by all").fetchall()
            table = pq.read_table(built.site / "data" / f"{name}.parquet")
            assert [tuple(row.values()) for row in table.to_pylist()] == rows, name
            assert read_csv(built.site / "data" / f"{name}.csv")[1:] == in_words(rows), name


def test_parquet_has_the_types_of_the_database(built: Built) -> None:
    kinds = {field.name: str(field.type) for field in pq.read_schema(built.site / "data" / "head_label.parquet")}
    assert (kinds["run_id"], kinds["layer"], kinds["excess"], kinds["is_sink"]) == ("string", "int32", "double", "bool")
    assert str(pq.read_schema(built.site / "data" / "runs.parquet").field("measured_on").type) == "date32[day]"


def test_text_in_a_table_is_no_formula_and_numbers_are_untouched() -> None:
    text = csv_of(pa.table({"name": ["=1+1", "plain", None], "value": [-3.5, 2.0, None]}))
    assert text.splitlines() == ["name,value", '"\'=1+1",-3.5', '"plain",2.0', ","]


def test_a_hostile_parameter_stays_a_text_in_the_sql_of_a_chart() -> None:
    name = "it's; drop table run; -- $figure"
    with duckdb.connect() as connection:
        connection.execute(script(question("band_counts"), {"run_id": name, "figure": "x"}).partition("-- question")[0])
        assert connection.execute("select getvariable('run_id')").fetchall() == [(name,)]


def test_sha256sum_finds_every_file_as_it_was_built(built: Built, tmp_path: Path) -> None:
    found = subprocess.run(["sha256sum", "-c", "--quiet", checksums.NAME], cwd=built.site, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    listed = {line.partition("  ")[2] for line in (built.site / checksums.NAME).read_text().splitlines()}
    there = {path.relative_to(built.site).as_posix() for path in built.site.rglob("*") if path.is_file()}
    assert there - listed == {checksums.NAME}
    site = Path(shutil.copytree(built.site, tmp_path / "site"))
    with (site / "data" / "headcount.duckdb").open("ab") as file:
        file.write(b"x")
    spoilt = subprocess.run(["sha256sum", "-c", "--quiet", checksums.NAME], cwd=site, capture_output=True, text=True, check=False)
    assert spoilt.stdout == "data/headcount.duckdb: FAILED\n"


def test_the_data_package_describes_every_table_as_it_lies_there(built: Built) -> None:
    package = json.loads((built.site / "datapackage.json").read_text())
    assert package["$schema"].startswith("https://datapackage.org/profiles/2")
    assert [licence["name"] for licence in package["licenses"]] == ["Apache-2.0"]
    by_path = {resource["path"]: resource for resource in package["resources"]}
    assert len({resource["name"] for resource in package["resources"]}) == len(by_path) == len(package["resources"])
    whole = by_path.pop("data/headcount.duckdb")
    assert not {"bytes", "hash"} & whole.keys()
    assert [licence["title"] for licence in whole["licenses"]] == ["Apache License 2.0", "CC0"]
    for path, resource in by_path.items():
        file = built.site / path
        assert re.fullmatch(r"[-a-z0-9._]+", resource["name"])
        assert resource["bytes"] == file.stat().st_size
        assert resource["hash"] == f"sha256:{checksums.digest(file)}"
        names = read_csv(file)[0] if file.suffix == ".csv" else pq.read_schema(file).names
        assert [field["name"] for field in resource["schema"]["fields"]] == names
        if file.parent.name == "data":
            assert all(field["description"] for field in resource["schema"]["fields"]), path
    assert {field["type"] for resource in by_path.values() for field in resource["schema"]["fields"]} == {
        "string", "integer", "number", "boolean", "date"}  # fmt: skip


def test_the_citation_file_follows_the_rules_of_its_format(built: Built) -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert (built.site / "CITATION.cff").read_text(encoding="utf-8") == text
    cited = yaml.safe_load(text)
    required = {"cff-version", "message", "title", "authors"}
    optional = "abstract commit contact date-released doi identifiers keywords license license-url preferred-citation references "
    optional += "repository repository-artifact repository-code type url version"
    assert required <= cited.keys() <= required | set(optional.split())
    assert (cited["cff-version"], cited["type"], cited["license"]) == ("1.2.0", "software", "Apache-2.0")
    assert cited["version"] == __version__
    # An entity has a name alone; a person would have family and given names.
    assert cited["authors"] == [{"name": "The Headcount authors"}]
    assert all(isinstance(cited[name], str) for name in cited if name != "authors")


def test_llms_txt_has_the_form_of_its_proposal_and_leads_to_the_markdown_of_every_page(built: Built) -> None:
    lines = (built.site / "llms.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# Headcount"
    assert lines[2].startswith("> ")
    entries = [re.fullmatch(r"- \[(.+?)\]\(([^()]+)\)(: .+)?", line) for line in lines[3:] if line and not line.startswith("## ")]
    assert all(entries)
    targets = [entry.group(2) for entry in entries if entry]
    pages = {path.relative_to(built.site).as_posix() for path in built.site.rglob("index.html")}
    # The pages of single heads are as many as heads, and cells of answers that are downloads themselves.
    pages = {page for page in pages if not re.fullmatch(r"heads/[^/]+/[^/]+/index\.html", page)}
    assert {target for target in targets if target.endswith(".md")} == {name.replace(".html", ".md") for name in pages}
    assert all((built.site / target).is_file() for target in targets)


def test_the_markdown_of_a_page_is_text_without_tags_and_with_its_numbers(built: Built) -> None:
    text = (built.site / "figures" / "toy" / "activation" / "index.md").read_text(encoding="utf-8")
    assert text.startswith("# toy: Activation\n")
    assert "Of 24 heads, 11 (45.8 %) fall in [80, 100], the busiest band" in text
    assert "| [0, 2) | 6 | [80, 100] | 4 | 66.7 % |" in text
    assert (
        "[more on the reference figure](../../../reference/index.md)"
        in (built.site / "figures/reference/published-counts/index.md").read_text()
    )
    for path in built.site.rglob("index.md"):
        plain = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert re.findall(r"<[a-zA-Z/][^>]*>", plain) == [], path


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>[x](javascript:alert(1)) `y` &lt;img src=x&gt;</p>", "[x\\](javascript:alert(1)) \\`y\\` &lt;img src=x>"),
        # A backslash of the text's own takes none of the escapes away.
        (
            "<p>[x\\](javascript:alert(1)) a\\&lt;img src=x&gt; \\`y\\` &amp;lt;b</p>",
            r"[x\\\](javascript:alert(1)) a\\&lt;img src=x> \\\`y\\\` &amp;lt;b",
        ),
        ("<p><img src='a.svg' alt='a [b] \\] &lt;i&gt;'></p>", r"![a \[b\] \\\] &lt;i>](a.svg)"),
        ("<p>a <a class='fact' href='#query-x'><data>−3</data></a> <strong>b</strong></p>", "a −3 **b**"),
        ("<ul><li>one<ul><li>two</li></ul></li></ul>", "- one\n\n  - two"),
        ("<table><tr><th>A|B</th></tr><tr><td>1</td></tr></table>", "| A\\|B |\n|---|\n| 1 |"),
        ("<div class='language-sql'><pre><code>a\n  `b`</code></pre></div>", "```sql\na\n  `b`\n```"),
        ("<details><summary>More</summary><p>text</p></details>", "**More**\n\ntext"),
        ("<template>hidden</template><p>seen</p><script>x</script>", "seen"),
    ],
)
def test_a_piece_of_a_page_becomes_markdown(page: str, text: str, tmp_path: Path) -> None:
    tree = plain_text.LexborHTMLParser(f"<article>{page}</article>")
    assert plain_text.Writer(tmp_path).page(tree) == f"{text}\n"


@pytest.mark.parametrize("text", [r"[x\](javascript:alert(1))", r"[x](y) \\](z)", r"a\<b>c\`d`e", "&lt;i&gt; &amp; <script>", r"![x\](y)"])
def test_the_check_reads_the_text_that_was_written_and_no_link_in_it(text: str, tmp_path: Path) -> None:
    article = f"<article><p>{html.escape(text)}</p></article>"
    letters, links, pictures = twins.read(plain_text.Writer(tmp_path).page(plain_text.LexborHTMLParser(article)))
    assert (letters, links, pictures) == (twins.letters_of(article), [], [])


def test_every_chart_offers_all_its_files_with_their_sizes(built: Built) -> None:
    page = (built.site / "price" / "index.html").read_text(encoding="utf-8")
    for label, ending in FILES:
        size = (built.site / f"charts/price/toy{ending}").stat().st_size
        found = re.search(rf'<a href="\.\./charts/price/toy{re.escape(ending)}" download>{label}</a> <data value="(\d+)"', page)
        assert found and int(found.group(1)) == size
    assert all(f'"{path}"' in page for path in ("../data/headcount.duckdb",))


def test_sizes_are_written_in_the_unit_that_suits_them() -> None:
    assert [measures.size(count) for count in (0, 999, 1_000, 45_887_488)] == ["0 bytes", "999 bytes", "1.0 kB", "45.9 MB"]
    assert LARGEST_CSV == 5_000_000


@pytest.fixture(scope="module")
def spoilt(small: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoil]:
    """Gives what the check says of a site in which one file was changed – but for the hashes of facts.json, which whoever spoilt the file
    could have made anew."""
    site = Path(shutil.copytree(small.site, tmp_path_factory.mktemp("spoilt") / "site"))
    with pytest.MonkeyPatch.context() as patch, database.read(small.published) as connection:
        patch.setattr(page, "parse", functools.cache(page.parse))
        patch.setattr(words, "sections", functools.cache(words.sections))
        _, recount = check.compare_file(connection, {}, check.read_ledger(site))

        def differences(name: str, change: Callable[[Path], None]) -> list[str]:
            before = (site / name).read_bytes()
            try:
                change(site / name)
                found = check.compare_site(site, recount) | {"download": compare_download_checksum(site, small.published)}
                return [text for part, texts in found.items() if part != "files" for text in texts]
            finally:
                (site / name).write_bytes(before)

        yield differences


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    changed = re.sub(before, after, text, count=1)
    assert changed != text
    path.write_text(changed, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        (LIST, r'(<data value=")\d+("[^>]*toy/activation\.csv" data-measure="bytes">)[^<]*', r"\g<1>1600\g<2>1.6 kB", "has not 1600 bytes"),
        (LIST, r'("[^>]*toy/activation\.csv" data-measure="bytes">)[^<]*', r"\g<1>9.9 kB", "is not written 9.9 kB"),
        (LIST, r'(<data value=")\d+("[^>]*toy/activation\.csv" data-measure="rows">)[^<]*', r"\g<1>21\g<2>21", "has not 21 rows"),
        (LIST, r'(toy/activation\.csv" data-measure="sha256">)[^<]*', r"\g<1>abcdefabcdef", "is not written abcdefabcdef"),
        (LIST, r'(<data value=")\w+("[^>]*toy/activation\.csv" data-measure="sha256">)[^<]*', r"\g<1>ab\g<2>ab", "is another"),
        (LIST, r'href="\.\./data/band\.csv"', 'href="../data/heads.csv"', "stands beside data/band.csv"),
        ("price/index.html", r'href="\.\./charts/price/toy\.sql"', 'href="../charts/toy/activation.sql"', "“SQL” leads to"),
        ("price/index.html", r"<li><a href=\"\.\./charts/price/toy\.parquet\".*?</li>", "", "has not each of its downloads once: Parquet"),
        ("charts/toy/activation.sql", "figure = 'activation'", "figure = 'entropy'", "the SQL file does not ask for its answer"),
        ("charts/toy/activation.sql", r"100 \* share", "99 * share", "the SQL file does not ask for its answer"),
        ("data/head_measure.csv", r"toy\"?,0,0", "toy,0,1", "data/head_measure.csv is not the table of the published file"),
        (MARKDOWN, r"11 \(45", "12 (45", "does not read as its page"),
        (MARKDOWN, r"\((?:\.\./)+charts/toy/activation\.csv\)", "(../x.csv)", "has not the links of its page"),
        # A backslash that stands for itself keeps no bracket shut.
        (MARKDOWN, r"11 \(45", r"[11\\\\](https://example.org) (45", "has not the links of its page"),
        (MARKDOWN, r"!\[No", "![One", "has not the pictures of its page"),
        ("llms.txt", r"- \[Method\].*\n", "", "not one line of method/index.md"),
        ("datapackage.json", '"type": "number"', '"type": "integer"', "its columns are others"),
        ("datapackage.json", '"version": "[^"]*"', '"version": "9"', "its title, version, sources or licences are others"),
        ("datapackage.json", '"title": "CC0"', '"title": "CC-BY"', "is under another licence"),
        ("datapackage.json", r'"bytes": \d+', '"bytes": 1', "the size or checksum of"),
        ("SHA256SUMS", r"(?m)^[0-9a-f]{64}(?=  data/headcount.duckdb)", "0" * 64, "the checksum of data/headcount.duckdb is another"),
        ("SHA256SUMS", r"(?m)^[0-9a-f]{64}(?=  index.html)", "0" * 64, "the checksum of index.html is another"),
    ],
)  # fmt: skip
def test_a_changed_download_or_word_about_one_is_told(spoilt: Spoil, name: str, before: str, after: str, told: str) -> None:
    found = spoilt(name, lambda path: edit(path, before, after))
    assert any(told in text for text in found), found


def test_a_parquet_file_with_another_value_type_or_row_is_told(small: Built, spoilt: Spoil) -> None:
    name = "data/head_measure.parquet"
    table = pq.read_table(small.site / name)
    place, layers = table.column_names.index("layer"), table["layer"].to_pylist()
    other_type = table.set_column(place, "layer", table["layer"].cast(pa.int64()))
    other_value = table.set_column(place, "layer", pa.array([9, *layers[1:]], pa.int32()))
    for changed in (table.slice(1), other_type, other_value, table.select(table.column_names[:-1])):
        assert f"{name} does not hold its answer" in spoilt(name, functools.partial(pq.write_table, changed))
    assert f"{name} is missing or cannot be read" in spoilt(name, lambda path: path.write_bytes(b"PAR1") and None)


def test_a_table_that_is_not_offered_and_a_file_that_is_not_listed_are_told(small: Built, tmp_path: Path) -> None:
    site = Path(shutil.copytree(small.site, tmp_path / "site"))
    (site / "data" / "heads.parquet").rename(site / "data" / "secret.parquet")
    told = check.check(small.published, site)
    assert "data/heads.parquet is missing" in told
    assert "data/secret.parquet is no table of the published file" in told
    assert f"{LIST}: no bytes of data/secret.parquet" in told
