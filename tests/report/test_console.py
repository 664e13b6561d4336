"""The SQL console in a real browser, under the Content-Security-Policy it asks for and below a path of its own: it answers as DuckDB does,
changes nothing, asks nobody, and is no part of any other page."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import duckdb
import pytest
from browsing import Watched, fetch_console_engine, needs_browser, visiting
from planting import ROOT, figures_of
from playwright.sync_api import Browser, Page, Route, expect
from serving import serving

from report import console, console_files
from report.build import Built, Options, build
from report.check import read_ledger
from report.check.console import compare_console
from report.check.page import read_page
from report.errors import EnvironmentRefusal

FIRST = 90_000
# It starts an engine of forty megabytes again and again; make publish-check runs it.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(planted_counters: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A small site with a console."""
    fetch_console_engine()
    folder = tmp_path_factory.mktemp("console")
    return build(planted_counters, folder / "site", folder / "headcount.duckdb", figures_of(folder), Options(console=True))


@pytest.fixture(scope="module")
def address(site: Built) -> Iterator[str]:
    """The site below a path of its host, with its own headers – on the worker's script too, which takes its own."""
    with serving(site.site, "/site/") as found:
        yield found


@pytest.fixture(scope="module")
def visitor(browser: Browser, address: str) -> Iterator[Watched]:
    """A visitor of the console whose engine is open."""
    with visiting(browser, address) as made:
        made.page.goto(f"{address}console/")
        run(made.page, "select 1 as one")
        yield made


def run(page: Page, sql: str) -> None:
    """Type a query, run it with the keyboard, and wait until it has ended."""
    page.locator("#console-query").fill(sql)
    page.keyboard.press("Control+Enter")
    ended(page)


def ended(page: Page) -> None:
    page.locator(".console-table, .console-error pre").first.wait_for(timeout=FIRST)


def engine_ended(page: Page) -> None:
    """Wait until the engine's worker is gone: the theme tells of the new page, and the browser of a worker's end, once it is shown."""
    for _ in range(100):
        if not any("duckdb" in worker.url for worker in page.workers):
            return
        page.wait_for_timeout(100)
    raise AssertionError("the engine still runs ten seconds after its page was left")


def rows(page: Page) -> list[list[str]]:
    return page.eval_on_selector_all(".console-table tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))")  # type: ignore[no-any-return]


def error(page: Page) -> str:
    return page.locator(".console-error pre").inner_text()


def same(here: str, there: str) -> bool:
    """The same text, or the same number but for the order in which it was summed."""
    try:
        return float(here) == pytest.approx(float(there), rel=1e-9, abs=1e-12)
    except ValueError:
        return here == there


def test_every_example_runs_and_most_have_rows(site: Built) -> None:
    with duckdb.connect(str(site.published), read_only=True) as connection:
        found = [len(connection.execute(console.typed(example)).fetchall()) for example in console.examples()]
    assert sum(count > 0 for count in found) >= 6, found


@needs_browser
def test_every_example_gives_the_rows_that_duckdb_gives(visitor: Watched, site: Built) -> None:
    page = visitor.page
    links = page.get_by_role("navigation", name="Example queries").get_by_role("link")
    assert links.count() == len(console.examples())
    with duckdb.connect(str(site.published), read_only=True) as connection:
        for number, example in enumerate(console.examples()):
            sql = console.typed(example)
            asked = f"select columns(*)::varchar from (\n{sql}\n)"
            expected = [["null" if value is None else value for value in row] for row in connection.execute(asked).fetchall()]
            links.nth(number).click()
            expect(page.locator("[role=status]")).to_contain_text(f"{len(expected):,} row", timeout=FIRST)
            shown = rows(page)
            assert len(shown) == min(len(expected), 500), example.id
            for here, there in zip(shown, expected, strict=False):
                assert all(map(same, here, there)), (example.id, here, there)
            assert unquote(page.url.partition("#q=")[2]) == sql
    assert visitor.complaints == []


