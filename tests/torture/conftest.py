"""Tests that try to break things: kills, full disks, flipped bits, hostile inputs. How many trials, one may choose; the outcome is kept."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from crew import crew  # noqa: F401
from kill_toy import server, toy  # noqa: F401

Record = Callable[[str, str], None]
SEED = 20260


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is torture: make torture runs it, make test leaves it out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.torture)


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether all trials are asked for; otherwise a few of each, for CI."""
    return bool(request.config.getoption("whole"))


@pytest.fixture(scope="module")
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    """`record(what, outcome)` counts one trial: what was done, in words, and how it ended.

    At the module's end the counts go to RECORD/NAME.json (pytest --record RECORD), from which the page on torture is made. The module's
    TITLE is its heading; an outcome that begins with "LOST" or "LET IN" is a failure, which the test must report by itself too."""
    counted: dict[str, Counter[str]] = {}
    began = monotonic()

    def count(what: str, outcome: str) -> None:
        counted.setdefault(what, Counter())[outcome] += 1

    yield count
    folder: Path | None = request.config.getoption("record")
    if folder is None or not counted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"what": what, "outcomes": dict(sorted(outcomes.items()))} for what, outcomes in counted.items()]
    name = Path(request.module.__file__).stem.removeprefix("test_")
    told = {"title": request.module.TITLE, "seed": SEED, "seconds": round(monotonic() - began), "rows": rows}
    (folder / f"{name}.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
