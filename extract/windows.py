"""Documents → token windows, in a fixed order, lazily: no more text is tokenised than the windows asked for need.

A window is one start token and T - 1 tokens of text. A document of T - 1 tokens or more fills windows of its own; what is left over,
and shorter documents, are joined by a blank line – never by another start or end-of-text token, which would attract attention of its
own – into a stream that is cut into windows too. Text that equals a special token is read as plain text, and counted."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from extract.errors import CorpusRefusal, ModelRefusal

# Longer documents are tokenised in pieces of about so many characters, cut at a line break: one large file costs no more than it gives.
PIECE = 2**20
TOGETHER = 64
SEPARATOR = "\n\n"


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


def cut(
    documents: Sequence[str], tokenizer: Tokenizer, *, window: int, windows: int, seed: int, corpus: str
) -> tuple[Int64[np.ndarray, "windows window"], int]:
    """The first `windows` windows of `window` tokens, and how often the text read for them equalled a special token.

    `corpus` names the text in a refusal: CorpusRefusal where it does not fill the windows."""
    counts = {"special": 0, "tokens": 0}
    blocks = _blocks(_tokenised(_ordered(documents, seed), tokenizer, counts), _ids([SEPARATOR], tokenizer)[0], window - 1)
    taken = list(itertools.islice(blocks, windows))
    if not taken:
        raise CorpusRefusal(f"{counts['tokens']} tokens < window {window}", corpus, "lower --window, or give more text")
    if len(taken) < windows:
        raise CorpusRefusal(
            f"the text fills {len(taken)} of {windows} windows of {window}", corpus, f"--windows {len(taken)}, or give more text"
        )
    start = np.full((windows, 1), start_token(tokenizer), dtype=np.int64)
    return np.concatenate([start, np.array(taken, dtype=np.int64)], axis=1), counts["special"]


def _ordered(documents: Sequence[str], seed: int) -> list[str]:
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


def _blocks(documents: Iterator[Iterator[list[int]]], separator: list[int], size: int) -> Iterator[list[int]]:
    """Blocks of `size` tokens: from long documents, and from the stream of what is left over."""
    stream: list[int] = []
    for pieces in documents:
        rest: list[int] = []
        for piece in pieces:
            rest += piece
            whole = len(rest) - len(rest) % size
            yield from (rest[start : start + size] for start in range(0, whole, size))
            del rest[:whole]
        if rest:
            stream += [*separator, *rest] if stream else rest
            while len(stream) >= size:
                yield stream[:size]
                del stream[:size]


def _ids(texts: list[str], tokenizer: Tokenizer) -> list[list[int]]:
    return tokenizer(texts, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
