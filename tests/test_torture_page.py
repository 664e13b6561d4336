"""The page on torture is that of the records beside it; every harness has one, and in none did a trial fail."""

import ast
import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECORDS = Path("docs/data/torture")
HARNESSES = sorted((ROOT / "tests" / "torture").glob("test_*.py"))
PAGE = runpy.run_path(str(ROOT / "tests" / "torture" / "page.py"))


def test_the_page_is_made_from_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert (ROOT / "docs" / "torture.md").read_text(encoding="utf-8") == PAGE["page"](RECORDS)


def test_every_harness_has_a_record_under_its_title() -> None:
    recorded = {path.stem: json.loads(path.read_text(encoding="utf-8"))["title"] for path in (ROOT / RECORDS).glob("*.json")}
    titles = {}
    for path in HARNESSES:
        assigned = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign)]
        titles |= {path.stem.removeprefix("test_"): node.value.value for node in assigned if ast.unparse(node.targets[0]) == "TITLE"}
    assert len(titles) == len(HARNESSES)
    assert recorded == titles


def test_no_trial_of_the_last_run_failed() -> None:
    outcomes = [
        outcome for path in (ROOT / RECORDS).glob("*.json") for row in json.loads(path.read_text())["rows"] for outcome in row["outcomes"]
    ]
    assert len(outcomes) > len(HARNESSES)
    assert [outcome for outcome in outcomes if PAGE["failed"](outcome)] == []


def test_a_page_shows_failures_in_the_total_and_beside_their_harness(tmp_path: Path) -> None:
    row = {"what": "Kills", "outcomes": {"LOST: a shard": 1, "resumed": 3}}
    (tmp_path / "a.json").write_text(json.dumps({"title": "A", "seed": 1, "seconds": 90, "rows": [row]}), encoding="utf-8")
    made = PAGE["page"](tmp_path)
    assert "**4 trials; failures: 1.**" in made
    assert "| A | 4 | 1 | 1.5 |" in made and "| Kills | 4 | LOST: a shard: 1; resumed: 3 |" in made
