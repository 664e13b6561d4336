"""A toy checkpoint and its run, made once per module: three shards of two windows, on a random GPT-2 of two layers.

Fixtures under the names that tests ask for; imported under others, as a test's argument would hide the import."""

import random
from pathlib import Path

import pytest
from toy_checkpoint import save_checkpoint

from extract.config import RunConfig
from extract.run import measure

TEXT = "the of and in to was river city music century war king author film game team season album station island"


@pytest.fixture(scope="module", name="trials")
def damaged_copies(whole: bool) -> int:
    """How many damaged copies of each file are tried."""
    return 60 if whole else 6


@pytest.fixture(scope="module", name="toy")
def flipped_toy(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> RunConfig:
    """The run of a fresh toy checkpoint over a fresh text."""
    folder = tmp_path_factory.mktemp("toy")
    texts = folder / "texts"
    texts.mkdir(parents=True)
    (texts / "a.txt").write_text(" ".join(random.Random(0).choices(TEXT.split(), k=600)), encoding="utf-8")
    size = {"window": 24, "windows": 6, "shards": 3, "repeated_windows": 3, "repeated_tokens": 8, "calibration_windows": 2}
    return RunConfig("Toy", str(save_checkpoint(folder / "toy-model", tokenizer_file)), str(texts), **size)


@pytest.fixture(scope="module", name="finished")
def finished_toy(toy: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the finished run: counters and working file."""
    folder = tmp_path_factory.mktemp("finished")
    measure(toy, folder / "counters.duckdb")
    return folder
