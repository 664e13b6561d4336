"""Rows 20 to 31 of the catalogue: texts, windows and sizes."""

import json
import os

from catalogue import Case, corpus_case, run_case
from conditions import fifo, link, run_file, sparse, write

_LONG = json.dumps({"text": "the city " * 200})
_MARKED = b"\xef\xbb\xbf" + b"the river \0 city and the war \xed\x95\x9c " * 60
_SURROGATE = json.dumps({"text": "the city \ud800 and the river " * 60})


def _sizes(key: str, value: int, least: int) -> Case:
    told = rf"{key} is {value}", f"from {least} to"
    return run_case(
        f"31-{key}-{value}".replace("--", "-minus-"), f"{key} of {value}", 2, *told, prepare=run_file(**{key: value}), changes=()
    )


# fmt: off
CASES = (
    corpus_case("20-corpus-missing", "no such text", 4, "No such file or directory", "check the path", corpus="nope"),
    corpus_case("20-no-readable-files", "a folder without readable files", 4, "no files match 'toy'", r"\.txt", corpus="toy"),
    corpus_case("20-no-match", "a pattern that nothing matches", 4, r"no files match '\*\.text'", corpus="texts/*.text"),
    corpus_case("21-corpus-empty", "an empty file", 4, "0 tokens", "give a corpus with text", corpus="a.txt", prepare=write("a.txt", "")),
    corpus_case("21-corpus-whitespace", "nothing but white space", 4, "0 tokens", corpus="a.txt", prepare=write("a.txt", " \n\t\r\n ")),
    corpus_case("22-shorter-than-a-window", "a text shorter than one window", 4, "4 tokens < window 16", "lower --window",
                corpus="a.txt", prepare=write("a.txt", "the city")),
    corpus_case("22-shorter-than-the-windows", "a text that fills fewer windows than asked for", 4, r"the text fills \d+ windows",
                "--windows",
                flags=("--windows", "5000")),
    corpus_case("23-not-utf8", "bytes that are no UTF-8", 4, r"not UTF-8 at byte 4 \(a\.txt\)", "plain UTF-8", corpus="a.txt",
                prepare=write("a.txt", b"the \xff city")),
    corpus_case("23-not-utf8-line", "a line that is no UTF-8", 4, r"not UTF-8 at byte 24 \(a\.jsonl\)", corpus="a.jsonl",
                prepare=write("a.jsonl", b'{"text": "x"}\n{"text": "\xff"}')),
    corpus_case("24-marks", "a byte order mark and NUL bytes", 0, "warning: 1 byte order marks", "warning: 60 NUL bytes", corpus="a.txt",
                prepare=write("a.txt", _MARKED)),
    corpus_case("24-lone-surrogates", "halves of pairs of surrogates", 0, "warning: 60 lone surrogates", corpus="a.jsonl",
                prepare=write("a.jsonl", _SURROGATE)),
    corpus_case("25-long-line", "a line longer than the cap", 4, r"longer than 64 MiB \(a\.jsonl, line 1\)", "--max-line-bytes",
                corpus="a.jsonl",
                prepare=sparse("a.jsonl", 2**26 + 2)),
    corpus_case("25-long-line-of-text", "a .txt of one line longer than the cap", 4, r"longer than 64 MiB \(a\.txt, line 1\)",
                "--max-line-bytes",
                corpus="a.txt", prepare=sparse("a.txt", 2**26 + 2)),
    corpus_case("25-own-cap", "a line longer than the cap that was asked for", 4, r"longer than 1,000 bytes \(a\.jsonl, line 2\)",
                "--max-line-bytes", corpus="a.jsonl", flags=("--max-line-bytes", "1000"), prepare=write("a.jsonl",
                f'{{"text": "x"}}\n{_LONG}')),
    corpus_case("25-cap-raised", "the same line with a higher cap", 0, "4 heads on 60 tokens", corpus="a.jsonl",
                flags=("--max-line-bytes", "10000"), prepare=write("a.jsonl", _LONG)),
    corpus_case("26-compressed", "a compressed file", 4, "compressed corpora are not read", "unpack it first", corpus="a.txt.gz",
                prepare=write("a.txt.gz", b"\x1f\x8b\x08")),
    corpus_case("26-compressed-in-disguise", "a compressed file under another name", 4, "compressed corpora are not read", corpus="a.txt",
                prepare=write("a.txt", b"\x1f\x8b\x08")),
    corpus_case("26-endless", "a device that never ends", 4, "not a regular file", corpus="/dev/zero"),
    corpus_case("26-too-large", "a file beyond the cap", 4, r"larger than 1024 MiB \(a\.txt\)", "give a part of it", corpus="a.txt",
                prepare=sparse("a.txt", 2**30 + 1)),
    Case("27-corpus-changed", "a text that changed since the run began", ("extract", "run", "toy.toml", "--out", "done.duckdb"),
         ("the text has changed since run 'Toy' began", "start a new run"), 4, write("texts/0.txt", "the king " * 300)),
    corpus_case("28-unreadable", "a file without permission", 4, "Permission denied", corpus="a.txt",
                prepare=lambda folder: (folder / "a.txt").touch(0o000), skip="root may read every file" if os.geteuid() == 0 else ""),
    corpus_case("28-pipe", "a pipe", 4, r"not a regular file \(a\.txt\)", corpus="a.txt", prepare=fifo("a.txt")),
    corpus_case("28-pipe-in-a-folder", "a pipe in a folder of texts", 4, r"not a regular file \(b\.txt\)", prepare=fifo("texts/b.txt")),
    corpus_case("28-link-in-a-circle", "a link to itself", 4, "cannot be read: ", r"a\.txt", corpus="a.txt", prepare=link("a.txt",
                "a.txt")),
    corpus_case("28-file-as-a-folder", "a file where a folder is named", 4, "Not a directory", corpus="texts/0.txt/a.txt"),
    corpus_case("29-special-tokens", "text that equals a special token", 0, "warning: 60 places in a.txt equal a special token",
                corpus="a.txt", prepare=write("a.txt", "the king <|endoftext|> and the river " * 60)),
    run_case("30-window-too-long", "a window beyond the model's context", 2, "window 65 > 64", "--window 64 or less", flags=("--window",
             "65")),
    _sizes("window", 0, 4),
    _sizes("window", -5, 4),
    _sizes("window", 2**31, 4),
    _sizes("windows", 0, 1),
    _sizes("windows", -1, 1),
    _sizes("shards", 0, 1),
    _sizes("batch", 0, 1),
    _sizes("calibration_windows", 0, 1),
    _sizes("repeated_windows", -1, 0),
    run_case("31-more-shards-than-windows", "more shards than windows", 2, "5 shards for 4 windows", "shards = 4 or fewer",
             prepare=run_file(shards=5), changes=()),
    run_case("31-flag-not-a-number", "a number that is none", 2, "'--window'", flags=("--window", "many"), changes=()),
)
# fmt: on