@needs_browser
def test_every_view_and_table_of_the_file_can_be_read_in_the_browser(visitor: Watched, site: Built) -> None:
    with duckdb.connect(str(site.published), read_only=True) as connection:
        names = [name for (name,) in connection.execute(
            "select view_name from duckdb_views() where not internal union all select table_name from duckdb_tables() order by all"
        ).fetchall()]  # fmt: skip
        # Whole rows as text: a count alone would leave most of a view unread.
        sql = " union all ".join(f"select '{name}', count(*), count(nullif(whole::varchar, '')) from {name} as whole" for name in names)
        expected = [list(map(str, row)) for row in connection.execute(sql).fetchall()]
    run(visitor.page, sql)
    assert rows(visitor.page) == expected


@needs_browser
def test_a_link_with_a_query_runs_it_and_the_table_shows_five_hundred_rows(watched: Watched) -> None:
    sql = "select i, i % 7 as rest from range(1234) as t(i) -- the rest"
    page = watched.page
    page.goto(f"{watched.address}console/#q={quote(sql)}")
    ended(page)
    assert page.locator("#console-query").input_value() == sql
    assert "1,234 rows; the table shows the first 500" in page.get_by_role("status").first.inner_text()
    assert rows(page)[499] == ["499", "2"]


@needs_browser
@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("selec 1", "Parser Error"),
        ("from band_count", "Did you mean"),
        ("delete from run", "read-only"),
        ("create table x as select 1", "read-only"),
        ("update run set title = 'x'", "read-only"),
        ("select * from read_csv('/etc/passwd')", "disabled"),
        ("select * from read_text('/proc/self/environ')", "disabled"),
        ("select * from read_csv('https://example.com/a.csv')", "disabled"),
        ("select * from 'http://127.0.0.1:1/a.parquet'", "does not exist"),
        ("attach 'other.duckdb'", "disabled"),
        ("copy (select 1) to 'x.csv'", "disabled"),
        ("load httpfs", "disabled"),
        ("set enable_external_access = true", "locked"),
        ("reset lock_configuration", "locked"),
    ],
)
def test_what_is_wrong_or_not_allowed_is_said_and_the_focus_stays(visitor: Watched, sql: str, said: str) -> None:
    page = visitor.page
    run(page, sql)
    assert said in error(page)
    assert page.locator(".console-error[role=alert] p").inner_text() != ""
    assert page.evaluate("document.activeElement.id") == "console-query"
    run(page, "select count(*) from band_counts")
    assert int(rows(page)[0][0]) > 0
    assert visitor.complaints == []


@needs_browser
def test_what_is_no_subquery_runs_too(visitor: Watched) -> None:
    run(visitor.page, "explain select 42 as answer;")
    assert "PROJECTION" in rows(visitor.page)[0][1]
    run(visitor.page, "create temp table mine as select 3 as a; select a + 1 as b from mine;")
    assert rows(visitor.page) == [["4"]]


@needs_browser
def test_values_are_text_and_formulas_are_none_in_the_csv(visitor: Watched) -> None:
    page = visitor.page
    run(page, "select '<img src=x onerror=alert(1)>' as \"<b>a</b>\", '=1+1' as f, -5 as n, null as nothing, 'say \"hi\"' as q, -1.5 as d")
    assert page.locator(".console-table img, .console-table b").count() == 0
    assert rows(page) == [["<img src=x onerror=alert(1)>", "=1+1", "-5", "null", 'say "hi"', "-1.5"]]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert text == '"<b>a</b>","f","n","nothing","q","d"\n"<img src=x onerror=alert(1)>","\'=1+1",-5,,"say ""hi""",-1.5\n'
    assert visitor.complaints == []


@needs_browser
@pytest.mark.parametrize(
    ("sql", "marks"),
    [
        ("from (values ('a', 1), ('b', 2)) as t(name, n)", (".mark-rect path", 2)),
        ("from (values ('a', 1), ('a', 2), ('b', 3)) as t(name, n)", (".mark-symbol path", 3)),
        ("from (values (1, 1.5), (2, 2.5)) as t(x, y)", (".mark-symbol path", 2)),
        ("from (values (1, 1.5, 2), (2, 2.5, 3)) as t(x, y, z)", None),
        ("from (values ('a', 'b'), ('c', 'd')) as t(x, y)", None),
    ],
)
def test_two_columns_with_a_number_can_be_drawn(visitor: Watched, sql: str, marks: tuple[str, int] | None) -> None:
    page = visitor.page
    run(page, sql)
    button = page.get_by_role("button", name="Draw a chart")
    assert button.count() == (marks is not None)
    if marks:
        button.click()
        expect(page.locator(f".console-chart svg {marks[0]}:visible")).to_have_count(marks[1])
    assert visitor.complaints == []


