"""Fixtures of the report's tests: planted counters, and a site built from them once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from planting import PLANTED, add_published_counts, write_counters

@pytest.fixture(scope="session")
def planted_counters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight layers of three heads, and the reference figure."""
    return add_published_counts(write_counters(tmp_path_factory.mktemp("planted") / "counters.duckdb", PLANTED))


@pytest.fixture
def counters(planted_counters: Path, tmp_path: Path) -> Path:
    """A copy of the planted counters that a test may change."""
    return Path(shutil.copy(planted_counters, tmp_path / "counters.duckdb"))


@pytest.fixture
def change(tmp_path: Path) -> Callable[[Path, str], None]:
    """Run one SQL statement on a database file."""

    def run(path: Path, sql: str) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute(sql)

    return run
