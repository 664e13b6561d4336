"""Text that means something to SQL, to a file system or to a web server, put wherever text goes: it must mean itself and nothing else."""

import ast
import http.client
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import duckdb
import numpy as np
import pytest
from planting import add_published_counts, ask, figures_of, write_counters

from extract import imports
from extract.database_file import connect, quoted
from report import database, figures, publish
from report.comparisons.diff import diff
from report.errors import Refusal
from report.serve import Deployed

TITLE = "Text that means something to SQL, to the file system or to a web server"
ROOT = Path(__file__).parents[2]
Record = Callable[[str, str], None]

SQL = [
    "'; drop table run; --", '"; drop table run; --', "' or 1=1 --", "x'); insert into run select * from run; --", "$1", "$run_id", "?", "%s",  # noqa: E501
    "{run_id}", "';attach 'evil.db' as e;--", "\\'; select 1; --", "select * from read_csv('/etc/passwd')", "run_id", "x\" as y, \"z",
    "/* x */", "-- x", "''", '""', "$$x$$", "E'\\x00'", "х'; --", "1e999", "null", "main.run",
]  # fmt: skip
PATHS = ["../x", "..", ".", "/etc/passwd", "a/../../b", "..\\x", "x\0y", "con", "x" * 300, "\u202ex", "\n", ""]


def some(texts: list[str], place: str, whole: bool) -> list[str]:
    """All texts, or in the small form every sixth of them, others in other places."""
    return texts if whole else texts[len(place) % 6 :: 6]


@pytest.mark.parametrize("flag", ["run", "measure", "unit", "source"])
def test_every_text_of_an_import_is_stored_as_itself(tmp_path: Path, record: Record, whole: bool, flag: str) -> None:
    (tmp_path / "it's; drop").mkdir()
    table = tmp_path / "it's; drop" / "table'.csv"
    table.write_text("layer,head,value\n0,0,0.5\n0,1,0.25\n", encoding="utf-8")
    for number, text in enumerate(some([*SQL, *PATHS], flag, whole)):
        into = tmp_path / "it's; drop" / f"c'{number}.duckdb"
        given = {"run": "run", "measure": "m", "unit": "tokens", "source": "s", flag: text}
        what = f"Text for --{flag} that is SQL or a path"
        try:
            imports.import_heads(table, into, **given)
        except Exception as refusal:
            assert type(refusal).__name__ == "UsageRefusal" and len(str(refusal).splitlines()) == 1, (text, refusal)
            assert not into.exists()
            record(what, "refused in one line")
            continue
        found = ask(
            into, "select run_id, measure.id, unit, measure.source, total from shard_stat join measure on id = measure order by head"
        )
        assert found == [(given["run"], given["measure"], given["unit"], given["source"], value) for value in (0.5, 0.25)], text
        record(what, "stored as itself")


@pytest.mark.parametrize("column", ["figure", "range_label", "band_colour", "title", "source"])
def test_every_text_of_a_table_of_counts_is_stored_as_itself(tmp_path: Path, record: Record, whole: bool, column: str) -> None:
    for number, text in enumerate(some(SQL, column, whole)):
        row = {"figure": "f", "range_label": "r", "band_colour": "c"} | ({column: text} if column not in ("title", "source") else {})
        cells = {key: '"' + value.replace('"', '""') + '"' for key, value in row.items()}
        table, into = tmp_path / "t.csv", tmp_path / f"{number}.duckdb"
        head = "figure,range_ordinal,range_label,first_layer,end_layer,band_ordinal,band_colour,heads\n"
        table.write_text(f"{head}{cells['figure']},0,{cells['range_label']},0,4,0,{cells['band_colour']},3\n", encoding="utf-8")
        told = {"title": "t", "source": "s"} | ({column: text} if column in ("title", "source") else {})
        what = f"A cell or flag of imported counts that is SQL: {column}"
        try:
            imports.import_counts(table, into, **told)
        except Exception as refusal:
            assert type(refusal).__name__ == "UsageRefusal", (text, refusal)
            record(what, "refused in one line")
            continue
        found = ask(into, "select figure, range_label, band_colour, title, source, heads from published_count")
        assert found == [(*row.values(), *told.values(), 3)], text
        record(what, "stored as itself")


@pytest.mark.parametrize("lines", ["layer,head,value,x';--\n0,0,1,1\n", "layer,head,value\n0,0,1'); drop\n", "layer,head,value\n" + "0" * 10**6 + ",0,1\n",  # noqa: E501
                                   'layer,head,value\n0,0,"' + "9" * 10**6 + "\n", "layer,head,value\n" + "," * 10**6, "\0" * 100])  # fmt: skip  # noqa: E501
