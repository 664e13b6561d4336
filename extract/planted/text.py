"""What the proving ground reads: prose, code, JSON and repeated random tokens, as windows.

Code is passages of Python's standard library, JSON is records of tables that come with it: both of the running interpreter, chosen by
name and in a fixed order. Needs no torch."""

import html.entities
import itertools
import json
import sysconfig
import unicodedata
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from extract import corpus
from extract.config import RunConfig
from extract.errors import EnvironmentRefusal
from extract.planted import renumber
from extract.windows import Tokenizer, cut

PROSE, CODE, JSON, REPEATED = TEXTS = ("prose", "code", "json", "repeated")
# Modules of one file each, in every Python from 3.11 on.
MODULES = """
argparse ast base64 bisect calendar cmd codecs configparser contextlib copy csv difflib dis enum fileinput fnmatch fractions
ftplib functools getopt glob gzip hashlib heapq imaplib inspect ipaddress locale mailbox mimetypes optparse os pdb pickle platform
poplib pprint queue random sched selectors shelve shlex shutil smtplib socket ssl statistics subprocess tarfile tempfile textwrap
threading timeit tokenize trace traceback types typing uuid wave weakref webbrowser
"""
# Characters of a document: a window and a little more, so that windows come from many documents.
PASSAGE = 600
RECORDS = 6
FIRST_CHARACTER, LAST_CHARACTER = 0x21, 0x17F
SEED = 0

Record = dict[str, object]
Windows = Int64[np.ndarray, "windows window"]


def windows_of(tokenizer: Tokenizer, prose: corpus.Corpus, window: int, windows: int) -> dict[str, Windows]:
    """So many windows of each kind of text, tokens numbered by first appearance; of repeated random tokens one.

    Raises CorpusRefusal where the prose does not fill them, EnvironmentRefusal where Python's standard library is not there as text."""
    documents = {PROSE: prose.documents, CODE: tuple(code()), JSON: tuple(records())}
    found = {}
    for kind, texts in documents.items():
        made = cut(texts, tokenizer, window=window, windows=windows, seed=SEED, corpus=prose.name if kind == PROSE else kind)
        found[kind] = renumber(made[0])
    return found | {REPEATED: repeated()}


def repeated() -> Windows:
    """The start token and a piece of different tokens twice, as long as in a run: by first appearance, all such windows are one."""
    piece = np.arange(1, 1 + RunConfig.repeated_tokens)
    return np.concatenate([[0], np.tile(piece, RunConfig.repeated_copies)])[None]


def code() -> Iterator[str]:
    """A passage from the middle of each module, from the beginning of a line on."""
    folder = Path(sysconfig.get_path("stdlib"))
    for name in MODULES.split():
        try:
            text = (folder / f"{name}.py").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            fix = "use a Python that has its standard library as source"
            raise EnvironmentRefusal(f"the source of module {name} cannot be read", "Python's standard library", fix) from error
        start = text.index("\n", len(text) // 2) + 1
        yield text[start : start + PASSAGE]


def records() -> Iterator[str]:
    """Lists of a few records as JSON: HTML's named characters, HTTP's status codes, and Unicode's characters, in turn."""
    entities: Iterable[Record] = (
        {"entity": name, "characters": text, "codepoints": [*map(ord, text)]} for name, text in sorted(html.entities.html5.items())
    )
    statuses: Iterable[Record] = (
        {"code": int(s), "name": s.name, "phrase": s.phrase, "description": s.description or None} for s in HTTPStatus
    )
    characters: Iterable[Record] = (
        {"character": c, "code": ord(c), "name": unicodedata.name(c), "category": unicodedata.category(c), "upper": c.upper()}
        for c in map(chr, range(FIRST_CHARACTER, LAST_CHARACTER + 1))
        if unicodedata.name(c, "")
    )
    for some in zip(*map(_lists, (entities, statuses, characters)), strict=False):
        yield from (json.dumps(records, ensure_ascii=False, indent=1) for records in some)


def _lists(records: Iterable[Record]) -> Iterator[list[Record]]:
    iterator = iter(records)
    while some := list(itertools.islice(iterator, RECORDS)):
        yield some
