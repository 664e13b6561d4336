"""Rows 63 and on: bad input that the catalogue did not have, found while it was being tried."""

from catalogue import Case, build_case, corpus_case, model_case, run_case
from conditions import COUNTS_OPTIONS, HEADS_OPTIONS, both, data, fifo, figure, json_of, link, run_file, run_text, second_run, sparse, write

_HEADS = ("extract", "import-heads", "heads.csv", *HEADS_OPTIONS)
_COUNTS = ("extract", "import-counts", "counts.csv", *COUNTS_OPTIONS)
_DIGITS = "9" * 5000


def _run_file(id: str, what: str, *words: str, prepare: object) -> Case:
    return run_case(id, what, 2, *words, prepare=prepare, changes=())


def _heads(id: str, what: str, *words: str, prepare: object, argv: tuple[str, ...] = _HEADS) -> Case:
    return Case(id, what, argv, words, 2, prepare)  # type: ignore[arg-type]


def _figure(id: str, what: str, before: str, after: str, *words: str) -> Case:
    return build_case(id, what, 2, *words, prepare=figure(before, after))


def _config(name: str, what: str, **settings: object) -> Case:
    return model_case(f"68-{name}", what, 3, "toy", prepare=json_of("toy/config.json", **settings))


def _header(header: bytes) -> object:
    return write("toy/model.safetensors", len(header).to_bytes(8, "little") + header)


