"""Words that stand nowhere else, and the search for them in bytes: in every common encoding, and inside of what is packed.

All words begin with one stem, so that a single search finds any of them, those cut short too."""

import base64
import gzip
import hashlib
import io
import random
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import duckdb

# Letters that make no syllable of any language, so that nothing is found by chance.
_LETTERS = "bdfghjkmpqvwxz"
# Nine letters of a time zone's name are told: the stem must fit.
_STEM, _REST = 8, 8
_NUMBER = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|DECIMAL.*|BOOLEAN|DATE|TIMESTAMP.*)$")
_CATALOGUE = ("tables", "columns", "views", "types", "functions", "constraints", "indexes", "sequences", "schemas")
_URI = re.compile(rb"base64,([A-Za-z0-9+/=]{24,})")


class Words:
    """A word for every thing that is planted, drawn with a seed, by its kind and its name: `words("identity: user")`."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self.stem = self._letters(_STEM)
        self.planted: dict[str, str] = {}
        self._needles = needles(self.stem)

    def __call__(self, what: str) -> str:
        """The word of this thing, the same each time."""
        return self.planted.setdefault(what, self.stem + self._letters(_REST))

    def _letters(self, count: int) -> str:
        return "".join(self._draw.choices(_LETTERS, k=count))

    def within(self, name: str, content: bytes) -> list[str]:
        """Where words stand in a file, packed or not, or in its name, and which: nothing where there is none."""
        found = [f"name of {name}: {self._which(name.encode())}"] if self.finds(name.encode()) else []
        return found + [f"{where}: {self._which(part)}" for where, part in unpacked(name, content) if self.finds(part)]

    def below(self, *roots: Path) -> list[str]:
        """The same of these files, and of every file and name below these folders."""
        found: list[str] = []
        seen: set[bytes] = set()
        for root in roots:
            # The name of a file or folder that is asked for is the user's own.
            named = {path: path.relative_to(root).as_posix() for path in sorted(root.rglob("*"))} if root.is_dir() else {root: "the file"}
            for path, name in named.items():
                content = path.read_bytes() if path.is_file() else b""
                digest = hashlib.sha256(content).digest()
                found += self.within(name, b"" if digest in seen else content)
                seen.add(digest)
        return found

    def finds(self, content: bytes) -> bool:
        """Whether a word stands in the content as it is, in any form."""
        lower = content.lower()
        return any(needle in lower for needle in self._needles)

    def _which(self, content: bytes) -> str:
        lower = content.lower()
        whole = [what for what, word in self.planted.items() if any(needle in lower for needle in needles(word))]
        return ", ".join(whole) or "a part of a word"


def forms(word: str) -> dict[str, bytes]:
    """How a word of ASCII letters may be written, by the name of the form."""
    raw = word.encode()
    written = {
        "UTF-8": raw,
        "UTF-16, little end first": word.encode("utf-16-le"),
        "UTF-16, big end first": word.encode("utf-16-be"),
        "percent": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "hexadecimal": raw.hex().encode(),
        "JSON escapes": "".join(f"\\u{byte:04x}" for byte in raw).encode(),
        "JavaScript escapes": "".join(f"\\x{byte:02x}" for byte in raw).encode(),
        "HTML entities, decimal": "".join(f"&#{byte};" for byte in raw).encode(),
        "HTML entities, hexadecimal": "".join(f"&#x{byte:x};" for byte in raw).encode(),
        "upper case": word.upper().encode(),
    }
    for shift in range(3):
        for kind, encode in (("Base64", base64.b64encode), ("Base64 for URLs", base64.urlsafe_b64encode)):
            # Sextets that hold bits of what stands before or after the word are left out.
            first, whole = -(-8 * shift // 6), 8 * (shift + len(raw)) // 6
            written[f"{kind}, {shift} bytes in"] = encode(bytes(shift) + raw)[first:whole]
    return written


def needles(word: str) -> tuple[bytes, ...]:
    """All that is looked for in content in lower case: every form, of the word in capitals too, which Base64 and hexadecimal keep apart."""
    written = {form.lower() for spelt in (word, word.upper(), word.capitalize()) for form in forms(spelt).values()}
    return tuple(sorted(written))


def unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """The content, and whatever is inside of it, to any depth, each with its place; known by its first bytes, not by its name."""
    yield name, content
    for inside, part in _inside(content):
        yield from unpacked(f"{name} > {inside}", part)


def _inside(content: bytes) -> Iterator[tuple[str, bytes]]:
    if content[:2] == b"\x1f\x8b":
        yield "gzip", gzip.decompress(content)
    elif content[:4] == b"PK\x03\x04":
        yield from _of_zip(content)
    elif content[:4] == b"PAR1":
        yield from _of_tables(content, ".parquet")
    elif content[8:12] == b"DUCK":
        yield from _of_tables(content, ".duckdb")
    elif content[:8] == b"\x89PNG\r\n\x1a\n":
        yield from _of_picture(content)
    else:
        for number, packed in enumerate(_URI.findall(content)):
            yield f"data address {number}", base64.b64decode(packed + b"=" * (-len(packed) % 4))


def _of_zip(content: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            yield entry.filename, archive.read(entry)


def _of_picture(content: bytes) -> Iterator[tuple[str, bytes]]:
    """What a PNG says beside its pixels."""
    at = 8
    while at + 8 <= len(content):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        chunk, at = content[at + 8 : at + 8 + size], at + 12 + size
        if kind == b"zTXt":
            yield "zTXt", zlib.decompress(chunk.split(b"\0", 1)[1][1:])
        elif kind == b"iTXt" and chunk.split(b"\0", 1)[1][:1] == b"\1":
            yield "iTXt", zlib.decompress(chunk.split(b"\0", 1)[1][2:].split(b"\0", 2)[2])


def _of_tables(content: bytes, ending: str) -> Iterator[tuple[str, bytes]]:
    """The rows of every table as text, for they are compressed in the file; of a database also what its catalogue says."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{ending}"
        path.write_bytes(content)
        if ending == ".parquet":
            with duckdb.connect() as connection:
                yield "rows", _text(connection, f"read_parquet('{path}')")
                yield "what the file says of itself", _text(connection, f"parquet_kv_metadata('{path}')")
            return
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute("select schema_name, table_name from duckdb_tables() where not internal order by all").fetchall()
            for schema, table in tables:
                yield f"table {table}", _text(connection, f'"{schema}"."{table}"')
            for kind in _CATALOGUE:
                yield f"catalogue: {kind}", _text(connection, f"(from duckdb_{kind}() where database_name = 'file')")


def _text(connection: duckdb.DuckDBPyConnection, source: str) -> bytes:
    """Every value that may hold a word."""
    kinds = connection.execute(f"describe from {source}").fetchall()
    # file_name is the place of this copy.
    columns = ", ".join(f'"{name}"' for name, kind, *_ in kinds if not _NUMBER.match(kind) and name != "file_name")
    if not columns:
        return b""
    rows = connection.execute(f"select distinct {columns} from {source}").fetchall()
    # str() shows bytes with escapes for all but letters, which would tear a word in UTF-16.
    parts = (part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass") for row in rows for part in row)
    return b"\n".join(parts)
