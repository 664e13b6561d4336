"""Windows: how documents are cut, where each token comes from, and what is held out or refused."""

from pathlib import Path

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from extract import windows
from extract.errors import CorpusRefusal, ModelRefusal

START = "<|endoftext|>"


@pytest.fixture
def tokenizer(tokenizer_file: Path) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file), bos_token=START)


def ids(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def cut(documents: list[str], tokenizer: PreTrainedTokenizerFast, window: int, count: int, seed: int = 0) -> np.ndarray:
    return windows.cut(documents, tokenizer, window=window, windows=count, seed=seed, corpus="texts")[0]


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


def spelled(cut: windows.Cut, documents: list[str], tokenizer: PreTrainedTokenizerFast) -> None:
    """Every span's tokens are what its document's own tokens go on with, the blank line after it included."""
    read = dict.fromkeys(range(len(documents)), 0)
    for number, row in enumerate(cut.windows):
        spans = [span for span in cut.spans if span.window == number]
        assert [span.position for span in spans] == sorted({span.position for span in spans})
        assert spans[0].position == 1
        for span, end in zip(spans, [*(span.position for span in spans[1:]), len(row)], strict=True):
            whole = ids(tokenizer, documents[span.document]) + ids(tokenizer, windows.SEPARATOR)
            begin = read[span.document]
            read[span.document] += end - span.position
            assert row[span.position : end].tolist() == whole[begin : read[span.document]]


def test_spans_tell_the_document_of_every_token_also_across_joins_and_windows(tokenizer: PreTrainedTokenizerFast) -> None:
    documents = ["the city and the river " * 30, "a river", "music in war", "king of the island " * 9, "é", "the season"]
    blank = len(ids(tokenizer, windows.SEPARATOR))
    assert blank > 1
    for window in range(4, 24):
        count = 1
        while True:
            try:
                found = windows.cut(documents, tokenizer, window=window, windows=count, seed=3, corpus="texts")
            except CorpusRefusal:
                break
            count += 1
        spelled(found, documents, tokenizer)
        assert len({span.document for span in found.spans}) > 3
    # A blank line that a window's end parts: its second token opens the next window and still belongs to the document before it.
    short = ["the", "of"]
    first = windows._ordered([0, 1], 0)[0]
    size = len(ids(tokenizer, short[first])) + 1
    parted = windows.cut(short, tokenizer, window=size + 1, windows=2, seed=0, corpus="texts")
    assert parted.spans == ((0, 1, first), (1, 1, first), (1, 1 + blank - 1, 1 - first))


def test_the_windows_held_out_are_the_next_ones_of_the_text(tokenizer: PreTrainedTokenizerFast) -> None:
    documents = [f"the city {number} of the island" for number in range(300)]
    together = windows.cut(documents, tokenizer, window=16, windows=10, held_out=4, seed=0, corpus="texts")
    assert (together.windows == cut(documents, tokenizer, 16, 14)).all()
    assert {span.window for span in together.spans} == set(range(14))


def test_text_too_short_for_the_windows_held_out_is_refused_with_the_number_that_fits(tokenizer: PreTrainedTokenizerFast) -> None:
    text = ["the city and the river " * 30]
    there = len(ids(tokenizer, text[0])) // 15

    def refusal(asked: int, held_out: int) -> str:
        with pytest.raises(CorpusRefusal) as refused:
            windows.cut(text, tokenizer, window=16, windows=asked, held_out=held_out, seed=0, corpus="texts")
        return str(refused.value)

    told = f"error: the text fills {there} windows of 16, not {there} and 2 more that are held out (texts); fix: "
    assert refusal(there, 2) == f"{told}--windows {there - 2}, or give more text"
    assert len(windows.cut(text, tokenizer, window=16, windows=there - 2, held_out=2, seed=0, corpus="texts").windows) == there
    assert refusal(1, there + 1).endswith(f"fix: a lower --window, or calibration_windows = 1 and --windows {there - 1}, or give more text")


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