def test_tables_that_are_bombs_or_sql_are_refused_in_one_line(tmp_path: Path, record: Record, lines: str) -> None:
    (tmp_path / "t.csv").write_text(lines, encoding="utf-8")
    command = ["import-heads", "t.csv", "--into", "c.duckdb", "--run", "r", "--measure", "m", "--unit", "u", "--source", "s"]
    done = subprocess.run(
        [sys.executable, "-m", "extract", *command],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, len(done.stderr.splitlines()), (tmp_path / "c.duckdb").exists()) == (2, 1, False), done.stderr[:500]
    record("Tables with lines of a million characters, NUL bytes, SQL in headers and numbers", "refused in one line")
    assert len(done.stderr) < 1000, len(done.stderr)


STEPS = [
    "from read_csv('/etc/passwd')", "from read_text('{secret}')", "from '{secret}'", "from read_blob('/proc/self/environ')", "from glob('/etc/*')",  # noqa: E501
    "copy (select 1) to '{out}'", "attach '{out}' as elsewhere", "export database '{out}'", "import database '{out}'", "install httpfs", "load httpfs",  # noqa: E501
    "set enable_external_access = true", "reset enable_external_access", "set lock_configuration = false", "set allowed_paths = ['{out}']",
    "pragma temp_directory = '{out}'", "pragma enable_profiling", "set profiling_output = '{out}'", "select getenv('HOME')", "from a_variable",  # noqa: E501
    "create persistent secret s (type s3)", "set python_enable_replacements = true", "from sniff_csv('{secret}')", "from parquet_scan('{secret}')",  # noqa: E501
    "from 'https://example.org/x.csv'", "call enable_logging(storage = 'file', storage_path = '{out}')", "set secret_directory = '{out}'",
]  # fmt: skip


@pytest.mark.parametrize("room", ["extract", "report reads", "report writes", "report copies"])
def test_no_connection_reads_or_writes_another_file_or_unlocks_itself(tmp_path: Path, record: Record, room: str) -> None:
    secret, out, own = tmp_path / "secret.csv", tmp_path / "out", tmp_path / "own.duckdb"
    secret.write_text("a\n1\n", encoding="utf-8")
    duckdb.connect(str(own)).execute("create table t (x integer)").close()
    a_variable = {"x": np.arange(3)}  # noqa: F841 – DuckDB would find it by its name.
    open_ = {
        "extract": lambda: connect(own, spill=tmp_path / "spill"),
        "report reads": lambda: database.read(own),
        "report writes": lambda: database.write(own),
        "report copies": lambda: database.in_memory(own),
    }
    with open_[room]() as locked:
        if room in ("extract", "report copies"):
            locked.execute(f"attach {quoted(own)} as own")
        for step in STEPS:
            with pytest.raises(duckdb.Error):
                locked.execute(step.format(secret=secret, out=out)).fetchall()
            record(f"SQL that would read, write, fetch or unlock, on a connection of {room.split()[0]}", "refused by DuckDB")
    assert not list(tmp_path.glob("out*"))


