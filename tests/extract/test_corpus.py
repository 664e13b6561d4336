"""Text: which files are read, in which order, how windows are cut, and what is refused."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from extract import corpus
from extract.errors import CorpusRefusal

# Counts what this file's tests take; kept to the end, for what was taken from it is given back to it.
DEFAULT_POOL = pa.default_memory_pool()
POOL = pa.proxy_memory_pool(DEFAULT_POOL)


def test_a_folder_is_read_in_the_order_of_its_file_names_whatever_their_kind(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "c.txt").write_text("third\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"text": "first", "title": "T"}\n\n{"text": "second"}\n', encoding="utf-8")
    pyarrow.parquet.write_table(pa.table({"text": ["in between", None]}), tmp_path / "b" / "x.parquet")
    (tmp_path / "notes.md").write_text("not read", encoding="utf-8")
    read = corpus.read(str(tmp_path))
    assert read.documents == ("first", "second", "in between", "third")
    assert read.titles == ("T", None, None, "c")
    assert (read.name, read.licence, read.cleaned) == (tmp_path.name, None, {})


def test_a_title_is_one_cleaned_line_of_bounded_length_and_stays_with_its_document(tmp_path: Path) -> None:
    lines = [
        {"text": "one", "title": "  <b>Two\n\tlines</b> \0and\u2028more "},
        {"text": " \n ", "title": "no text"},
        {"text": "two", "title": 7},
        {"text": "three", "title": "\ufeffhalf \ud800 a pair"},
        {"text": "four", "title": " \n "},
        {"text": "five", "title": "long " * 100},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    pyarrow.parquet.write_table(pa.table({"title": [None, "P"], "text": ["six", "seven"]}), tmp_path / "b.parquet")
    pyarrow.parquet.write_table(pa.table({"title": [1], "text": ["eight"]}), tmp_path / "c.parquet")
    (tmp_path / "A  name.txt").write_text("zero", encoding="utf-8")
    read = corpus.read(str(tmp_path))
    titles = dict(zip(read.documents, read.titles, strict=True))
    long = titles.pop("five") or ""
    expected = {"zero": "A name", "one": "<b>Two lines</b> and more", "two": None, "three": "half a pair", "four": None}
    assert titles == expected | {"six": None, "seven": "P", "eight": None}
    assert (len(long), long[-6:]) == (corpus.LONGEST_TITLE, " long…")
    # What was taken out of titles is no part of the text.
    assert read.cleaned == {}


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        # Marks that turn the direction of what follows, and those that end them.
        ("\u202aone\u202b two\u202c \u202dthree\u202e", "one two three"),
        ("\u2066four\u2067 five\u2068 \u2069six", "four five six"),
        # Controls: bell, escape, backspace and delete, and two of the second set.
        ("se\x07ven\x1b[31m ei\bght\x7f", "seven[31m eight"),
        ("ni\x80ne\x9f", "nine"),
        # Ends of lines of all kinds are spaces.
        ("a\tb\nc\x0bd\x0ce\rf\x1cg\x85h\u2028i\u2029j", "a b c d e f g h i j"),
        # Nothing else goes: letters that are written from right to left, joiners, accents of their own.
        ("\u05e9\u05dc\u05d5\u05dd \u0633\u0644\u0627\u0645", "\u05e9\u05dc\u05d5\u05dd \u0633\u0644\u0627\u0645"),
        ("\U0001f469\u200d\U0001f680 e\u0301 \u4e2d\u6587", "\U0001f469\u200d\U0001f680 e\u0301 \u4e2d\u6587"),
        ("\u202e\x07\u2069", None),
        # What they leave behind is joined again.
        ("\u202e spaced", "spaced"),
        ("a \u202a b", "a b"),
        ("\u202e \u202c", None),
    ],
)
def test_characters_that_hide_or_turn_what_is_shown_are_dropped_from_titles(tmp_path: Path, title: str, kept: str | None) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": f"text {title} text", "title": title}), encoding="utf-8")
    pyarrow.parquet.write_table(pa.table({"text": ["x"], "title": [title]}), tmp_path / "b.parquet")
    read = corpus.read(str(tmp_path))
    assert read.titles == (kept, kept)
    # The text itself is measured as it is.
    assert read.documents == (f"text {title} text", "x")


def test_the_length_of_a_title_is_what_is_left_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "x", "title": "\u202e" * 500 + "x" * corpus.LONGEST_TITLE}), encoding="utf-8")
    assert corpus.read(str(tmp_path)).titles == ("x" * corpus.LONGEST_TITLE,)


def test_the_hash_follows_the_documents_and_not_the_place(tmp_path: Path, write_text: Callable[..., Path]) -> None:
    here, there = write_text(5, 6), write_text(5, 6, name="elsewhere")
    assert corpus.read(str(here)).sha256 == corpus.read(str(there)).sha256 == corpus.identify(str(here))
    (tmp_path / "joined.txt").write_text("ab\n", encoding="utf-8")
    (tmp_path / "apart.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n', encoding="utf-8")
    assert corpus.read(str(tmp_path / "joined.txt")).sha256 != corpus.read(str(tmp_path / "apart.jsonl")).sha256
    # Titles are no part of the text: SHA-256 over the length of "ab" in eight bytes and its own two.
    (tmp_path / "named.jsonl").write_text('{"text": "ab", "title": "T"}', encoding="utf-8")
    assert corpus.read(str(tmp_path / "named.jsonl")).sha256 == hashlib.sha256(b"\2\0\0\0\0\0\0\0ab").hexdigest()


def test_a_changed_file_changes_the_hash_that_is_remembered(write_text: Callable[..., Path]) -> None:
    folder = write_text(5)
    before = corpus.identify(str(folder))
    (folder / "00.txt").write_text("another text altogether", encoding="utf-8")
    assert corpus.identify(str(folder)) != before


def test_a_pattern_and_a_single_file_are_read(write_text: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_text(3, 4, 5)
    assert len(corpus.read(str(folder / "0[01].txt")).documents) == 2
    assert len(corpus.read(str(folder / "02.txt")).documents) == 1
    monkeypatch.chdir(folder)
    assert corpus.read("*.txt").name == "*.txt"
    assert corpus.read(".").name == "texts"


def test_marks_that_are_no_text_are_taken_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfstart \0\0end")
    (tmp_path / "b.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "half \\ud800 a pair"}')
    read = corpus.read(str(tmp_path))
    assert read.documents == ("start end", "half  a pair")
    assert read.cleaned == {"byte order marks": 1, "NUL bytes": 2, "lone surrogates": 1}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", b"abc \xff", "not UTF-8 at byte 4 (a.txt)"),
        ("a.jsonl", b'{"text": "x"}\n{"text": "\xff"}', "not UTF-8 at byte 24 (a.jsonl)"),
        ("a.txt", b"\x1f\x8b\x08", "compressed corpora are not read (a.txt)"),
        ("a.txt.gz", b"x", "compressed corpora are not read (a.txt.gz)"),
        ("a.txt", b" \n ", "0 tokens: no text in it (a.txt)"),
        ("a.jsonl", b"{", "not JSON"),
        ("a.jsonl", b'{"body": "x"}', 'no text under the key "text" (a.jsonl, line 1)'),
        ("a.jsonl", b'{"text": "x"}\n{"text": 3}', 'no text under the key "text" (a.jsonl, line 2)'),
        ("a.parquet", b"PAR1", "not a Parquet file"),
        ("a.md", b"x", "files ending in '.md' are not read (a.md)"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusRefusal) as refusal:
        corpus.read(str(tmp_path / name))
    assert str(refusal.value).startswith(f"error: {told}")
    assert refusal.value.exit_code == 4


def test_places_without_readable_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    (tmp_path / "empty").mkdir()
    pyarrow.parquet.write_table(pa.table({"text": [1]}), tmp_path / "numbers.parquet")
    told = {
        "absent": "cannot be read: No such file",
        "pipe.txt": "not a regular file",
        "loop.txt": "cannot be read: ",
        "empty": "no files match 'empty'",
        "*.text": "no files match '*.text'",
        "numbers.parquet": 'no column "text" of strings',
    }
    for name, what in told.items():
        with pytest.raises(CorpusRefusal) as refusal:
            corpus.read(str(tmp_path / name))
        assert str(refusal.value).startswith(f"error: {what}"), name


def test_a_text_and_a_line_are_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps({"text": "x" * 30})
    for name, content, number in (("a.jsonl", line, 1), ("a.txt", f"short\r\n\n{line}\n", 3)):
        (tmp_path / name).write_text(content, encoding="utf-8", newline="")
        told = (
            rf"the line is longer than 20 bytes \({name}, line {number}\); fix: cut it into lines, or raise the cap with --max-line-bytes"
        )
        with pytest.raises(CorpusRefusal, match=told):
            corpus.read(str(tmp_path / name), 20)
        # The end of a line belongs to it, and what is read is the same whatever the cap.
        exact = len(line) + content.endswith("\n")
        assert corpus.read(str(tmp_path / name), exact) == corpus.read(str(tmp_path / name))
    monkeypatch.setattr(corpus, "LARGEST_CORPUS", 10)
    (tmp_path / "b.txt").write_text("x" * 30, encoding="utf-8")
    with pytest.raises(CorpusRefusal, match=r"b\.txt"):
        corpus.read(str(tmp_path / "b.txt"))


def test_a_small_parquet_file_that_unpacks_into_a_large_text_is_refused_before_it_takes_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "LARGEST_CORPUS", 4 * 2**20)
    long = "x " * 2**19
    # One text of a MiB that stands in a thousand rows, as a dictionary has it and, where it says the size, without one.
    named_often = pa.table({"text": pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), pa.array([long]))})
    for name, table, dictionary, told in (
        ("a.parquet", named_often, True, "the text is longer than 4194304 characters"),
        ("b.parquet", pa.table({"text": [long] * 20}), False, "a row group of more than 4 MiB when it is unpacked"),
        (
            "c.parquet",
            pa.table({"text": ["short"] * 20, "title": [long] * 20}),
            False,
            "a row group of more than 4 MiB when it is unpacked",
        ),
    ):
        path = tmp_path / name
        pyarrow.parquet.write_table(table, path, compression="zstd", use_dictionary=dictionary, store_schema=False)
        assert path.stat().st_size < 10_000
        pa.set_memory_pool(POOL)
        try:
            with pytest.raises(CorpusRefusal, match=rf"{told} \({name}\)"):
                corpus.read(str(path))
        finally:
            pa.set_memory_pool(DEFAULT_POOL)
        used = POOL.max_memory()
        assert used is not None
        assert used < 50 * 2**20, name


def test_a_parquet_file_with_two_columns_of_one_name_is_refused(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), tmp_path / "a.parquet")
    with pytest.raises(CorpusRefusal, match='no column "text" of strings'):
        corpus.read(str(tmp_path / "a.parquet"))


# In a process of its own, which a fault in Arrow's own code would end. Prints how many of the files were refused.
READ_DAMAGED = """
import sys
from pathlib import Path
from extract import corpus
from extract.errors import CorpusRefusal

path, refused = Path(sys.argv[1]), 0
content = path.read_bytes()
for bit in range(8 * len(content)):
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    try:
        corpus.read(str(path))
    except CorpusRefusal:
        refused += 1
print(refused)
"""


def test_a_parquet_file_with_any_one_bit_flipped_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False, "store_schema": False}
    pyarrow.parquet.write_table(pa.table({"text": ["the king"]}), path, **plain)
    bits = 8 * path.stat().st_size
    done = subprocess.run([sys.executable, "-c", READ_DAMAGED, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert bits / 4 < int(done.stdout) < bits