@needs_browser
def test_a_query_that_runs_too_long_is_cancelled_and_the_next_one_runs(visitor: Watched) -> None:
    page = visitor.page
    page.locator("#console-query").fill("select sum(a.range * b.range) from range(1000000) as a, range(1000000) as b")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("button", name="Cancel").click()
    assert page.get_by_role("status").first.inner_text() == "Cancelled."
    assert page.evaluate("document.activeElement.id") == "console-query"
    run(page, "select 2 as two")
    assert rows(page) == [["2"]]
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


@needs_browser
def test_only_a_query_loads_the_engine_and_a_reader_may_leave_and_come_back(watched: Watched, site: Built) -> None:
    page, address = watched.page, watched.address
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(address)))
    own = re.compile(r"assets/duckdb/|assets/console|data/headcount")
    for path in sorted(site.site.rglob("index.html")):
        place = path.parent.relative_to(site.site).as_posix().removeprefix(".")
        if place != "console":
            page.goto(f"{address}{place}/" if place else address)
    assert [url for url in asked if own.search(url)] == []
    page.goto(f"{address}data/")
    page.get_by_role("link", name="SQL console").first.click()
    page.locator("#console-query").wait_for()
    assert [url for url in asked if own.search(url)] == ["assets/console.js"]
    for number in ("3", "4"):
        run(page, f"select {number} as n")
        assert rows(page) == [[number]]
        assert any("duckdb" in worker.url for worker in page.workers)
        page.locator(".md-tabs__link", has_text="Figures").click()
        page.wait_for_url("**/figures/")
        expect(page.locator("#console-query")).to_have_count(0)
        engine_ended(page)
        page.goto(f"{address}console/")


@needs_browser
def test_an_engine_still_on_its_way_is_not_opened_for_a_reader_who_left(watched: Watched) -> None:
    page = watched.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    held: list[Route] = []
    page.route("**/console-engine.js", lambda route: held.append(route))
    page.goto(f"{watched.address}console/")
    page.locator("#console-query").fill("select 1 as one")
    with page.expect_request("**/console-engine.js"):
        page.keyboard.press("Control+Enter")
    page.locator(".md-tabs__link", has_text="Figures").click()
    page.wait_for_url("**/figures/")
    expect(page.locator("#console-query")).to_have_count(0)
    page.wait_for_timeout(500)
    with page.expect_response("**/console-engine.js"):
        held[0].continue_()
    page.wait_for_timeout(1000)
    assert [url for url in asked if "duckdb/" in url] == []