def test_these_steps_do_harm_on_a_connection_that_is_not_locked(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n", encoding="utf-8")
    with duckdb.connect() as open_:
        for number, step in enumerate(STEPS[1:3] + STEPS[5:7]):
            open_.execute(step.format(secret=tmp_path / "secret.csv", out=tmp_path / f"out{number}"))
        assert sorted(path.name for path in tmp_path.glob("out*")) == ["out2", "out3"]


OPENERS = ("connect", "sql", "execute", "query", "read_csv", "read_parquet", "from_query")


def test_nothing_else_opens_duckdb() -> None:
    callers = []
    for path in [*(ROOT / "extract").rglob("*.py"), *(ROOT / "report").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name.startswith("duckdb.") and name.split(".")[1] in OPENERS:
                callers.append(path.relative_to(ROOT).as_posix())
            assert not (isinstance(node, ast.ImportFrom) and node.module == "duckdb"), path
    assert set(callers) == {"extract/database_file.py", "report/database.py"}


EVIL_VIEW = "create or replace view {name} as select content as run_id, content as title, 'measured' as kind from read_text('{secret}')"


@pytest.mark.parametrize("view", ["runs", "band_counts", "surplus", "sneaky"])
def test_a_view_in_a_file_that_somebody_sent_reads_nothing_of_this_machine(tmp_path: Path, record: Record, view: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the canary sings", encoding="utf-8")
    counters = write_counters(tmp_path / "c.duckdb", np.full((2, 2), 50), run_id="a", shards=3)
    write_counters(counters, np.full((2, 2), 60), run_id="b", shards=3)
    sent = tmp_path / "sent.duckdb"
    publish.publish(counters, sent, figures.load(figures_of(tmp_path)))
    with duckdb.connect(str(sent)) as theirs:
        theirs.execute(EVIL_VIEW.format(name=view, secret=secret))
        theirs.execute("create macro evil() as table from read_text('/etc/passwd')")
    again = tmp_path / "again.duckdb"
    try:
        publish.publish(sent, again, figures.load(tmp_path / "figures"))
        assert b"canary" not in again.read_bytes()
        assert ask(again, "select count(*) from duckdb_views() where not internal and sql like '%read_text%'") == [(0,)]
        assert ask(again, "select count(*) from duckdb_functions() where not internal and function_name = 'evil'") == [(0,)]
        record("A view or macro in a published file that reads another file: published again", "left behind")
    except Refusal as refusal:
        assert "canary" not in str(refusal)
        record("A view or macro in a published file that reads another file: published again", "refused in one line")
    try:
        assert "canary" not in diff(sent, "a", "b")
        record("A view in a published file that reads another file: compared", "never asked")
    except (Refusal, duckdb.Error) as refusal:
        assert "canary" not in str(refusal)
        record("A view in a published file that reads another file: compared", "refused by DuckDB")


def test_the_server_gives_nothing_outside_the_site(tmp_path: Path, record: Record) -> None:
    site, secret = tmp_path / "site", tmp_path / "secret.txt"
    site.mkdir()
    (site / "index.html").write_text("home", encoding="utf-8")
    secret.write_text("the canary sings", encoding="utf-8")
    (site / "link.txt").symlink_to(secret)
    (site / "folder").symlink_to(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Deployed, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        ups = ["..", "%2e%2e", "%252e%252e", ".%2e", "..%2f..", "..%5c..", "%c0%ae%c0%ae", "..;", "....//"]
        asked = [f"/{up}/secret.txt" for up in ups] + [f"/x/{up}/{up}/secret.txt" for up in ups]
        asked += [f"/{'../' * 20}etc/passwd", f"//{secret}", str(secret), "/link.txt", "/folder/secret.txt", "/%00/secret.txt", "/secret.txt%00.html", "/" + "a" * 70000, "http://127.0.0.1/../secret.txt", "*"]  # fmt: skip  # noqa: E501
        for address in asked:
            wire = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
            wire.putrequest("GET", address, skip_host=True)
            wire.endheaders()
            answer = wire.getresponse()
            body = answer.read()
            wire.close()
            assert b"canary" not in body and b"root:" not in body, address
            assert answer.status in (400, 404, 414) or body == b"home", (address, answer.status, body[:100])
            record("Addresses that lead out of the site, encoded in nine ways, and links in it", "not found")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_names_of_runs_and_figures_never_lead_a_page_out_of_the_site(tmp_path: Path, record: Record) -> None:
    from report.pages import distinct_slugs, slug

    for name in [*SQL, *PATHS[:-1]]:
        made = slug(name)
        assert made and set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-"), name
        record("Names of runs that are paths or SQL, made addresses", "letters, digits and hyphens")
    assert len(set(distinct_slugs([*SQL, *PATHS]).values())) == len({*SQL, *PATHS})


def test_figure_files_that_hold_sql_are_refused_or_mean_themselves(tmp_path: Path, record: Record, whole: bool) -> None:
    counters = add_published_counts(write_counters(tmp_path / "c.duckdb", np.full((2, 2), 50), shards=3))
    sound = ask(counters, "select run_id, title from run order by all")
    base = (ROOT / "report" / "figures" / "activation.toml").read_text(encoding="utf-8")
    for number, text in enumerate(SQL if whole else SQL[:2]):
        for key, line in (("title", 'title = "Activation"'), ("measure", 'measure = "activation_pct"')):
            folder = tmp_path / f"{key}{number}"
            folder.mkdir()
            assert line in base
            (folder / "f.toml").write_text(base.replace(line, f"{key} = '''{text} '''"), encoding="utf-8")
            what = f"A figure file whose {key} is SQL"
            try:
                publish.publish(counters, folder / "h.duckdb", figures.load(folder))
            except Refusal as refusal:
                assert len(str(refusal).splitlines()) == 1
                record(what, "refused in one line")
                continue
            assert ask(folder / "h.duckdb", "select run_id, title from run order by all") == sound
            assert ask(folder / "h.duckdb", "select distinct trim(title) from figure where figure = 'f'") in ([(text.strip(),)], [])
            record(what, "stored as itself")
            shutil.rmtree(folder)
