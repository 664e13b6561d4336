"""Readers of files that people write: whatever the bytes, a valid reading or one line of refusal, in bounded time and memory.

Hypothesis changes valid files; what it has found stands in FOUND, and is tried first for ever after."""

import io
import re
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import get_type_hints

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from mutating import SEED, mutated, tables

from extract import config, corpus
from extract import tables as csv_tables
from extract.checkpoint_files import locate
from extract.errors import Refusal
from report import detectors, figures
from report.errors import Refusal as ReportRefusal

TITLE = "Files changed at random"
ROOT = Path(__file__).parents[2]
# Beyond what the process has, and for one file of a few kilobytes.
MEMORY, SECONDS = 2**30, 10
RUN = (ROOT / "runs" / "gpt2.toml").read_bytes()
FIGURE = (ROOT / "report" / "figures" / "activation.toml").read_bytes()
DETECTOR = (ROOT / "report" / "detectors" / "induction.toml").read_bytes()
COUNTS = (ROOT / "runs" / "gpt2-xl-published-counts.csv").read_bytes()
HEADS = b"layer,head,value\n0,0,.1\n0,1,1e-3\n1,0,0.25\n1,1,1\n"
LINES = b'{"text": "the city", "title": "T"}\n\n{"text": "half \\ud800 \\u0000", "n": [1, {"a": 2.5}]}\n'
PLAIN = b"\xef\xbb\xbfthe city\r\nand the \xe2\x80\x93 river\0\n"
SAFE = b'{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
SAFETENSORS = len(SAFE).to_bytes(8, "little") + SAFE + b"\0" * 4
MODEL = b'{"model_type": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 16, "quantization_config": null, "auto_map": {}}'


def _parquet(**columns: list[object]) -> bytes:
    buffer = io.BytesIO()
    pa.parquet.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _heads(path: Path) -> object:
    values = csv_tables.read_heads(path)
    return csv_tables.band_edges(None, "1", sorted(values.values()))


def _figure(path: Path) -> object:
    (figure,) = figures.load(path.parent)
    return figure.edges_of_ranges(12)


def _checkpoint(path: Path) -> object:
    (path.parent / "tokenizer.json").write_text("{}", encoding="utf-8")
    for other, content in (("config.json", MODEL), ("model.safetensors", SAFETENSORS)):
        if path.name != other:
            (path.parent / other).write_bytes(content)
    return locate(str(path.parent))


def _folder(path: Path) -> object:
    (path.parent / "b.txt").write_bytes(PLAIN)
    return corpus.read(str(path.parent))


RUN_KEYS = tuple(get_type_hints(config.RunConfig))
FIGURE_KEYS = tuple(figures.REQUIRED | figures.OPTIONAL)
READERS: dict[str, tuple[str, Callable[[Path], object], st.SearchStrategy[bytes]]] = {
    "run files": ("run.toml", config.read, mutated(RUN) | tables(RUN, *RUN_KEYS)),
    "figure files": ("activation.toml", _figure, mutated(FIGURE) | tables(FIGURE, *FIGURE_KEYS)),
    "detector files": ("induction.toml", detectors.read, mutated(DETECTOR) | tables(DETECTOR, *detectors.KINDS)),
    "tables of heads": ("heads.csv", _heads, mutated(HEADS)),
    "tables of counts": ("counts.csv", csv_tables.read_counts, mutated(COUNTS)),
    "texts of lines": ("a.jsonl", lambda path: corpus.read(str(path)), mutated(LINES)),
    "folders of texts": ("a.txt", _folder, mutated(PLAIN) | st.binary(max_size=200)),
    "texts in Parquet": ("a.parquet", lambda path: corpus.read(str(path)), mutated(
        _parquet(text=["the city", None, "x" * 50], title=["T", None, "U"]), _parquet(text=["one"] * 9, n=[1] * 9))),
    "configurations of models": ("config.json", _checkpoint, mutated(MODEL)),
    "headers of weights": ("model.safetensors", _checkpoint, mutated(SAFETENSORS)),
}  # fmt: skip

# What was found, as (reader, bytes): each was an exception or an endless reading once.
FOUND: list[tuple[str, bytes]] = [
    ("run files", RUN + b"\nx = " + b"9" * 5000),
    ("run files", RUN + b"\nx = " + b"[" * 3000),
    ("figure files", FIGURE.replace(b"ordinal = 1", b"ordinal = " + b"9" * 5000)),
    ("figure files", FIGURE.replace(b"[0, 20,", b"[-" + b"9" * 400 + b", 20,")),
    ("figure files", FIGURE.replace(b"threshold = 0.5", b"threshold = " + b"9" * 400)),
    ("figure files", FIGURE.replace(b"colours = [", b"colours = 5\nx = [")),
    ("tables of heads", b'"layer\n,head,value\n0,0,.1\n'),
    ("headers of weights", (600000).to_bytes(8, "little") + b'{"a":' * 120000),
    ("configurations of models", b"[" * 200000),
    ("texts in Parquet", b"PAR1" + b"\0" * 99 + b"PAR1"),
]


@contextmanager
def bounded() -> Iterator[None]:
    """Too much memory and too much time are exceptions inside."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {SECONDS} s for one small file")

    now = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
    limits, handler = resource.getrlimit(resource.RLIMIT_AS), signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, limits[1]))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def outcome(kind: str, content: bytes, folder: Path) -> str:
    """How a reader took a file; any exception but a refusal of one line passes."""
    name, read, _ = READERS[kind]
    (folder / name).write_bytes(content)
    try:
        with bounded():
            read(folder / name)
    except (Refusal, ReportRefusal) as refusal:
        line = str(refusal)
        assert re.fullmatch(r"error: .+ \(.+\); fix: .+", line) and line.isprintable() and len(line) < 10_000, line
        assert refusal.exit_code in (2, 3, 4), line
        return "refused in one line"
    return "valid, and read"


@pytest.mark.parametrize(("kind", "content"), FOUND, ids=[f"{kind}-{number}" for number, (kind, _) in enumerate(FOUND)])
def test_what_was_found_once_stays_mended(kind: str, content: bytes, tmp_path: Path) -> None:
    assert outcome(kind, content, tmp_path) == "refused in one line"


@pytest.mark.parametrize("kind", READERS)
def test_whatever_the_bytes_a_reader_reads_or_refuses_in_one_line(
    kind: str, whole: bool, record: Callable[[str, str], None], tmp_path: Path
) -> None:
    end = monotonic() + (32 if whole else 1.5)
    strategy = READERS[kind][2]
    for number in range(10**6):
        if number and monotonic() > end:
            return

        @seed(SEED + number)
        @settings(max_examples=200 if whole else 50, database=None, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
        @given(strategy)
        def attempt(content: bytes) -> None:
            ended = outcome(kind, content, tmp_path)
            record(f"{kind}, changed at random", ended)
            assert ended in ("valid, and read", "refused in one line")

        attempt()
