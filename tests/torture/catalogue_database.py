"""Rows 38 and 41 to 54 of the catalogue: databases that are locked, damaged, foreign, older, unfinished or odd.

Three of these rows ask for more than is there: `today` says what, and is the place to tighten."""

import json
import struct
from pathlib import Path

from catalogue import Case, build_case
from conditions import both, data, database, foreign_log, opened_by_another, own_figure, remove, second_run, write

_INTO = ("extract", "run", "toy.toml", "--out", "done.duckdb")
_LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"


def _into(id: str, what: str, exit: int, *words: str, prepare: object, flags: tuple[str, ...] = (), **options: object) -> Case:
    options = {"changes": ("done.duckdb.work",)} | options
    return Case(id, what, (*_INTO, *flags), words, exit, prepare, **options)  # type: ignore[arg-type]


def _foreign(name: str, content: str | bytes, looks: str) -> tuple[Case, Case]:
    told = r"not a DuckDB file", looks
    run = Case(
        f"42-run-into-{name}",
        f"a run into {name}",
        ("extract", "run", "toy.toml", "--out", "x.duckdb"),
        told,
        7,
        write("x.duckdb", content),
    )
    return run, build_case(f"42-report-of-{name}", f"a report of {name}", 7, *told, counters="x.duckdb", prepare=write("x.duckdb", content))


def _middle(whole: bytes) -> bytes:
    return whole[:20000] + b"x" * 100 + whole[20100:]


def _version(whole: bytes) -> bytes:
    """As a DuckDB to come would write its first block: another version, and a checksum that fits."""
    block = whole[8:12] + (9999).to_bytes(8, "little") + whole[20:4096]
    checksum = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        checksum ^= word * 0xBF58476D1CE4E5B9 % 2**64
    return checksum.to_bytes(8, "little") + block + whole[4096:]


def _alone(*prepares: object) -> object:
    """Without the working file, so that the counters file itself is read."""
    return both(remove("done.duckdb.work"), *prepares)  # type: ignore[arg-type]


def _banner(folder: Path) -> None:
    assert "The run is unfinished" in (folder / "site" / "figures" / "toy" / "activation" / "index.html").read_text(encoding="utf-8")


def _no_data(folder: Path) -> None:
    pages = [path.read_text(encoding="utf-8") for path in (folder / "site").rglob("*.html")]
    assert any("no data" in page.lower() for page in pages)


def _inert(folder: Path) -> None:
    pages = [path for path in (folder / "site").rglob("*.html") if "<script>alert" in path.read_text(encoding="utf-8")]
    assert pages == [], pages


def _counted_as_none(folder: Path) -> None:
    for path in (folder / "site").rglob("*.json"):
        # Raises where a number is none.
        json.loads(path.read_text(encoding="utf-8"), parse_constant=int)


def _fresh(folder: Path) -> None:
    assert not (folder / "site" / "figures" / "gone").exists()


# As a file without the checks of today's schema: a value that is none.
_UNCHECKED = (
    "alter table shard_stat rename to checked",
    "create table shard_stat as from checked",
    "comment on table shard_stat is 'Sums of an older Headcount.'",
    *(
        f"comment on column shard_stat.{column} is 'Its {column}.'"
        for column in ("run_id", "shard", "layer", "head", "measure", "n", "total", "total_of_squares")
    ),
    "update shard_stat set total = 'nan'::double, total_of_squares = 'inf'::double where layer = 0 and head = 0 and measure = 'entropy'",
    "drop table checked",
)
_HOSTILE = "update worked_token set token = '</script><script>alert(1)</script>', text_before = '[x](javascript:alert(1))' where head = 0"
_OF_A_SHARD = tuple(f"delete from {table} where shard = 3" for table in ("shard", "shard_stat", "shard_histogram", "example"))
_OF_RUNS = ("run", "head", "shard", "shard_stat", "shard_histogram", "worked_token", "example", "example_token", "window_document",
            "imported_band", "calibration", "intervention", "intervention_window", "intervention_kl", "calibration_head")  # fmt: skip
_ALL = ("shard", "shard_stat", "shard_histogram", "worked_token")

