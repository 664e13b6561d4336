"""Documents → token windows, in a fixed order, lazily: no more text is tokenised than the windows asked for need.

A window is one start token and T - 1 tokens of text. A document of T - 1 tokens or more fills windows of its own; what is left over,
and shorter documents, are joined by a blank line – never by another start or end-of-text token, which would attract attention of its
own – into a stream that is cut into windows too. Text that equals a special token is read as plain text, and counted. Where each
window's tokens come from is told in spans, which are kept as the windows are cut."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Int64

from extract.errors import CorpusRefusal, ModelRefusal

# Longer documents are tokenised in pieces of about so many characters, cut at a line break: one large file costs no more than it gives.
PIECE = 2**20
TOGETHER = 64
SEPARATOR = "\n\n"

T = TypeVar("T")


class Span(NamedTuple):
    """From `position` of a window on, up to the next span or the window's end, stand tokens of `document`, counted as in the corpus.

    The blank line after a document counts to it."""

    window: int
    position: int
    document: int


class Cut(NamedTuple):
    """Windows, how often the text read for them equalled a special token, and the spans of every window in order."""

    windows: Int64[np.ndarray, "windows window"]
    special: int
    spans: tuple[Span, ...]


@runtime_checkable
class Tokenizer(Protocol):
    """What is asked of a tokenizer of transformers."""

    bos_token_id: int | None
    eos_token_id: int | None
    all_special_tokens: list[str]

    def __call__(
        self, text: list[str], *, add_special_tokens: bool, split_special_tokens: bool, verbose: bool
    ) -> dict[str, list[list[int]]]:
        """{"input_ids": one list per text}."""


def start_token(tokenizer: Tokenizer) -> int:
    """The token that every window begins with. Raises ModelRefusal where the tokenizer has neither a start nor an end token."""
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return token
    raise ModelRefusal("the tokenizer has no start or end token", "tokenizer", "add bos_token to tokenizer_config.json")


def cut(documents: Sequence[str], tokenizer: Tokenizer, *, window: int, windows: int, seed: int, corpus: str, held_out: int = 0) -> Cut:
    """The first `windows` + `held_out` windows of `window` tokens; those held out come last.

    `corpus` names the text in a refusal: CorpusRefusal where it does not fill the windows."""
    counts = {"special": 0, "tokens": 0}
    order = _ordered(range(len(documents)), seed)
    tokenised = _tokenised([documents[index] for index in order], tokenizer, counts)
    blocks = _blocks(zip(order, tokenised, strict=True), _ids([SEPARATOR], tokenizer)[0], window - 1)
    taken = list(itertools.islice(blocks, windows + held_out))
    if not taken:
        raise CorpusRefusal(f"{counts['tokens']} tokens < window {window}", corpus, "lower --window, or give more text")
    if len(taken) < windows + held_out:
        raise _too_short(len(taken), windows, held_out, window, corpus)
    start = np.full((len(taken), 1), start_token(tokenizer), dtype=np.int64)
    tokens = np.concatenate([start, np.array([block for block, _ in taken], dtype=np.int64)], axis=1)
    # The start token stands at position 0, which is no part of the text.
    spans = tuple(Span(number, 1 + place, owner) for number, (_, owners) in enumerate(taken) for place, owner in _changes(owners))
    return Cut(tokens, counts["special"], spans)


def _too_short(there: int, windows: int, held_out: int, window: int, corpus: str) -> CorpusRefusal:
    fits = there - held_out
    if not held_out:
        return CorpusRefusal(f"the text fills {there} of {windows} windows of {window}", corpus, f"--windows {there}, or give more text")
    what = f"the text fills {there} windows of {window}, not {windows} and {held_out} more that are held out"
    few = f"--windows {fits}" if fits > 0 else "a lower --window"
    if fits <= 0 and there > 1:
        few += f", or calibration_windows = 1 and --windows {there - 1}"
    return CorpusRefusal(what, corpus, f"{few}, or give more text")


def _changes(owners: list[int]) -> Iterator[tuple[int, int]]:
    return ((place, owner) for place, owner in enumerate(owners) if place == 0 or owners[place - 1] != owner)


def _ordered(documents: Sequence[T], seed: int) -> list[T]:
    # By hash, so that the order does not hang on any library's random numbers.
    order = sorted(range(len(documents)), key=lambda index: hashlib.sha256(f"{seed} {index}".encode()).digest())
    return [documents[index] for index in order]


def _tokenised(documents: list[str], tokenizer: Tokenizer, counts: dict[str, int]) -> Iterator[Iterator[list[int]]]:
    """Each document as an iterator over the tokens of its pieces; short documents are tokenised many at a time."""
    for start in range(0, len(documents), TOGETHER):
        group = documents[start : start + TOGETHER]
        short = [document for document in group if len(document) <= PIECE]
        tokens = iter(_ids(short, tokenizer) if short else [])
        for document in group:
            pieces = iter([next(tokens)]) if len(document) <= PIECE else (_ids([piece], tokenizer)[0] for piece in _pieces(document))
            yield _counted(pieces, document, tokenizer, counts)


def _counted(pieces: Iterator[list[int]], document: str, tokenizer: Tokenizer, counts: dict[str, int]) -> Iterator[list[int]]:
    counts["special"] += sum(document.count(token) for token in tokenizer.all_special_tokens)
    for piece in pieces:
        counts["tokens"] += len(piece)
        yield piece


def _pieces(document: str) -> Iterator[str]:
    start = 0
    while start < len(document):
        end = start + PIECE
        if end < len(document):
            end = document.rfind("\n", start + 1, end) + 1 or end
        yield document[start:end]
        start = end


def _blocks(documents: Iterator[tuple[int, Iterator[list[int]]]], separator: list[int], size: int) -> Iterator[tuple[list[int], list[int]]]:
    """Blocks of `size` tokens, and the document of each token: from long documents, and from the stream of what is left over."""
    stream: list[int] = []
    owners: list[int] = []
    for document, pieces in documents:
        rest: list[int] = []
        for piece in pieces:
            rest += piece
            whole = len(rest) - len(rest) % size
            yield from ((rest[start : start + size], [document] * size) for start in range(0, whole, size))
            del rest[:whole]
        if rest:
            if stream:
                stream += separator
                owners += [owners[-1]] * len(separator)
            stream += rest
            owners += [document] * len(rest)
            while len(stream) >= size:
                yield stream[:size], owners[:size]
                del stream[:size], owners[:size]


def _ids(texts: list[str], tokenizer: Tokenizer) -> list[list[int]]:
    return tokenizer(texts, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
