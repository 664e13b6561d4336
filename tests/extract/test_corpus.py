"""Text: which files are read, in which order, how windows are cut, and what is refused."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from transformers import PreTrainedTokenizerFast

from extract import corpus, windows
from extract.errors import CorpusRefusal, ModelRefusal

START = "<|endoftext|>"


@pytest.fixture
def tokenizer(tokenizer_file: Path) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file), bos_token=START)


def ids(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def cut(documents: list[str], tokenizer: PreTrainedTokenizerFast, window: int, count: int, seed: int = 0) -> np.ndarray:
    return windows.cut(documents, tokenizer, window=window, windows=count, seed=seed, corpus="texts")[0]


def test_a_folder_is_read_in_the_order_of_its_file_names_whatever_their_kind(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "c.txt").write_text("third\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"text": "first", "title": "T"}\n\n{"text": "second"}\n', encoding="utf-8")
    pyarrow.parquet.write_table(pa.table({"text": ["in between", None]}), tmp_path / "b" / "x.parquet")
    (tmp_path / "notes.md").write_text("not read", encoding="utf-8")
    read = corpus.read(str(tmp_path))
    assert read.documents == ("first", "second", "in between", "third")
    assert (read.name, read.licence, read.cleaned) == (tmp_path.name, None, {})


def test_the_hash_follows_the_documents_and_not_the_place(tmp_path: Path, write_text: Callable[..., Path]) -> None:
    here, there = write_text(5, 6), write_text(5, 6, name="elsewhere")
    assert corpus.read(str(here)).sha256 == corpus.read(str(there)).sha256 == corpus.identify(str(here))
    (tmp_path / "joined.txt").write_text("ab\n", encoding="utf-8")
    (tmp_path / "apart.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n', encoding="utf-8")
    assert corpus.read(str(tmp_path / "joined.txt")).sha256 != corpus.read(str(tmp_path / "apart.jsonl")).sha256


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
    monkeypatch.setattr(corpus, "LARGEST_LINE", 20)
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "x" * 30}), encoding="utf-8")
    with pytest.raises(CorpusRefusal, match=r"the line is longer than 0 MiB \(a.jsonl, line 1\)"):
        corpus.read(str(tmp_path / "a.jsonl"))
    monkeypatch.setattr(corpus, "LARGEST_CORPUS", 10)
    (tmp_path / "b.txt").write_text("x" * 30, encoding="utf-8")
    with pytest.raises(CorpusRefusal, match=r"b\.txt"):
        corpus.read(str(tmp_path / "b.txt"))


def test_a_long_document_fills_windows_of_its_own_and_the_rest_joins_the_stream(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "the city and the river " * 20
    tokens = ids(tokenizer, text)
    size = len(tokens) // 3
    blocks = cut([text], tokenizer, size + 1, 3)
    assert blocks.dtype == np.int64
    assert blocks[:, 0].tolist() == [tokenizer.bos_token_id] * 3
    assert blocks[:, 1:].ravel().tolist() == tokens[: 3 * size]


def test_short_documents_are_joined_by_a_blank_line_and_never_by_a_start_token(tokenizer: PreTrainedTokenizerFast) -> None:
    documents = ["the city", "a river", "music in war", "king of the island"]
    ordered = windows._ordered(documents, 0)
    stream = ids(tokenizer, ordered[0])
    for document in ordered[1:]:
        stream += ids(tokenizer, "\n\n") + ids(tokenizer, document)
    blocks = cut(documents, tokenizer, len(stream) // 2 + 1, 2)
    assert blocks[:, 1:].ravel().tolist() == stream[: len(stream) // 2 * 2]
    assert (blocks[:, 1:] != tokenizer.bos_token_id).all()


def test_the_seed_orders_the_documents_and_the_same_seed_gives_the_same_windows(tokenizer: PreTrainedTokenizerFast) -> None:
    documents = [f"the city {number} of the island" for number in range(50)]
    first = cut(documents, tokenizer, 16, 10, seed=1)
    assert (first == cut(documents, tokenizer, 16, 10, seed=1)).all()
    assert (first != cut(documents, tokenizer, 16, 10, seed=2)).any()
    assert windows._ordered([*"abcdef"], 7) == ["d", "b", "e", "c", "a", "f"]


def test_more_windows_begin_with_the_windows_of_fewer(tokenizer: PreTrainedTokenizerFast) -> None:
    documents = [f"the city {number} of the island" for number in range(300)]
    assert (cut(documents, tokenizer, 16, 40)[:10] == cut(documents, tokenizer, 16, 10)).all()


def test_a_very_long_document_is_tokenised_in_pieces_that_lose_nothing(
    tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\n".join(f"the city {number}" for number in range(40))
    whole = cut([text], tokenizer, 9, 20)
    monkeypatch.setattr(windows, "PIECE", 100)
    assert "".join(windows._pieces(text)) == text
    assert (cut([text], tokenizer, 9, 20) == whole).all()


def test_text_that_equals_a_special_token_is_read_as_plain_text_and_counted(tokenizer: PreTrainedTokenizerFast) -> None:
    documents = ["the city <|endoftext|> and the river <|endoftext|> in the war of the king"]
    blocks, special, _ = windows.cut(documents, tokenizer, window=20, windows=1, seed=0, corpus="texts")
    assert special == 2
    assert (blocks[:, 1:] != tokenizer.bos_token_id).all()
    assert tokenizer.decode(blocks[0, 1:]) == documents[0][: len(tokenizer.decode(blocks[0, 1:]))]


def test_too_little_text_is_refused_with_what_there_is(tokenizer: PreTrainedTokenizerFast) -> None:
    count = len(ids(tokenizer, "the city"))
    with pytest.raises(CorpusRefusal, match=rf"{count} tokens < window 64 \(texts\); fix: lower --window"):
        cut(["the city"], tokenizer, 64, 1)
    with pytest.raises(CorpusRefusal, match=r"the text fills \d+ of 99 windows of 4 \(texts\); fix: --windows"):
        cut(["the city and the river " * 3], tokenizer, 4, 99)


def test_without_a_start_token_the_end_token_serves_and_without_both_the_model_is_refused(tokenizer_file: Path) -> None:
    assert windows.start_token(PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file), eos_token=START)) == 0
    with pytest.raises(ModelRefusal, match="no start or end token"):
        windows.start_token(PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file)))