# fmt: off
CASES = (
    _run_file("63-run-file-endless", "a run file that never ends", "no regular file", prepare=both(
        lambda folder: (folder / "toy.toml").unlink(), link("toy.toml", "/dev/zero"))),
    _run_file("63-run-file-a-pipe", "a run file that is a pipe", "no regular file", prepare=both(
        lambda folder: (folder / "toy.toml").unlink(), fifo("toy.toml"))),
    _run_file("63-run-file-huge", "a run file of a gibibyte", "larger than", prepare=sparse("toy.toml", 2**30)),
    _heads("63-table-endless", "a table that never ends", "no regular file", prepare=both(
        lambda folder: (folder / "heads.csv").unlink(), link("heads.csv", "/dev/zero"))),
    _heads("63-table-a-pipe", "a table that is a pipe", "no regular file", prepare=both(
        lambda folder: (folder / "heads.csv").unlink(), fifo("heads.csv"))),
    _heads("63-table-huge", "a table of a gibibyte", "larger than 256 MiB", prepare=sparse("heads.csv", 2**30)),
    build_case("63-figure-endless", "a figure file that never ends", 2, "no regular file", prepare=link("figures/b.toml", "/dev/zero")),
    build_case("63-counters-a-pipe", "counters that are a pipe", 7, "no such file", counters="pipe", prepare=fifo("pipe")),
    _run_file("64-number-of-many-digits", "a number of thousands of digits", "not valid TOML", prepare=run_text(f"seed = {_DIGITS}\n")),
    _run_file("64-nested-without-end", "lists within lists by the thousand", "not valid TOML", prepare=run_text("x = " + "[" * 100000)),
    _run_file("64-key-twice", "a key that stands twice", "not valid TOML", prepare=run_text("window = 32\n")),
    _run_file("64-keys-with-dots", "a table in place of a text", "must be a", prepare=both(
        run_file(corpus=None), run_text("corpus.path = 'texts'\n"))),
    _figure("64-figure-of-many-digits", "a figure with a number of thousands of digits", "ordinal = 1", f"ordinal = {_DIGITS}",
            "not a TOML file"),
    _figure("64-figure-nested", "a figure of lists within lists", "ordinal = 1", "ordinal = " + "[" * 100000, "not a TOML file"),
    _figure("65-edges-beyond-numbers", "band edges beyond any number", "edges = [0, 20", f"edges = [-{'9' * 400}, 20", "edges"),
    _figure("65-threshold-beyond-numbers", "a threshold beyond any number", "threshold = 0.5", f"threshold = {'9' * 400}",
            "give a positive number"),
    _figure("65-ordinal-beyond-the-table", "an ordinal that no table holds", "ordinal = 1", "ordinal = 99999999999", "ordinal"),
    _figure("65-threshold-a-truth", "a threshold that is true", "threshold = 0.5", "threshold = true", "give a positive number"),
    _figure("65-colours-a-number", "colours that are a number", "colours = [", "colours = 5\nshades = [", "colours"),
    _figure("65-colour-unknown", "a colour that the palette lacks", '"dark yellow"', '"mauve"', "mauve", "red"),
    _figure("65-words-a-number", "a word that is a number", 'high = "busiest"', "high = 5", "words.high"),
    _figure("65-selection-a-number", "a selection that is a number", "ordinal = 1", "ordinal = 1\nselection = 5", "selection"),
    _figure("65-title-hidden", "a title that turns the line", 'title = "Activation"', 'title = "Acti\u202evation"', r"U\+202E"),
    _figure("65-title-empty", "a title of nothing", 'title = "Activation"', 'title = " "', "title"),
    build_case("66-no-figures-there", "a folder of figures that is not there", 2, "no figure", flags=("--figures", "nowhere")),
    build_case("66-no-figures-in-it", "a folder without figure files", 2, "no figure", flags=("--figures", "texts")),
    Case("67-line-break-in-a-name", "a name of two lines", ("extract", "run", "toy.toml", "--out", "out/c.duckdb", "--corpus",
         "a\nerror: b"),
         ("No such file",), 4, changes=("out", "out/c.duckdb.work"), never=("\nerror: b",)),
    Case("67-terminal-codes-in-a-name", "a name that would colour the terminal", ("report", "build", "\x1b[31mred\x07.duckdb"),
         ("no such file",), 7, never=("\x1b", "\x07")),
    run_case("67-model-of-two-lines", "a model's name of two lines", 3, "no model at", flags=("--model", "./a\nb", "--name", "X")),
    Case("67-output-not-utf8", "an output whose name is no text", ("extract", "run", "toy.toml", "--out", "\udcff.duckdb"), ("name",), 5),
    Case("67-table-not-utf8", "a table whose name is no text", ("extract", "import-heads", "\udcff.csv", *HEADS_OPTIONS),
         ("cannot be read",), 2),
    corpus_case("67-corpus-not-utf8", "a text whose name is no text", 4, "No such file", corpus="\udcff.txt"),
    Case("67-counters-not-utf8", "counters whose name is no text", ("report", "build", "\udcff.duckdb"), ("no such file",), 7),
    _config("no-heads", "a model of no heads", n_head=0),
    _config("heads-that-do-not-divide", "heads that do not divide the width", n_head=3),
    _config("heads-a-word", "heads that are a word", n_head="two"),
    _config("layers-negative", "layers below none", n_layer=-1),
    _config("no-layers", "a model of no layers", n_layer=0),
    model_case("68-layers-beyond-memory", "more layers than any disk holds", 3, "1000000000 layers are configured",
               prepare=json_of("toy/config.json", n_layer=10**9)),
    _config("width-beyond-memory", "a width that no memory holds", n_embd=2**40),
    _config("vocabulary-a-list", "a vocabulary that is a list", vocab_size=[300]),
    _config("type-a-number", "a model type that is a number", model_type=5),
    model_case("69-config-nested", "a configuration nested without end", 3, r"config\.json", prepare=write("toy/config.json",
               "[" * 200000)),
    model_case("69-config-endless", "a configuration that never ends", 3, r"config\.json", prepare=both(
        lambda folder: (folder / "toy" / "config.json").unlink(), link("toy/config.json", "/dev/zero"))),
    model_case("69-tokenizer-nested", "a tokenizer nested without end", 3, "tokenizer", prepare=write("toy/tokenizer.json", "[" * 200000)),
    model_case("69-tokenizer-of-another-kind", "a tokenizer that is a list", 3, "tokenizer", prepare=write("toy/tokenizer.json", "[]")),
    model_case("69-header-nested", "a weight file whose header is nested without end", 3, "no safetensors file",
               prepare=_header(b'{"a":' * 100000)),
    model_case("69-header-beyond-the-file", "a weight file that promises more than it has", 3, "no safetensors file",
               prepare=data("toy/model.safetensors", lambda whole: (2**63).to_bytes(8, "little") + whole[8:])),
    model_case("69-offsets-that-overlap", "tensors that lie over each other", 3, "cannot be loaded|no safetensors file|expected",
               prepare=data(
        "toy/model.safetensors", lambda whole: whole.replace(b"[0,", b"[8,", 1))),
    corpus_case("70-json-nested", "a line nested without end", 4, r"not JSON.*a\.jsonl, line 1", corpus="a.jsonl", prepare=write("a.jsonl",
                "[" * 200000)),
    corpus_case("70-json-of-many-digits", "a line with a number of thousands of digits", 4, r"not JSON.*line 1", corpus="a.jsonl",
                prepare=write("a.jsonl", '{"text": "x", "n": ' + _DIGITS + "}")),
    corpus_case("70-parquet-cut-off", "a table of texts that is cut off", 4, "not a Parquet file", corpus="a.parquet",
                prepare=write("a.parquet", b"PAR1" + b"\0" * 99 + b"PAR1")),
    _heads("71-header-with-a-break", "a table whose header is torn", "not CSV", prepare=write("heads.csv",
           '"layer\n,head,value\n0,0,.1\n')),
    _heads("71-cell-beyond-the-limit", "a cell of a megabyte", "not CSV|longer|value is", prepare=write(
        "heads.csv", "layer,head,value\n0,0," + "1" * 10**6 + "\n")),
    _heads("71-header-beyond-the-limit", "a header of a megabyte", "not CSV|columns", prepare=write("heads.csv", "layer," * 200000 + "\n")),
    _heads("71-missing-grid", "a table of one head far away", "heads are missing", prepare=write("heads.csv",
           "layer,head,value\n999999,999999,1\n")),
    _heads("71-counts-far-away", "a table of one range far away", "has no band", prepare=data(
        "counts.csv", lambda table: table.replace(b"reference,3,", b"reference,999999,").replace(b",3,red", b",999999,red")), argv=_COUNTS),
    _heads("71-counts-beyond-numbers", "a table that counts more heads than there are", "--model-heads",
           prepare=lambda folder: None, argv=(*_COUNTS, "--model-heads", "99999999999999999999")),
    _heads("71-utf16", "a table in UTF-16", "not UTF-8", prepare=write("heads.csv", "layer,head,value\n0,0,.1\n".encode("utf-16"))),
    run_case("72-too-many-shards", "more shards than a file should hold", 2, "shards", prepare=run_file(windows=2**31 - 1,
             shards=2**31 - 1), changes=()),
    run_case("72-too-many-windows", "more windows than any text fills", 4, "the text fills", prepare=run_file(windows=2**31 - 1)),
    run_case("72-cache-cannot-be-written", "a cache that cannot be written", 0, "4 heads on 60 tokens", env=(("HEADCOUNT_CACHE",
             "/proc/none"),)),
    Case("72-no-room-for-temporary-files", "too little room for temporary files", ("report", "diff", "planted.duckdb", "toy", "other"),
         ("cannot be written", "free some space"), 5,
         second_run(), env=(("TMPDIR", "/proc/none"), ("TEMP", "/proc/none"), ("TMP", "/proc/none")), file_bytes=2**12),
    Case("72-terminal-of-ascii", "a terminal that shows ASCII alone", ("report", "diff", "planted.duckdb", "toy", "other"), ("toy",), 0,
         second_run(),
         env=(("PYTHONIOENCODING", "ascii"), ("LC_ALL", "C")), fresh=True, changes=()),
)
# fmt: on