# fmt: off
CASES = (
    _into("38-name-used", "a name that stands for another run", 7, r"differs in dtype \(float32, now float64\)", "--name",
          prepare=lambda folder: None, flags=("--dtype", "float64"), changes=()),
    _into("41-locked", "a database that another process has open", 5, r"process \d+ has the file open", "close it",
          prepare=opened_by_another("done.duckdb.work")),
    build_case("41-report-of-a-locked-file", "a report of a file that is being written", 5, r"process \d+ has the file open", "close it",
               prepare=opened_by_another("planted.duckdb")),
    *_foreign("an-empty-file", "", "empty"),
    *_foreign("a-web-page", "<!doctype html><p>not found", "looks like a web page"),
    *_foreign("an-lfs-pointer", _LFS, "looks like a Git LFS pointer"),
    *_foreign("a-table", "layer,head\n" * 9, "holds something else"),
    _into("43-truncated", "a database that is cut off", 7, "damaged", "restore it from a copy",
          prepare=_alone(data("done.duckdb", lambda whole: whole[: len(whole) // 2]))),
    _into("43-bad-checksum", "a database whose bytes have changed", 7, r"damaged at block \d+", "restore it from a copy",
          prepare=_alone(data("done.duckdb", _middle))),
    build_case("43-report-of-a-truncated-file", "a report of a database that is cut off", 7, "damaged", "restore",
               prepare=data("planted.duckdb", lambda whole: whole[: len(whole) // 2])),
    build_case("43-report-of-a-bad-checksum", "a report of a database whose bytes have changed", 7, r"damaged at block \d+", "restore",
               prepare=data("planted.duckdb", _middle)),
    _into("44-log-of-another-file", "a log that cannot be replayed", 7, "its log cannot be replayed", "--salvage",
          prepare=foreign_log("done.duckdb.work"), changes=("done.duckdb.work", "done.duckdb.work.wal")),
    _into("45-newer-duckdb", "a file of a newer DuckDB", 7, "written by a newer DuckDB", "pip install -U duckdb",
          prepare=_alone(data("done.duckdb", _version))),
    build_case("45-report-of-a-newer-duckdb", "a report of a file of a newer DuckDB", 7, "newer DuckDB", "pip install -U duckdb",
               prepare=data("planted.duckdb", _version)),
    _into("46-newer-schema", "a file of a newer Headcount", 7, "schema version 999, newer than", "update Headcount",
          prepare=_alone(database("done.duckdb", "insert into schema_version values (999)"))),
    _into("46-older-schema", "a file of an older Headcount", 7, "schema version 1, older than", "measure again",
          prepare=_alone(database("done.duckdb", "update schema_version set version = 1"))),
    build_case("46-report-of-a-newer-schema", "a report of a file of a newer Headcount", 7, "schema version 999, newer than",
               "update Headcount",
               prepare=database("planted.duckdb", "insert into schema_version values (999)")),
    build_case("46-report-of-an-older-schema", "a report of a file of an older Headcount", 7, "schema version 1, older than",
              
               prepare=database("planted.duckdb", "update schema_version set version = 1")),
    build_case("47-no-such-file", "a database that is misspelt", 7, "no such file", "measure first", counters="plantd.duckdb"),
    Case("47-check-of-no-file", "a check of a file that is misspelt", ("report", "check", "plantd.duckdb", "site"), ("no such file",), 7),
    Case("47-diff-of-no-file", "a comparison in a file that is misspelt", ("report", "diff", "plantd.duckdb", "a", "b"), ("no such file",),
         7),
    build_case("48-unfinished", "a run that is not finished", 7, "run toy is unfinished: 3 of 4 shards", "--allow-partial",
               prepare=database("planted.duckdb", *_OF_A_SHARD)),
    build_case("48-unfinished-allowed", "a run that is not finished, allowed", 0, prepare=database("planted.duckdb", *_OF_A_SHARD),
               flags=("--allow-partial",), after=_banner),
    build_case("49-no-rows", "a run without rows", 0, flags=("--allow-partial",), after=_no_data,
               prepare=database("planted.duckdb", *(f"delete from {table}" for table in _ALL))),
    build_case("49-one-head-one-layer", "a run of one head in one layer", 0, prepare=database("planted.duckdb", *(
        f"delete from {table} where layer > 0 or head > 0" for table in ("head", "shard_stat", "shard_histogram", "worked_token")),
        "update run set layers = 1, heads_per_layer = 1 where run_id = 'toy'")),
    build_case("49-no-run", "a file without a run", 7, "the file holds no run",
               prepare=database("planted.duckdb", *(f"delete from {table}" for table in _OF_RUNS))),
    build_case("50-not-finite", "values that are none, in an old file", 0, "warning: 4 values are not finite", "left out",
               today="such a head is left out of the measure's figures and tables: there is no n/a in its place",
               prepare=both(database("planted.duckdb", *_UNCHECKED), own_figure("entropy")), after=_counted_as_none),
    Case("51-not-comparable", "two runs of other windows", ("report", "diff", "planted.duckdb", "toy", "other"),
         ("cannot be compared head by head", "window"), 7, second_run(tokens=50)),
    Case("51-other-shapes", "two runs of other shapes", ("report", "diff", "planted.duckdb", "toy", "other"),
         ("cannot be compared head by head", "layers"), 7, second_run(layers=6)),
    build_case("52-hostile-tokens", "tokens that would run in a page", 0, prepare=database("planted.duckdb", _HOSTILE), after=_inert),
    build_case("54-stale-pages", "pages of an earlier run", 0, prepare=both(write("site/facts.json", "{}"),
               write("site/figures/gone/index.html", "x")),
               after=_fresh),
)
# fmt: on
