"""The text around examples: token by token it is the window's text, also where a character has several tokens."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from extract.example_text import AROUND, AROUND_SOURCE, text_rows, token_texts
from extract.windows import Span

START = "<|endoftext|>"


@pytest.fixture(scope="module")
def tokenizer(tokenizer_file: Path) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file), bos_token=START)


@pytest.fixture(scope="module")
def sentencepiece() -> PreTrainedTokenizerFast:
    """Words with a mark for the space before them, bytes for what it does not know, and no space before the first word."""
    pieces = [(START, 0.0), ("▁", -3.0), ("▁the", -2.0), ("▁city", -2.0), ("s", -4.0), *((f"<0x{n:02X}>", -9.0) for n in range(256))]
    made = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    made.decoder = decoders.Sequence(parts)
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token=START)


def texts(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    return token_texts(tokenizer, [0, *tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]])


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_the_texts_of_the_tokens_join_to_the_text(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    name, *pieces = texts(tokenizer, text)
    assert name == START
    assert "".join(pieces) == text


def test_a_character_of_several_tokens_stands_with_the_one_that_completes_it(tokenizer: PreTrainedTokenizerFast) -> None:
    # The toy tokenizer has a token per byte of these: 3 bytes, 4 bytes, 2 bytes.
    assert texts(tokenizer, "日😀é!")[1:] == ["", "", "日", "", "", "", "😀", "", "é", "!"]
    assert texts(tokenizer, "the city")[1:] == [tokenizer.decode([token]) for token in tokenizer("the city")["input_ids"]]


def test_a_token_that_ends_one_character_and_begins_the_next_completes_the_first() -> None:
    # Tokens of bytes 1-3, of byte 4 with the next character's first three, and of its last.
    first, last = "😀".encode()[:3], "😀".encode()[3:]
    written = dict(zip(b"\xf0\x9f\x98\x80", "ðŁĺĢ", strict=True))
    vocabulary = ["".join(written[byte] for byte in token) for token in (first, last + first, last)]
    made = Tokenizer(models.WordLevel({START: 0} | {token: number + 1 for number, token in enumerate(vocabulary)}, unk_token=START))
    made.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, bos_token=START)
    assert token_texts(tokenizer, [0, 1, 2, 2, 3]) == [START, "", "😀", "😀", "😀"]


def test_bytes_that_are_no_character_are_shown_as_such_and_spoil_nothing_after_them(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer("日the 日")["input_ids"]
    # A window that begins within a character, and one that ends within one.
    assert "".join(token_texts(tokenizer, [0, *ids[1:]])[1:]) == "��the 日"
    assert "".join(token_texts(tokenizer, [0, *ids[:-1]])[1:]) == "日the �"
    assert token_texts(tokenizer, [0]) == [START]


def test_spaces_that_a_decoder_drops_at_the_beginning_are_kept_between_tokens(sentencepiece: PreTrainedTokenizerFast) -> None:
    assert texts(sentencepiece, "the citys the") == [START, "the", " city", "s", " the"]
    assert "".join(texts(sentencepiece, "the é the")[1:]) == "the é the"


def test_text_that_looks_like_a_special_token_or_like_html_stays_as_it_is(tokenizer: PreTrainedTokenizerFast) -> None:
    hostile = "a<|endoftext|><script>alert('1')</script> ,.?![x](javascript:y)"
    assert "".join(texts(tokenizer, hostile)[1:]) == hostile


def example(window: int, position: int, source: int) -> dict[str, int]:
    return {"window": window, "position": position, "source_position": source}


def test_only_the_text_around_examples_and_their_sources_is_kept_and_each_position_once(tokenizer: PreTrainedTokenizerFast) -> None:
    tokens = np.random.default_rng(0).integers(1, 300, (3, 64))
    found = pa.Table.from_pylist([example(4, 40, 0), example(4, 44, 40), example(6, 63, 20)])
    tables = text_rows("r", found, tokens, range(4, 7), tokenizer, [], [])
    expected = {(4, place) for place in [*range(AROUND_SOURCE + 1), *range(40 - AROUND, 44 + AROUND + 1)]}
    expected |= {(6, place) for place in [*range(20 - AROUND_SOURCE, 20 + AROUND_SOURCE + 1), *range(63 - AROUND, 64)]}
    rows = tables["example_token"].to_pylist()
    assert sorted((row["window"], row["position"]) for row in rows) == sorted(expected)
    for row in rows:
        assert row["token"] == token_texts(tokenizer, tokens[row["window"] - 4].tolist())[row["position"]]


def test_documents_are_told_for_windows_with_examples_and_may_have_no_title(tokenizer: PreTrainedTokenizerFast) -> None:
    tokens = np.ones((2, 30), dtype=np.int64)
    spans = [Span(0, 1, 2), Span(1, 1, 2), Span(1, 9, 0), Span(1, 20, 1)]
    tables = text_rows("r", pa.Table.from_pylist([example(1, 3, 2)]), tokens, range(2), tokenizer, spans, ["A", None, "C"])
    documents = [tuple(row.values()) for row in tables["window_document"].to_pylist()]
    assert documents == [("r", 1, 1, "C"), ("r", 1, 9, "A"), ("r", 1, 20, None)]
