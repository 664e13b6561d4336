"""Rows 39, 40 and 53 to 62 of the catalogue: places, disks, ports, packages, devices, and processes that are stopped."""

import shutil
import tempfile
from pathlib import Path

from catalogue import BEGUN, Case, build_case, run_case
from conditions import PORT, absent_package, both, database, fifo, json_of, opened_by_another, port_in_use, run_file, sparse, write

_RUN = ("extract", "run", "toy.toml", "--out")
# Enough text for a run of some seconds.
_LONG = both(write("texts/long.txt", "the king and the river of the city " * 20000), run_file(windows=8000, shards=2000))


def _out(name: str, out: str, what: str, *words: str, **options: object) -> Case:
    return Case(f"39-{name}", what, (*_RUN, out), words, 5, **options)  # type: ignore[arg-type]


def _whole_shards(folder: Path) -> None:
    import duckdb

    if not (folder / "out" / "c.duckdb").exists():
        # Stopped before the first shard: nothing was there to be kept.
        return
    with duckdb.connect(str(folder / "out" / "c.duckdb"), read_only=True) as connection:
        torn = "select count(*) from shard left join shard_stat using (run_id, shard) where shard_stat.shard is null"
        assert connection.execute(torn).fetchall() == [(0,)]


def _old_site(folder: Path) -> None:
    assert (folder / "site" / "index.html").read_text(encoding="utf-8") == "<p>the last good site"
    assert sorted(path.name for path in folder.glob("site*")) == ["site"]


def _resumed(folder: Path) -> None:
    import duckdb

    with duckdb.connect(str(folder / "done.duckdb"), read_only=True) as connection:
        assert connection.execute("select shard from shard order by shard").fetchall() == [(0,), (1,)]


def _killed_once(folder: Path) -> None:
    assert (folder / "killed").exists()
    assert not (folder / "out" / "c.duckdb.shards").exists()


_SITE = both(write("site/index.html", "<p>the last good site"), write("site/facts.json", "{}"))
_FORGET = tuple(f"delete from {table} where shard = 1" for table in ("shard", "shard_stat", "shard_histogram", "example"))
_SKEWED = both(*(database(name, *_FORGET, "update run set measured_on = '2099-01-01'") for name in ("done.duckdb", "done.duckdb.work")))

