"""Text files → documents: a folder, a pattern, .txt (one document), .jsonl and .parquet (one per line or row, key "text"); `embedded`, or
`python` for the standard library of the Python at hand.

A document's title is the file's name for .txt, and what stands under the key "title" elsewhere: shown beside examples, never measured.

Documents stand in one canonical order, by file name and then as in the file, and are hashed in it. What cannot be read as text is
refused, with the file and the place; a byte order mark, NUL bytes and lone surrogates are taken out and counted. Nothing here holds or
keeps a local path: a corpus is known by the name of its file or folder."""

import dataclasses
import glob
import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path

from extract import assets, fingerprint, parquet_text, standard_library
from extract.config import RunConfig, is_hidden
from extract.errors import CorpusRefusal

READ = (".txt", ".jsonl", ".parquet")
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".tar", ".tgz", ".lz4", ".br")
LARGEST_CORPUS = 2**30
LONGEST_TITLE = 200
_MARKS = ("byte order marks", "NUL bytes", "lone surrogates")

Document = tuple[str, object]
"""A text and its title as read: anything, for a title that is no text is left out."""


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A text as read. `sha256` is over the documents in order; `cleaned` counts what was taken out of them, by kind.

    `titles` has one entry per document: None where it has none."""

    name: str
    sha256: str
    licence: str | None
    documents: tuple[str, ...]
    titles: tuple[str | None, ...]
    cleaned: dict[str, int]


def identify(corpus: str, longest: int = RunConfig.max_line_bytes) -> str:
    """The corpus's sha256, without reading files that have not changed since they were last read. Raises CorpusRefusal as `read` does."""
    key = fingerprint.of_state(_files(corpus), "documents")
    return fingerprint.recall(key) or read(corpus, longest).sha256


def read(corpus: str, longest: int = RunConfig.max_line_bytes) -> Corpus:
    """Every document of the corpus, whose lines are of `longest` bytes or fewer.

    Raises CorpusRefusal for what is missing, unreadable, no text, too large or empty."""
    files = _files(corpus)
    documents: list[str] = []
    titles: list[str | None] = []
    cleaned, size = dict.fromkeys(_MARKS, 0), 0
    for file in files:
        documents_of = _SOURCES.get(corpus)
        for text, title in documents_of(file) if documents_of else _documents(file, longest):
            text = _clean(text, cleaned)
            size += len(text)
            if size > LARGEST_CORPUS:
                raise CorpusRefusal(f"the text is longer than {LARGEST_CORPUS} characters", file.name, "give a part of it")
            if text:
                documents.append(text)
                titles.append(_title(title))
    if not documents:
        raise CorpusRefusal("0 tokens: no text in it", corpus_name(corpus), "give a corpus with text")
    digest = hashlib.sha256()
    for document in documents:
        encoded = document.encode()
        # The length keeps the documents apart: "ab", "c" is another corpus than "a", "bc".
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    fingerprint.remember(fingerprint.of_state(files, "documents"), digest.hexdigest())
    licence = {assets.EMBEDDED: assets.CORPUS_LICENCE, standard_library.NAME: standard_library.LICENCE}.get(corpus)
    taken_out = {kind: n for kind, n in cleaned.items() if n}
    return Corpus(corpus_name(corpus), digest.hexdigest(), licence, tuple(documents), tuple(titles), taken_out)


def corpus_name(corpus: str) -> str:
    """The corpus's name for the database: the file's, folder's or pattern's own name, never its path."""
    if corpus == standard_library.NAME:
        return standard_library.title()
    return assets.CORPUS_TITLE if corpus == assets.EMBEDDED else fingerprint.own_name(Path(corpus))


def _files(corpus: str) -> list[Path]:
    """The files of a corpus in canonical order."""
    if corpus == assets.EMBEDDED:
        return [assets.fetch_corpus()]
    if corpus == standard_library.NAME:
        return standard_library.modules()
    path = Path(corpus)
    try:
        path = path.expanduser()
        if path.is_dir():
            below = sorted(path.rglob("*"), key=lambda file: file.relative_to(path).as_posix())
            files = [file for file in below if file.suffix.lower() in READ + COMPRESSED and not file.is_dir()]
        elif glob.has_magic(corpus) and not path.exists():
            files = sorted(file for file in Path(path.anchor).glob(str(path.relative_to(path.anchor))) if not file.is_dir())
        else:
            # Raises for a file that is not there, or that symbolic links lead round in a circle to.
            path.stat()
            files = [path]
    # A name that is no text is a ValueError.
    except (OSError, RuntimeError, ValueError) as error:
        raise _unreadable(error, path) from error
    if not files:
        kinds = ", ".join(READ)
        raise CorpusRefusal(f"no files match {path.name!r}", corpus_name(corpus), f"give a folder, pattern or file of the kinds {kinds}")
    for file in files:
        _check_kind(file)
    return files


