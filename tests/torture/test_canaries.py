"""Nothing of the user's machine is in what is published: the real commands on a machine that says everywhere whose it is."""

import gzip
import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from canaries import Words, unpacked
from planted_machine import ROOT, Machine, inputs, machine, secret_run, tables_to_import
from planting import figures_of
from warm import SEED

from extract import device

TITLE = "Whether what is published says whose machine it was made on: each word, looked for in each file"
Record = Callable[[str, str], None]
# Shorter ones are found by chance.
LONG_ENOUGH = 6
KINDS = {
    "identity": "a word as user, host or home folder",
    "secret": "a word as token or password",
    "setting": "a word in a variable, or as time zone",
    "place": "a word as the name of a folder or file that is given, used or installed in",
    "version control": "a word in the settings of version control",
    "inputs": "a word beside what is read of model, text and run file",
    "text": "a word in a text whose examples are not kept",
}


@dataclass(frozen=True)
class Made:
    """What the commands made: `files` are those that users hand on, by what they are."""

    machine: Machine
    files: dict[str, Path]

    @property
    def counters(self) -> Path:
        """The counters file."""
        return self.files["the counters file"]

    @property
    def site(self) -> Path:
        """The site."""
        return self.files["the site"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path, whole: bool) -> Made:
    """A run and a site of one figure; all of them, and every kind of command, in the whole form."""
    words = Words(SEED)
    planted = machine(tmp_path_factory.mktemp("machine"), words)
    run = inputs(planted, tokenizer_file)
    counters = planted.folder("place: folder of the counters") / f"{words('place: counters')}.duckdb"
    published = planted.folder("place: folder of the published file") / f"{words('place: published file')}.duckdb"
    site = planted.folder("place: folder of the site") / words("place: site")
    files = {"the counters file": counters, "the published file": published, "the site": site}
    planted.run("-m", "extract", "run", run, "--out", counters)
    if whole:
        files |= more(planted, run, counters)
    figures = () if whole else ("--figures", figures_of(planted.folder("place: folder of figures")))
    planted.run("-m", "report", "build", counters, "--out", site, "--publish", published, *figures)
    return Made(planted, files)


def more(planted: Machine, run: Path, counters: Path) -> dict[str, Path]:
    """The other commands that write what users hand on."""
    others = planted.folder("place: folder of other files")
    windows, bill = others / f"{planted.words('place: windows')}.npy", others / f"{planted.words('place: bill of materials')}.json"
    planted.run("-m", "extract", "run", secret_run(planted), "--out", counters)
    planted.run("-m", "extract", "calibrate", run, "--quick", "--windows", "2", "--out", counters)
    heads, counts = tables_to_import(planted)
    told = ("--run", "Theirs", "--measure", "theirs", "--unit", "share", "--source", "a paper")
    planted.run("-m", "extract", "import-heads", heads, "--into", counters, *told)
    planted.run("-m", "extract", "import-counts", counts, "--into", counters, "--title", "Figure", "--source", "a paper")
    planted.run("-m", "extract", "windows", run, "--out", windows)
    planted.run(".requirements/sbom.py", bill)
    return {"the file of windows": windows, "the bill of materials": bill}


def test_the_commands_saw_what_was_planted(made: Made) -> None:
    """Otherwise a search that finds nothing would say nothing."""
    asked = """import extract, getpass, json, os, pathlib, report, socket, sys, tempfile, time
print(json.dumps([getpass.getuser(), str(pathlib.Path.home()), sys.prefix, extract.__file__, report.__file__, os.getcwd(), sys.argv[1],
tempfile.gettempdir(), time.tzname[0], socket.gethostname()]))"""
    words = made.machine.words
    seen = json.loads(made.machine.run("-c", asked, words("place: counters")).stdout)
    assert [where for where in seen[:-1] if words.stem not in where] == []
    assert (words.stem in seen[-1]) == made.machine.named


def test_nothing_of_the_machine_is_in_what_is_published(made: Made, record: Record) -> None:
    words = made.machine.words
    assert len(words.planted) > 50
    for what, path in made.files.items():
        found = words.below(path)
        for planted in words.planted:
            told = [where for where in found if planted in where]
            record(KINDS[planted.partition(":")[0]], "LET IN" if told else "not in the file")
        assert found == [], what
    if not made.machine.named:
        record("the host's own name", "not planted: no right to name a host here")


def test_nor_is_anything_of_the_machine_that_the_tests_run_on(made: Made, tmp_path: Path, record: Record) -> None:
    """Its real names, where they are long enough not to be found by chance."""
    home = f"{Path.home()}/"
    real = [sys.prefix, sys.base_prefix, str(ROOT), str(tmp_path.parent), str(Path(sys.executable).resolve()), home]
    real += [name for name in (socket.gethostname(), Path.home().name) if len(name) > LONG_ENOUGH + 1]
    sought = {name.encode() for name in real if len(name) >= LONG_ENOUGH}
    for what, path in made.files.items():
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            for where, content in unpacked(file.name, file.read_bytes() if file.is_file() else b""):
                assert [name for name in sought if name in content] == [], (what, where)
        record("the real names and places of the machine", "not in the file")