# fmt: off
CASES = (
    _out("out-is-a-folder", "texts", "a folder where a file is to be written", "the output is a folder", "name a file in it"),
    _out("out-below-a-file", "toy.toml/c.duckdb", "a file where a folder is needed", "cannot write here", "choose another --out"),
    _out("out-cannot-be-written", "/proc/c.duckdb", "a file system that takes no files", "cannot write here", "choose another --out"),
    _out("out-is-a-device", "/dev/full", "a device in place of a file", "no regular file", "name a file"),
    _out("out-is-a-pipe", "pipe", "a pipe in place of a file", "no regular file", "name a file", prepare=fifo("pipe")),
    build_case("39-site-is-a-file", "a file where the site is to lie", 5, "is a file already", "--out", prepare=write("site", "x")),
    build_case("39-site-is-something-else", "a folder that is no site", 5, "holds something else than a site", "new or empty folder",
               prepare=write("site/thesis.txt", "years of work")),
    build_case("39-published-is-a-folder", "a folder where the published file is to lie", 5, "is a folder already",
               prepare=write("p.duckdb/x", "x")),
    build_case("39-published-is-the-counters", "counters that would be replaced", 2, "would replace the counters", "another name",
               flags=("--publish", "planted.duckdb")),
    Case("39-published-cannot-be-written", "a published file that cannot be written",
         ("report", "build", "planted.duckdb", "--out", "site", "--publish", "/proc/p.duckdb"), ("cannot write here",
         "folder you may write to"), 5),
    run_case("40-disk-full", "a disk that is full", 5, r"c\.duckdb\.(work|snapshot)", file_bytes=2**20, changes=(*BEGUN,
             "out/c.duckdb.work.wal"),
             today="the line names the file, not always that there is no room"),
    run_case("40-too-little-space", "a run that needs more than is free", 5, "MiB are free, the run may need", "nothing is lost",
             prepare=both(json_of("toy/config.json", n_head=16), run_file(windows=2**20, shards=2**20)),
             skip="no run of the toy needs as much as is free here" if shutil.disk_usage(tempfile.gettempdir()).free > 2**37 else ""),
    build_case("53-build-interrupted", "a site that is stopped while it is built", 130, "interrupted", "the last good site stands",
               prepare=_SITE, stop=1.5, slow=True, changes=("p.duckdb",), after=_old_site),
    Case("55-port-in-use", "a port that is taken", ("report", "serve", "site", "--port", str(PORT)),
         (f"port {PORT} is in use", f"--port {PORT + 1}"), 5, port_in_use),
    Case("55-no-site", "no site to serve", ("report", "serve", "nowhere"), ("no site there", "make report"), 5),
    Case("55-port-out-of-range", "a port that cannot be", ("report", "serve", "site", "--port", "99999"), ("'--port'",), 2),
    build_case("56-mkdocs-missing", "a package of the report that is not installed", 5, "mkdocs is not installed", "pip install",
               prepare=absent_package("mkdocs"), env=(("PYTHONPATH", "absent"),), fresh=True),
    run_case("56-transformers-missing", "a package of the extraction that is not installed", 5, "transformers is not installed",
             "pip install",
             prepare=absent_package("transformers"), env=(("PYTHONPATH", "absent"),), fresh=True),
    run_case("56-ray-missing", "workers asked for where Ray is not installed", 0, "Ray is not installed, so this process measures alone",
             r"pip install 'headcount\[cluster\]'", "4 heads on 60 tokens", flags=("--workers", "2"), fresh=True,
             # What Python finds where there is none.
             prepare=write("absent/sitecustomize.py", "import sys\n\nsys.modules['ray'] = None\n"), env=(("PYTHONPATH", "absent"),)),
    run_case("57-gpu-out-of-memory", "a GPU without room", 5, skip="there is no GPU here; tests/extract/test_batch.py halves the batch"),
    run_case("57-out-of-memory", "a machine without room", 5, "not enough memory", "--window lower|batch", memory=3 * 2**29,
             flags=("--corpus", "a.txt", "--max-line-bytes", "2000000000"), prepare=sparse("a.txt", 2**30)),
    run_case("58-no-gpu", "a GPU asked for where there is none", 5, "asked for cuda", "--device cpu", flags=("--device", "cuda"),
             skip="there is a GPU here" if Path("/dev/nvidia0").exists() else ""),
    run_case("58-gpu-lost", "a GPU that fails on the way", 5, skip="there is no GPU here that could fail"),
    run_case("59-terminated", "a run that is asked to stop", 130, "interrupted", "shards are kept", "resume with: ", prepare=_LONG,
             stop=2.5,
             changes=(*BEGUN, "out/c.duckdb", "out/c.duckdb.work.wal"), after=_whole_shards),
    Case("60-second-writer", "two runs into one file", (*_RUN, "out/c.duckdb", "--model", "./absent", "--name", "X"),
         (r"process \d+ has the file open \(c\.duckdb\.work\)", "run the same command again"), 5, opened_by_another("out/c.duckdb.work"),
         ("out", "out/*")),
    run_case("61-worker-killed", "a worker that is killed while it measures", 0, "4 heads on 60 tokens", flags=("--workers", "1"),
             fresh=True, slow=True, changes=(*BEGUN, "out/c.duckdb", "killed"), after=_killed_once,
             env=(("PYTHONPATH", str(Path(__file__).with_name("planted"))), ("PLANT_FATAL", "1"), ("PLANT_ONCE", "killed"))),
    Case("62-clock-in-the-future", "a run begun by a clock that was wrong", (*_RUN, "done.duckdb"), ("4 heads on 60 tokens",), 0, _SKEWED,
         ("done.duckdb", "done.duckdb.work"), after=_resumed),
)
# fmt: on
