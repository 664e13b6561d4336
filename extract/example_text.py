"""The text around examples: what each token adds to it, and the documents it comes from."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int64

from extract.store import Rows
from extract.windows import Span

AROUND = 16
"""Tokens of text kept before and after an example."""

AROUND_SOURCE = 4
"""Tokens kept before and after the position that it attends to most."""

# What decoders put in the place of bytes that are no character, or not yet one.
_UNFINISHED = "\ufffd"

Windows = Int64[np.ndarray, "windows window"]


@runtime_checkable
class Tokenizer(Protocol):
    """What is asked of a tokenizer."""

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool) -> str: ...


def text_rows(
    run_id: str,
    examples: pa.Table,
    tokens: Windows,
    numbers: range,
    tokenizer: Tokenizer,
    spans: Sequence[Span],
    titles: Sequence[str | None],
) -> Rows:
    """Rows of tables `example_token` and `window_document` for a shard's examples; `tokens` are the windows of `numbers`."""
    kept = _around(examples, tokens.shape, numbers)
    shown = np.flatnonzero(kept.any(1)).tolist()
    texts: list[dict[str, object]] = []
    for row in shown:
        said, places = token_texts(tokenizer, tokens[row].tolist()), np.flatnonzero(kept[row]).tolist()
        texts += [{"run_id": run_id, "window": numbers[row], "position": place, "token": said[place]} for place in places]
    windows = {numbers[row] for row in shown}
    documents: list[dict[str, object]] = [
        {"run_id": run_id, "window": span.window, "position": span.position, "title": titles[span.document]}
        for span in spans
        if span.window in windows
    ]
    return {name: _table(rows) for name, rows in (("example_token", texts), ("window_document", documents)) if rows}


def kept_rows(examples: pa.Table, text: Rows, window: int, numbers: range) -> Rows:
    """Of a shard's `text_rows`, those that belong to these of its examples; `window` in tokens, `numbers` the shard's windows."""
    rows = dict(text)
    kept = _around(examples, (len(numbers), window), numbers)
    shown = np.logical_or.reduce(kept, 1)
    if "example_token" in text:
        at, position = (np.array(text["example_token"].column(name)) for name in ("window", "position"))
        rows["example_token"] = text["example_token"].filter(pa.array(kept[at - numbers.start, position]))
    if "window_document" in text:
        at = np.array(text["window_document"].column("window"))
        rows["window_document"] = text["window_document"].filter(pa.array(shown[at - numbers.start]))
    return rows


def _around(examples: pa.Table, shape: tuple[int, ...], numbers: range) -> Bool[np.ndarray, "windows window"]:
    """The positions whose text is kept."""
    kept = np.zeros(shape, dtype=bool)
    window, position, source = (examples.column(name).to_numpy() for name in ("window", "position", "source_position"))
    for place, reach in ((position, AROUND), (source, AROUND_SOURCE)):
        for offset in range(-reach, reach + 1):
            near = place + offset
            inside = (near >= 0) & (near < shape[1])
            kept[window[inside] - numbers.start, near[inside]] = True
    return kept


def token_texts(tokenizer: Tokenizer, window: list[int]) -> list[str]:
    """What each token adds to the text: joined, those from position 1 on are the window's text.

    A character of several tokens stands with the one that completes it. Position 0 is the start token, with its own name."""

    def decode(ids: list[int]) -> str:
        return tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)

    return [decode(window[:1]), *_pieces(decode, window[1:])]


def _pieces(decode: Callable[[list[int]], str], ids: list[int]) -> list[str]:
    pieces, context, shown, text = [], 0, 0, ""
    for end in range(1, len(ids) + 1):
        # With a token before it: some tokenizers drop the space before the first word.
        text = decode(ids[context:end])
        finished = text.rstrip(_UNFINISHED)
        pieces.append(finished[shown:])
        shown = max(shown, len(finished))
        if len(finished) == len(text):
            context = end - 1
            text = decode(ids[context:end])
            shown = len(text)
    if pieces:
        pieces[-1] += text[shown:]
    return pieces


def _table(rows: list[dict[str, object]]) -> pa.Table:
    types = {"run_id": pa.string(), "window": pa.int32(), "position": pa.int32(), "token": pa.string(), "title": pa.string()}
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, types[name]) for name in rows[0]]))
