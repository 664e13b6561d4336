"""Rows 32 to 37 of the catalogue: ranges, bands, thresholds and names."""

import unicodedata
from pathlib import Path

from catalogue import Case, build_case, run_case
from conditions import COUNTS_OPTIONS, HEADS_OPTIONS, both, data, figure, run_file, second_run, write

_BANDS = "edges = [0, 20, 40, 60, 80, 100]"
_COLOURS = 'colours = ["red", "orange", "dark yellow", "light yellow", "green"]\n'
_DECOMPOSED = unicodedata.normalize("NFD", "Modèle d'été – 模型")


def _ranges(name: str, edges: str, *words: str) -> Case:
    return build_case(
        f"32-{name}", f"layer ranges {edges}", 2, *words, prepare=figure("ordinal = 1", f"range_edges = {edges}\nordinal = 1")
    )


def _bands(name: str, edges: str, *words: str) -> Case:
    change = both(figure(_BANDS, f"edges = {edges}"), figure(_COLOURS, ""))
    return build_case(f"33-{name}", f"bands {edges}", 2, *words, prepare=change)


def _threshold(name: str, value: str, *words: str) -> Case:
    return build_case(f"34-{name}", f"a threshold of {value}", 2, *words, prepare=figure("threshold = 0.5", f"threshold = {value}"))


def _heads(id: str, what: str, *words: str, table: str = "layer,head,value\n0,0,.1\n0,1,.9\n", options: tuple[str, ...] = ()) -> Case:
    argv = ("extract", "import-heads", "heads.csv", *HEADS_OPTIONS, *options)
    return Case(id, what, argv, words, 2, write("heads.csv", table))


def _name(name: str, given: str, *words: str) -> Case:
    return run_case(f"36-name-{name}", f"a name: {name}", 2, *words, prepare=run_file(name=given), changes=())


def _composed(folder: Path) -> None:
    import duckdb

    with duckdb.connect(str(folder / "out" / "c.duckdb"), read_only=True) as connection:
        assert connection.execute("select run_id from run").fetchall() == [(unicodedata.normalize("NFC", _DECOMPOSED),)]


def _slugged(folder: Path) -> None:
    names = [path.name for path in (folder / "site" / "figures").iterdir() if path.is_dir()]
    assert all(name.isascii() and " " not in name for name in names), names
    assert any(name.rpartition("-")[2].isalnum() and len(name.rpartition("-")[2]) == 8 for name in names), names