def _check_kind(file: Path) -> None:
    try:
        state = file.stat()
    except OSError as error:
        raise _unreadable(error, file) from error
    if file.suffix.lower() in COMPRESSED:
        raise CorpusRefusal("compressed corpora are not read", file.name, "unpack it first")
    if not stat.S_ISREG(state.st_mode):
        raise CorpusRefusal("not a regular file", file.name, "give a file that holds text")
    if file.suffix.lower() not in READ:
        raise CorpusRefusal(f"files ending in {file.suffix or 'nothing'!r} are not read", file.name, f"give one of {', '.join(READ)}")
    if state.st_size > LARGEST_CORPUS:
        raise CorpusRefusal(f"larger than {LARGEST_CORPUS // 2**20} MiB", file.name, "give a part of it")


def _documents(file: Path, longest: int) -> Iterator[Document]:
    try:
        kind = file.suffix.lower()
        if kind == ".parquet":
            yield from parquet_text.documents(file, LARGEST_CORPUS)
        else:
            yield from {".txt": _plain, ".jsonl": _json_lines}[kind](file, longest)
    except OSError as error:
        raise _unreadable(error, file) from error


def _embedded(file: Path) -> Iterator[Document]:
    for article in json.loads(file.read_text(encoding="utf-8")).values():
        yield article["extract"], article["title"]


def _python(file: Path) -> Iterator[Document]:
    found = standard_library.passage(file)
    return iter([found] if found else [])


# The texts that are known by a word; anything else is a file, a folder or a pattern.
_SOURCES = {assets.EMBEDDED: _embedded, standard_library.NAME: _python}
BY_WORD = frozenset(_SOURCES)


def _plain(file: Path, longest: int) -> Iterator[Document]:
    yield "".join(_decoded(line, file, offset) for line, offset, _ in _lines(file, longest)), file.stem


def _lines(file: Path, longest: int) -> Iterator[tuple[bytes, int, str]]:
    """The lines of a file, each with the byte that it begins at and its place; no more than one is held."""
    offset = 0
    with file.open("rb") as stream:
        for number in range(1, 2**63):
            line = stream.readline(longest + 1)
            if not line:
                return
            if len(line) > longest:
                raise _too_long(f"{file.name}, line {number}", longest)
            yield line, offset, f"{file.name}, line {number}"
            offset += len(line)


def _too_long(where: str, longest: int) -> CorpusRefusal:
    size = f"{longest // 2**20} MiB" if longest % 2**20 == 0 else f"{longest:,} bytes"
    return CorpusRefusal(f"the line is longer than {size}", where, "cut it into lines, or raise the cap with --max-line-bytes")


def _json_lines(file: Path, longest: int) -> Iterator[Document]:
    for line, offset, where in _lines(file, longest):
        text = _decoded(line, file, offset).removeprefix("\ufeff")
        if text.strip():
            yield _document_of(text, where)


def _document_of(line: str, where: str) -> Document:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorpusRefusal(f"not JSON: {error}", where, 'write one object per line, {"text": "..."}') from error
    text = document.get("text") if isinstance(document, dict) else None
    if not isinstance(text, str):
        raise CorpusRefusal('no text under the key "text"', where, 'write one object per line, {"text": "..."}')
    return text, document.get("title")


def _decoded(data: bytes, file: Path, offset: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        what = "compressed corpora are not read" if data[:2] == b"\x1f\x8b" else f"not UTF-8 at byte {offset + error.start}"
        raise CorpusRefusal(what, file.name, "convert it to plain UTF-8 text") from error


def _title(title: object) -> str | None:
    """A title as it is kept: cleaned as the text is, in one line of bounded length."""
    line = " ".join(_clean(title, dict.fromkeys(_MARKS, 0)).split()) if isinstance(title, str) else ""
    # Line ends are hidden characters too: first they become spaces, then spaces that others leave behind are joined.
    line = " ".join("".join(character for character in line if not is_hidden(character)).split())
    return (line if len(line) <= LONGEST_TITLE else line[: LONGEST_TITLE - 1].rstrip() + "…") or None


def _clean(text: str, cleaned: dict[str, int]) -> str:
    if text.startswith("\ufeff"):
        cleaned["byte order marks"] += 1
        text = text.removeprefix("\ufeff")
    if "\0" in text:
        cleaned["NUL bytes"] += text.count("\0")
        text = text.replace("\0", "")
    if not text.isascii():
        lone = sum("\ud800" <= character <= "\udfff" for character in text)
        cleaned["lone surrogates"] += lone
        text = text.encode("utf-8", "ignore").decode() if lone else text
    return text.strip()


def _unreadable(error: Exception, path: Path) -> CorpusRefusal:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return CorpusRefusal(f"cannot be read: {said}", str(path), "check the path and its permissions")
