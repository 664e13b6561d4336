"""Fixtures of the report's tests: planted counters, and a site built from them once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest
from browsing import Watched, visiting
from labelled_heads import add_detectors
from planted_calibration import add_calibration
from planted_examples import add_examples
from planted_heads import add_planted_heads
from planting import PLANTED, add_published_counts, figures_of, write_counters
from playwright.sync_api import Browser

from report import figures
from report.build import Built, build
from report.publish import publish


@pytest.fixture(scope="session")
def planted_counters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight layers of three heads with detectors and a calibration, the reference figure, and planted heads."""
    path = write_counters(tmp_path_factory.mktemp("planted") / "counters.duckdb", PLANTED)
    return add_calibration(add_detectors(add_planted_heads(add_published_counts(path))))


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


@pytest.fixture(scope="session")
def published(planted_counters: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file of the planted counters with every figure of the package."""
    path = tmp_path_factory.mktemp("published") / "headcount.duckdb"
    publish(planted_counters, path, figures.load())
    return path


@pytest.fixture(scope="session")
def built(planted_counters: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A whole site of the planted counters, built once; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("built")
    return build(planted_counters, folder / "site", folder / "headcount.duckdb")


@pytest.fixture(scope="session")
def small(planted_counters: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A site of the same counters with the one figure that most is told of."""
    folder = tmp_path_factory.mktemp("small")
    return build(planted_counters, folder / "site", folder / "headcount.duckdb", figures_of(folder))


@pytest.fixture(scope="session")
def exemplary(planted_counters: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A site of the planted counters with examples, and with a second run of the same weights over another text."""
    folder = tmp_path_factory.mktemp("exemplary")
    path = Path(shutil.copy(planted_counters, folder / "counters.duckdb"))
    add_examples(path)
    write_counters(path, np.array([[20, 80, 85]] * 8), run_id="toy on code", title="Toy on code")
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "update run set corpus_sha256 = repeat('2', 64), model = 'planted', corpus = 'code' where run_id = 'toy on code'"
        )
    return build(path, folder / "site", folder / "headcount.duckdb", figures_of(folder))


@pytest.fixture
def as_usual() -> dict[str, object]:
    """How a visitor's browser is set where a test says nothing else; a module may say so for all of its tests."""
    return {}


@pytest.fixture
def watched(browser: Browser, address: str, as_usual: dict[str, object], request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A visitor of the site that the module serves at its `address`; the test fails where anything complained or another host was asked."""
    with visiting(browser, address, **as_usual | getattr(request, "param", {})) as visitor:
        yield visitor


@pytest.fixture
def copy_of_built(built: Built, tmp_path: Path) -> tuple[Path, Path]:
    """Published file and site that a test may spoil."""
    shutil.copytree(built.site, tmp_path / "site")
    return Path(shutil.copy(built.published, tmp_path / "headcount.duckdb")), tmp_path / "site"