def test_what_is_recorded_of_a_run_is_what_the_page_on_reproducing_says(made: Made, record: Record) -> None:
    page = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
    section = page.partition("## What the files say about you")[2].partition("\n## ")[0]
    told = {column: row for row in section.splitlines() if row.startswith("| `") for column in re.findall(r"`(\w+)`", row.split("|")[1])}
    with duckdb.connect(str(made.counters), read_only=True) as connection:
        answer = connection.execute("from run where run_id = 'Toy'")
        run = dict(zip([column[0] for column in answer.description], answer.fetchall()[0], strict=True))
    assert told.keys() == run.keys()
    assert set(re.findall(r"`(\w+)`", told["versions"].split("|")[2])) == json.loads(run["versions"]).keys()
    assert (run["hardware"], run["device"]) == (device.hardware("cpu"), "cpu")
    # The model's folder is known by its own name; that of the text is called as the user is, and so by none.
    assert (run["model"], run["corpus"]) == ("toy-model", "home folder")
    assert run["measured_on"] in {datetime.now(UTC).date(), datetime.fromtimestamp(made.counters.stat().st_mtime, UTC).date()}
    record("what is recorded of a run", "as its page says")


def test_packed_files_tell_neither_a_time_nor_a_place(made: Made, record: Record) -> None:
    files = [path for path in made.site.rglob("*") if path.is_file()]
    assert [path.name for path in files if path.suffix == ".zip"] == []
    for path in files:
        if path.suffix == ".parquet":
            about = pq.read_metadata(path)
            assert about.metadata is None
            assert re.fullmatch(r"parquet-cpp-arrow version [\d.]+", about.created_by)
            record("what a Parquet file says of itself", "the version of its library, and no more")
        if path.suffix == ".gz":
            content = path.read_bytes()
            day = datetime.fromtimestamp(int.from_bytes(content[4:8], "little"), UTC)
            assert (day.hour, day.minute, day.second) == (0, 0, 0)
            assert content[10:].partition(b"\0")[0] == path.with_suffix("").name.encode()
            assert gzip.decompress(content)
            record("what a gzip file says of itself", "its own name and the day of the newest run")


@pytest.fixture
def served(made: Made) -> Iterator[int]:
    """The port on which the machine shows its site."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    # Without the host of its own, whose process would be another's child.
    command = [str(made.machine.python), "-u", "-m", "report", "serve", str(made.site), "--port", str(port)]
    with subprocess.Popen(
        command, cwd=made.machine.work, env=made.machine.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield port
        process.terminate()


def test_no_answer_of_the_server_names_the_machine(made: Made, served: int, record: Record) -> None:
    for method, address in (("GET", "/"), ("HEAD", "/data/headcount.duckdb"), ("GET", "/assets/"), ("GET", "/none"), ("PUT", "/")):
        connection = http.client.HTTPConnection("127.0.0.1", served, timeout=60)
        connection.request(method, address)
        answer = connection.getresponse()
        told, content = str(answer.headers), answer.read()
        connection.close()
        assert answer.headers["Server"] == "Headcount"
        assert made.machine.words.within("headers", told.encode()) + made.machine.words.within("answer", content) == []
        assert not re.search(r"python/|simplehttp", told + content.decode("utf-8", "replace"), re.IGNORECASE)
        record("an answer of the server", "names neither machine nor versions")


def test_another_machine_builds_the_same_site_byte_for_byte(made: Made, tmp_path: Path, whole: bool, record: Record) -> None:
    """Other names of everything, another time zone, another mask of rights: nothing of them is in any file but the database."""
    if not whole:
        pytest.skip("a second build: with --whole")
    other = machine(tmp_path, Words(SEED + 1))
    counters, site, published = (other.folder(f"place: {name}") / name for name in ("counters.duckdb", "site", "published.duckdb"))
    # The inputs of a site, which it is known by, are told apart by the name of their file too.
    counters = counters.with_name(made.counters.name)
    shutil.copy(made.counters, counters)
    other.environment["TZ"] = "UTC+11"
    other.run("-c", "import os, runpy, sys; os.umask(0o077); sys.argv = sys.argv[1:]; runpy.run_module('report', run_name='__main__')",
              "report", "build", counters, "--out", site, "--publish", published)  # fmt: skip
    files = [{path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()} for root in (made.site, site)]
    assert files[0].keys() == files[1].keys()
    differing = [name for name, path in files[0].items() if path.read_bytes() != files[1][name].read_bytes()]
    record("a site built on another machine", "the same, byte for byte" if set(differing) <= OWN else "LET IN")
    assert set(differing) <= OWN


# DuckDB lays the same tables out anew each time.
OWN = {"data/headcount.duckdb", "SHA256SUMS"}
