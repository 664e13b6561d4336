"""A tiny checkpoint in hub layout, a tiny tokenizer and a text, made afresh; nothing here is loaded by tests that do not ask for it."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from toy_checkpoint import save_checkpoint, save_tokenizer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A busy machine is no fault of the code: examples are not timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SAMPLE = """the of and in to was is for on as with by he that at from his it an were river city music century war king author 12 1984
church film game team season album station island county language species"""
WORDS = SAMPLE.split()

# Before anything imports huggingface_hub, which reads it once: without it, a test of a missing model waits for the network.
os.environ["HF_HUB_OFFLINE"] = "1"
# Read when torch is loaded: threads that spin while they wait are many times slower where two test processes share two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session", autouse=True)
def heeded() -> None:
    """Ctrl-C is heeded by what tests start, also where they run in a script's background, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fingerprints are kept in a folder of the test's own."""
    monkeypatch.setenv("HEADCOUNT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """One browser for all tests of a process: those of pages, of a built site, and of hostile text."""
    from chromium import running

    with running() as found:
        yield found


@pytest.fixture
def write_text(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder of text files of so many words each, the words seeded."""

    def write(*lengths: int, name: str = "texts") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        words = random.Random(0)
        for number, length in enumerate(lengths):
            (folder / f"{number:02}.txt").write_text(" ".join(words.choices(WORDS, k=length)) + ".\n", encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tokenizer.json of a real byte-level BPE with 300 tokens; the start token has id 0."""
    return save_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json", WORDS)


@pytest.fixture
def make_checkpoint(tmp_path: Path, tokenizer_file: Path) -> Callable[..., Path]:
    """Saves a random checkpoint with the toy tokenizer in hub layout: gpt2, llama, bert or t5, with any setting of its configuration."""

    def make(kind: str = "gpt2", name: str = "toy-model", **settings: Any) -> Path:
        return save_checkpoint(tmp_path / name, tokenizer_file, kind, **settings)

    return make


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--site PATH` names the built site that tests/site looks at; `--whole` and `--record FOLDER` are those of tests/torture."""
    parser.addoption("--site", type=Path, default=None, help="a built site, for tests/site; without it they are skipped")
    parser.addoption("--whole", action="store_true", help="all trials of tests/torture; without it a few of each")
    parser.addoption("--record", type=Path, default=None, help="folder for the counts of tests/torture")