# fmt: off
CASES = (
    _ranges("ranges-overlap", "[0, 3, 2, 4]", "do not ascend: 3, 2", "from low to high"),
    _ranges("ranges-beyond-depth", "[0, 2, 9]", r"do not cover layers 0\.\.3", "begin at 0 and end at 4"),
    _ranges("ranges-leave-a-gap", "[1, 2, 4]", r"do not cover layers 0\.\.3", "begin at 0 and end at 4"),
    _ranges("ranges-not-whole", "[0, 1.5, 4]", "whole layers"),
    build_case("32-no-ranges", "no ranges at all", 2, "ranges = 0", "from 1 to 12", prepare=figure("ordinal = 1",
               "ranges = 0\nordinal = 1")),
    Case("32-ranges-of-a-table-overlap", "a table whose ranges overlap", ("extract", "import-counts", "counts.csv", *COUNTS_OPTIONS),
         (r"the layer ranges \[0, 12\) and \[11, 24\) overlap", "begin each where the last one ends"), 2,
         data("counts.csv", lambda table: table.replace(b'"[12, 24)",12,24', b'"[11, 24)",11,24'))),
    _bands("bands-end-early", "[0, 20, 40]", r"gap 40\.\.100", "end the edges at 100"),
    _bands("bands-begin-late", "[10, 50, 100]", r"gap 0\.\.10", "begin the edges at 0"),
    _bands("bands-reversed", "[100, 50, 0]", "do not ascend: 100, 50"),
    _bands("bands-repeat-an-edge", "[0, 50, 50, 100]", "do not ascend: 50, 50"),
    _bands("bands-without-edges", "[]", "two finite numbers or more"),
    _bands("too-many-bands", "[0, 10, 20, 30, 40, 50, 100]", "6 bands", "at most 6 edges"),
    _heads("33-bands-of-a-table-reversed", "bands of a table that do not ascend", "0.2 follows 0.5", options=("--bands", "0,.5,.2,1")),
    _heads("33-bands-leave-values-out", "bands that leave values out", "the value 0.9 lies outside the bands 0 to 0.5", options=("--bands",
           "0,.5")),
    _threshold("negative", "-1", "give a positive number"),
    _threshold("zero", "0", "give a positive number"),
    _threshold("no-number", "nan", "give a positive number"),
    _threshold("infinite", "1e999", "give a positive number"),
    _threshold("no-edge", "0.51", "0.51 is not a stored edge", r"use 0\.5 or 0\.5452"),
    build_case("35-measure-misspelt", "a measure that is misspelt", 2, "no measure activation_pc", "did you mean activation_pct",
               prepare=figure('"activation_pct"', '"activation_pc"')),
    build_case("35-measure-unknown", "a measure that nobody knows", 2, "no measure zzz", "use one of .*activation_pct",
               prepare=figure('"activation_pct"', '"zzz"')),
    Case("35-figure-unknown", "a figure that is misspelt", ("report", "diff", "planted.duckdb", "toy", "other", "--figure", "activatoin"),
         ("no figure activatoin", "did you mean activation"), 2, second_run()),
    Case("35-run-unknown", "a run that is misspelt", ("report", "diff", "planted.duckdb", "toi", "reference"), ("no run toi",
         "did you mean toy"), 2),
    _heads("35-column-unknown", "a table with a column that is misspelt", "columns layer, head, valeu",
           "the header must be layer,head,value",
           table="layer,head,valeu\n0,0,.1\n"),
    run_case("35-dtype-unknown", "a type that is misspelt", 2, "did you mean 'bfloat16'", flags=("--dtype", "float16"), changes=()),
    Case("35-command-unknown", "a command that is misspelt", ("report", "biuld"), ("Did you mean 'build'", "--help"), 2),
    _name("leads-elsewhere", "../x", r"name '\.\./x' cannot be used", "beginning with a letter or digit"),
    _name("nul-byte", "a\0b", r"control character U\+0000"),
    _name("too-long", "n" * 300, "at most 100 characters"),
    _name("reserved", "NUL", "is reserved", "another name"),
    _name("empty", "   ", "name is empty"),
    _name("turns-the-line", "a\u202eb", r"control character U\+202E"),
    _heads("36-name-of-a-table", "a table's run whose name leads elsewhere", "cannot be used", options=("--run", "../x")),
    run_case("37-decomposed-name", "a name in decomposed letters of another script", 0, "4 heads on 60 tokens",
             prepare=run_file(name=_DECOMPOSED),
             after=_composed),
    run_case("37-file-names", "files and folders with names of other scripts", 0, "4 heads on 60 tokens", flags=("--corpus", "Übung 文"),
             prepare=write("Übung 文/één.txt", "the king and the river of the city " * 60)),
    build_case("37-addresses", "a run whose name is not ASCII", 0, prepare=lambda folder: _renamed(folder), after=_slugged),
    run_case("37-run-file-of-another-script", "a run file in another encoding", 2, "not UTF-8 at byte", "save it as UTF-8",
             prepare=write("toy.toml", 'name = "Modèle"'.encode("latin-1")), changes=()),
)
# fmt: on


def _renamed(folder: Path) -> None:
    from workplace import sql

    tables = ("run", "head", "shard", "shard_stat", "shard_histogram", "worked_token")
    sql(
        folder / "planted.duckdb",
        *(f"update {table} set run_id = 'Modèle 模型' where run_id = 'toy'" for table in tables),
        "update run set title = 'Modèle 模型' where run_id = 'Modèle 模型'",
    )
