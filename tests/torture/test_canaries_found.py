"""The search for planted words finds them: written in every form, in every kind of container, and by the name of a file."""

import base64
import gzip
import io
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from canaries import Words
from warm import SEED

TITLE = "Whether a planted word would be found in what is published"
Record = Callable[[str, str], None]
# As other programs write a word, which the search must not be asked for.
FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "in capitals": lambda word: word.upper().encode(),
    "with a capital": lambda word: word.title().encode(),
    "cut short": lambda word: word[:10].encode(),
    "in a path": lambda word: f"file:///home/{word}/x".encode(),
    "UTF-16": lambda word: word.encode("utf-16"),
    "UTF-16, big end first": lambda word: word.encode("utf-16-be"),
    "Base64": lambda word: base64.b64encode(word.encode()),
    "Base64 after one byte": lambda word: base64.b64encode(b"\xff" + word.encode() + b"\xfe"),
    "Base64 after two bytes": lambda word: base64.b64encode(b"a:" + word.encode()),
    "Base64 for URLs": lambda word: base64.urlsafe_b64encode(b"\xfb\xef\xbe" + word.encode() + b"\xff"),
    "Base64 of capitals": lambda word: base64.b64encode(word.upper().encode()),
    "percent": lambda word: "".join(f"%{ord(letter):02x}" for letter in word).encode(),
    "hexadecimal": lambda word: word.encode().hex().upper().encode(),
    "JSON escapes": lambda word: "".join(f"\\u{ord(letter):04X}" for letter in word).encode(),
    "JavaScript escapes": lambda word: "".join(f"\\x{ord(letter):02x}" for letter in word).encode(),
    "HTML entities": lambda word: "".join(f"&#{ord(letter)};" for letter in word).encode(),
    "hexadecimal HTML entities": lambda word: "".join(f"&#X{ord(letter):X};" for letter in word).encode(),
    "beside other escapes": lambda word: quote(f"ü {word} é").encode(),
}
# Enough that DuckDB and Parquet compress the column.
ROWS = 3000


def rows(written: bytes) -> pa.Table:
    """A column of bytes and one of text, in one row of which the word stands."""
    texts = [f"row {number} of many that are much like each other" for number in range(ROWS)]
    texts[ROWS // 2] = written.decode("utf-8", "replace")
    content = [b"" if number != ROWS // 3 else written for number in range(ROWS)]
    return pa.table({"number": range(ROWS), "text": texts, "bytes": content if b"\xff" in written or b"\0" in written else [b""] * ROWS})


def page(written: bytes) -> bytes:
    return b"<!doctype html><p>nothing else</p><!--" + written + b"-->"


def packed(written: bytes) -> bytes:
    """An archive whose file the word stands in, in a folder of another archive."""
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("file.txt", page(written) * 5)
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/inner.bin", inner.getvalue())
    return outer.getvalue()


def parquet(written: bytes) -> bytes:
    file = io.BytesIO()
    pq.write_table(rows(written), file, compression="zstd")
    return file.getvalue()


def database(written: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.duckdb"
        with duckdb.connect(str(path)) as connection:
            table = rows(written)
            connection.register("told", table)
            connection.execute("create schema other")
            connection.execute("create table other.kept as from told order by number")
        return path.read_bytes()


def picture(written: bytes) -> bytes:
    chunks = b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in ((b"IHDR", bytes(13)), (b"zTXt", b"Author\0\0" + zlib.compress(written * 5)), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def address(written: bytes) -> bytes:
    """A page with a picture in its own text, whose author is compressed."""
    return b'<img src="data:image/png;base64,' + base64.b64encode(picture(written)) + b'">'


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "a page": page,
    "gzip": lambda written: gzip.compress(page(written) * 5),
    "an archive in an archive": packed,
    "Parquet": parquet,
    "a DuckDB table": database,
    "a picture's text": picture,
    "a data address": address,
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_word_is_found_in_every_form_in_every_container(container: str, record: Record) -> None:
    words = Words(SEED)
    word = words("identity: user")
    assert words.within("file", CONTAINERS[container](b"another word")) == []
    for form, write in FORMS.items():
        found = words.within("file", CONTAINERS[container](write(word)))
        record(f"a word in {container}", "found" if found else "LET IN")
        assert found, (container, form)


def test_a_word_in_the_name_of_a_file_or_of_a_file_in_an_archive_is_found(tmp_path: Path, record: Record) -> None:
    words = Words(SEED)
    word = words("place: site")
    (tmp_path / "site" / word).mkdir(parents=True)
    found = words.below(tmp_path / "site")
    assert found == [f"name of {word}: place: site"]
    record("a word in the name of a file", "found")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{word}.txt", "")
    assert words.within("file", file.getvalue())
    record("a word in the name of a file in an archive", "found")


def test_words_in_the_catalogue_of_a_database_are_found(tmp_path: Path, record: Record) -> None:
    words = Words(SEED)
    word = words("identity: user")
    for number, statement in enumerate(
        (
            f"create table {word} (a integer)",
            f"create table t (a {word})",
            f"create view v as select '{word}' as told",
            f"create macro m(a) as a || '{word}'",
            f"create table t (a integer); comment on column t.a is '{word}'",
            f"create table t (a integer default length('{word}'))",
        )
    ):
        path = tmp_path / f"{number}.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute(f"create type {word} as enum ('a')" if statement.endswith(f"(a {word})") else "select 1")
            connection.execute(statement)
        found = words.below(path)
        record("a word in the catalogue of a database", "found" if found else "LET IN")
        assert found, statement


def test_neither_the_bytes_nor_the_rows_of_a_database_are_enough(tmp_path: Path, record: Record) -> None:
    """What is compressed is found in the rows alone, what was deleted in the bytes alone."""
    words = Words(SEED)
    word = words("identity: user")
    path = tmp_path / "compressed.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create table kept as select n || ' of {word}' as told from range(100000) r(n)")
    content = path.read_bytes()
    # Of the word DuckDB keeps pieces, which the stem may be one of.
    assert word.encode() not in content
    assert "file > table kept: identity: user" in words.within("file", content)
    record("a word that DuckDB compressed", "found in the rows alone")
    path = tmp_path / "file.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table t (a varchar)")
        connection.execute(f"insert into t values ('{word}'), ('another')")
        connection.execute("checkpoint")
        connection.execute("delete from t where a <> 'another'")
    content = path.read_bytes()
    assert [place.partition(": ")[0] for place in words.within("file", content)] == ["file"]
    record("a word in a row that was deleted", "found in the bytes alone")
