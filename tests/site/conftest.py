"""Fixtures of the tests of a built site, given by --site: how the site behaves in a browser, whatever it was built from."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import CHROMIUM, NO_BROWSER
from kinds import kinds
from playwright.sync_api import Browser
from serving import serving
from visiting import WIDE, Visitor, visiting

NO_SITE = "no built site was named: pytest tests/site --site site, or make publish-check"
NODE_MODULES = Path(__file__).parent / "node_modules"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip, with the reason, what cannot be looked at."""
    reason = NO_SITE if config.getoption("site") is None else NO_BROWSER if CHROMIUM is None else ""
    for item in items:
        if reason and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of a `place` runs on one page of every kind that the site has."""
    if "place" in metafunc.fixturenames:
        site = metafunc.config.getoption("site")
        found = kinds(site) if site else {"any": ""}
        metafunc.parametrize("place", list(found.values()), ids=list(found))


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Path:
    """The built site."""
    found: Path = request.config.getoption("site")
    assert (found / "index.html").is_file(), f"no site in {found}: make site builds it"
    return found.resolve()


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the site is served, with its own headers."""
    with serving(site) as found:
        yield found


@pytest.fixture
def visitor(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A visitor with a wide light window, or with what the test asks for."""
    with visiting(browser, address, **getattr(request, "param", WIDE)) as found:
        yield found


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder of the node tools."""
    missing = (
        "no node tools; make publish-check installs them" if not NODE_MODULES.is_dir() else "no node" if not shutil.which("node") else ""
    )
    if missing:
        assert not os.environ.get("CI"), f"CI must run them: {missing}"
        pytest.skip(missing)
    return NODE_MODULES


@pytest.fixture(scope="session")
def axe(tools: Path) -> str:
    """The script that knows the rules of accessibility."""
    return (tools / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
