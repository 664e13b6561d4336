"""Flipped bits in the downloads of a built site: `report check` and `sha256sum --check` find each."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from damaging import SEED, Record, check, cuts, flips
from planting import figures_of, write_counters

from report.build import build
from report.check import SEAL, differences

TITLE = "Flipped bits in downloads"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of planted counters and its published file."""
    folder = tmp_path_factory.mktemp("built")
    counters = write_counters(folder / "counters.duckdb", np.array([[10, 90], [40, 60], [20, 70], [50, 30]]), shards=3)
    build(counters, folder / "site", folder / "headcount.duckdb", figures_of(folder))
    return folder


def test_a_damaged_download_is_found(folder: Path, tmp_path: Path, whole: bool, record: Record) -> None:
    site = Path(shutil.copytree(folder / "site", tmp_path / "site"))
    published = folder / "headcount.duckdb"
    assert not any(differences(published, site).values())
    downloads = sorted((site / "data").rglob("*.parquet"))
    assert downloads
    trials = 60 if whole else 6
    for number in range(trials):
        path = downloads[number % len(downloads)]
        content = path.read_bytes()
        # Every tenth is cut off.
        (damaged,) = (cuts if number % 10 == 9 else flips)(content, 1, SEED + number)
        path.write_bytes(damaged)
        name = path.relative_to(site).as_posix()
        # The whole check takes seconds: a reader's tool, and what it compares by hash, are tried each time, and all of it now and then.
        summed = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=site, capture_output=True, text=True, check=False)
        found = summed.returncode == 1 and summed.stdout.strip() == f"{name}: FAILED"
        check(record, "Parquet download, damaged: `sha256sum --check`", "found, by its name" if found else "LET IN")
        if number % 3 == 0:
            told = differences(published, site)
            named = any(name in text for part in SEAL for text in told[part])
            check(record, "Parquet download, damaged: `report check`", "found, by its name" if named else "LET IN")
        path.write_bytes(content)
    assert not any(differences(published, site).values())


def test_the_command_ends_with_1_at_a_damaged_download_and_with_one_line_for_a_damaged_file(
    folder: Path, tmp_path: Path, record: Record
) -> None:
    site = Path(shutil.copytree(folder / "site", tmp_path / "site"))
    path = next((site / "data").rglob("*.parquet"))
    path.write_bytes(next(flips(path.read_bytes(), 1, SEED)))
    command = [sys.executable, "-m", "report", "check"]
    done = subprocess.run([*command, str(folder / "headcount.duckdb"), str(site)], cwd=ROOT, capture_output=True, text=True, check=False)
    outcome = "found, exit code 1" if done.returncode == 1 and path.name in done.stderr else "LET IN"
    check(record, "Parquet download, damaged: the command `report check`", outcome)
    published = tmp_path / "headcount.duckdb"
    published.write_bytes(next(flips((folder / "headcount.duckdb").read_bytes(), 1, SEED)))
    done = subprocess.run([*command, str(published), str(site)], cwd=ROOT, capture_output=True, text=True, check=False)
    outcome = "refused in one line, exit code 7" if done.returncode == 7 and len(done.stderr.splitlines()) == 1 else "LET IN"
    check(record, "Published file, a bit flipped: the command `report check`", outcome)
