"""Files that are almost right: valid ones, changed byte by byte, and tables of TOML whose values are of every kind."""

import json
from collections.abc import Callable

from hypothesis import strategies as st

Change = Callable[[bytes], bytes]
# That of conftest.py, a name which several folders of tests have.
SEED = 20260

# What parsers trip over: ends, marks, halves of characters, numbers beyond numbers, brackets without end, names that mean something.
TOKENS = [
    b"\0", b"\n", b"\r", b"\r\n", b'"', b"'", b'"""', b"\\", b"\\u0000", b"\\ud800", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xff\xfe",
    b"\xf0\x9f",
    b"\x1b[31m", "\u202e".encode(), "\u2028".encode(), "e\u0301".encode(), b"nan", b"-inf", b"1e999", b"-1", b"-0.0", b"9" * 400,
    b"9" * 5000,
    b"0x7fffffffffffffff", b"9223372036854775808", b"true", b"null", b"[]", b"{}", b"[[", b"[" * 3000, b'{"a":' * 3000, b",", b",,,", b"=",
    b"#",
    b"../", b"name", b"text", b"layer", b"head", b"value", b"edges", b"1979-05-27T07:32:00Z", b"07:32:00", b"__metadata__",
]  # fmt: skip


def _at(place: float, whole: bytes) -> int:
    return int(place * len(whole))


def _flip(place: float, bit: int) -> Change:
    def change(whole: bytes) -> bytes:
        at = min(_at(place, whole), len(whole) - 1)
        return whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :] if whole else whole

    return change


def _insert(place: float, token: bytes) -> Change:
    return lambda whole: whole[: _at(place, whole)] + token + whole[_at(place, whole) :]


def _replace(place: float, length: int, token: bytes) -> Change:
    return lambda whole: whole[: _at(place, whole)] + token + whole[_at(place, whole) + length :]


def _repeat(place: float, length: int, target: float) -> Change:
    def change(whole: bytes) -> bytes:
        piece = whole[_at(place, whole) : _at(place, whole) + length]
        return whole[: _at(target, whole)] + piece + whole[_at(target, whole) :]

    return change


def _line_twice(number: int) -> Change:
    def change(whole: bytes) -> bytes:
        lines = whole.splitlines(keepends=True)
        return b"".join([*lines, lines[number % len(lines)]]) if lines else whole

    return change


def _number(number: int, token: bytes) -> Change:
    """One cell or value, found by the marks around it, becomes a token."""

    def change(whole: bytes) -> bytes:
        places = [at for at, byte in enumerate(whole) if byte in b"=,:[ "]
        if not places:
            return whole
        at = places[number % len(places)] + 1
        end = next((place for place in range(at, len(whole)) if whole[place] in b",\n]}"), len(whole))
        return whole[:at] + token + whole[end:]

    return change


def changes() -> st.SearchStrategy[Change]:
    """One change of a file."""
    place, length, token = st.floats(0, 1), st.integers(1, 40), st.sampled_from(TOKENS)
    return st.one_of(
        st.builds(_flip, place, st.integers(0, 7)),
        st.builds(_insert, place, token | st.binary(max_size=8)),
        st.builds(_replace, place, length, token | st.binary(max_size=8)),
        st.builds(_repeat, place, length, place),
        st.builds(_line_twice, st.integers(0, 50)),
        st.builds(_number, st.integers(0, 200), token),
        st.builds(lambda at: lambda whole: whole[: _at(at, whole)], place),
    )


def mutated(*seeds: bytes) -> st.SearchStrategy[bytes]:
    """One of these files after up to four changes."""

    def apply(seed: bytes, made: list[Change]) -> bytes:
        for change in made:
            seed = change(seed)
        return seed

    return st.builds(apply, st.sampled_from(seeds), st.lists(changes(), min_size=1, max_size=4))


_NUMBERS = st.integers() | st.integers(-(10**400), 10**400) | st.floats() | st.sampled_from([0, 1, -1, 2**31, 2**63, 10**18])
_VALUES = st.recursive(
    st.booleans() | _NUMBERS | st.text(max_size=20) | st.sampled_from(["", " ", "embedded", "../x", "cuda", "float32", "a" * 400]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc.", min_size=1, max_size=3), inner, max_size=3),
    max_leaves=6,
)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else json.dumps(value) if isinstance(value, str) else repr(value)


def tables(valid: bytes, *keys: str) -> st.SearchStrategy[bytes]:
    """The valid TOML file with some keys of values of any kind in place of its own."""

    def replaced(values: dict[str, object]) -> bytes:
        top, bar, rest = valid.decode().partition("\n[")
        kept = [line for line in top.splitlines() if line.partition("=")[0].strip() not in values]
        given = [f"{key} = {_toml(value)}" for key, value in values.items()]
        left = "" if any(bar + rest.split("]")[0] == f"\n[{key}" for key in values) else bar + rest
        return ("\n".join([*kept, *given]) + left).encode("utf-8", "surrogatepass")

    return st.builds(replaced, st.dictionaries(st.sampled_from(keys), _VALUES, min_size=1, max_size=4))