@needs_browser
@pytest.mark.parametrize("watched", [{"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}], indirect=True, ids=["narrow"])
def test_the_page_fits_a_telephone(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.address}console/")
    run(page, "from runs")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")


@needs_browser
@pytest.mark.parametrize("watched", [{"java_script_enabled": False}], indirect=True, ids=["without-javascript"])
def test_without_javascript_the_page_says_what_it_needs_and_shows_its_examples(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.address}console/")
    assert "needs JavaScript" in page.locator("article").inner_text()
    assert page.locator("details.console-example").count() == len(console.examples())


@needs_browser
@pytest.mark.parametrize("place", ["", "data/"], ids=["home", "data"])
def test_the_home_page_and_the_data_page_lead_to_it(watched: Watched, place: str) -> None:
    page = watched.page
    page.goto(watched.address + place)
    page.locator("article").get_by_role("link", name="SQL console").click()
    page.wait_for_url("**/console/")
    expect(page.locator("article h1")).to_contain_text("SQL console")
    run(page, "select 5 as n")
    assert rows(page) == [["5"]]


@needs_browser
def test_from_a_folder_it_says_that_it_needs_a_server(browser: Browser, site: Built) -> None:
    with visiting(browser, f"{site.site.as_uri()}/") as visitor:
        visitor.page.goto(f"{visitor.address}console/index.html")
        expect(visitor.page.locator(".console")).to_contain_text("python -m report serve")


def test_a_site_without_a_console_has_nothing_of_it(built: Built) -> None:
    names = [path.relative_to(built.site).as_posix() for path in built.site.rglob("*")]
    assert [name for name in names if "console" in name or "duckdb/" in name] == []
    assert "console" not in (built.site / "assets" / "headcount.css").read_text()
    links = {link.target for name in ("index.html", "data/index.html") for link in read_page(built.site, built.site / name).links}
    assert "data/" in links
    assert "console/" not in links


def differences(site: Path) -> list[str]:
    names = ("console/index.html", "data/index.html", "index.html")
    return list(compare_console(site, {name: read_page(site, site / name) for name in names if (site / name).is_file()}))


def change(path: Path, old: bytes, new: bytes) -> None:
    whole = path.read_bytes()
    assert old in whole
    # The copy shares its files with the site: only its own name may be given to the changed one.
    path.unlink()
    path.write_bytes(whole.replace(old, new, 1))


def test_the_check_sees_a_changed_engine_script_example_and_page(site: Built, tmp_path: Path) -> None:
    assert not [name for name in read_ledger(site.site)["facts"] if "console" in str(name)]
    assert differences(site.site) == []
    spoilt = tmp_path / "site"
    shutil.copytree(site.site, spoilt, copy_function=os.link)
    change(spoilt / "assets" / "duckdb" / "duckdb-eh.wasm", b"duckdb", b"duckdc")
    change(spoilt / "assets" / "console-engine.js", b"set enable_external_access = false", b"set enable_external_access = true ")
    change(spoilt / "console" / "index.html", b"avg", b"max")
    change(spoilt / "data" / "index.html", b"</article>", b'<div data-module="console"></div></article>')
    change(spoilt / "index.html", b'class="md-button" href="console/"', b'class="md-button" href="data/"')
    (spoilt / "assets" / "duckdb" / "more.js").write_text("alert(1)")
    (spoilt / "assets" / "duckdb" / "arrow.js").unlink()
    found = "\n".join(differences(spoilt))
    for words in (
        "duckdb-eh.wasm is not the file that is pinned",
        "console-engine.js is not this version's",
        "“How active is each layer, on average over its heads?” is not the file's",
        "data/index.html: loads a part of the console",
        "index.html: does not lead to the console",
        "more.js is no file of the console",
        "arrow.js is missing",
    ):
        assert words in found
    shutil.rmtree(spoilt / "console")
    assert "assets/console.js is there without a console" in differences(spoilt)


def test_an_archive_with_another_hash_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "package.tgz"
    archive.write_bytes(b"something else")
    with pytest.raises(EnvironmentRefusal, match=r"the hash of the download is wrong.*@duckdb/duckdb-wasm"):
        console_files.verify(console_files.packages()[0], archive)


def test_a_file_that_has_changed_in_the_cache_is_refused(site: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADCOUNT_CACHE", str(tmp_path))
    shutil.copytree(site.site / "assets" / "duckdb", console_files.folder(), copy_function=os.link)
    assert console_files.fetch() == console_files.folder()
    change(console_files.folder() / "arrow.js", b"Licensed", b"licensed")
    with pytest.raises(EnvironmentRefusal, match=r"has changed in the cache: arrow\.js"):
        console_files.fetch()


def test_without_npm_the_build_says_so_in_one_line_before_it_writes_anything(planted_counters: Path, tmp_path: Path) -> None:
    paths = ["--out", tmp_path / "site", "--publish", tmp_path / "h.duckdb"]
    command = [sys.executable, "-m", "report", "build", planted_counters, *paths, "--console"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": str(tmp_path), "HEADCOUNT_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 5
    assert done.stderr == (
        "error: the console is fetched with npm, which is not here (npm); fix: install Node.js, or build without --console\n"
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "cache"]
    assert list((tmp_path / "cache").iterdir()) == []
