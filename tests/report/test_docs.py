"""The docs cannot drift: what they name exists, and what they show runs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import duckdb
import pytest
from planting import ROOT

from report.build import Built

DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_make_target_command_and_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    assert [
        name for name in re.findall(r"\bmake ([a-z][a-z-]+)\b(?!\])", text) if name not in targets and name not in ("sure", "it", "alone")
    ] == []
    for package, command in re.findall(r"python -m (extract|report) ([a-z-]+)", text):
        source = (ROOT / package / "__main__.py").read_text()
        assert re.search(rf'command\("{command}"\)|def {command}\(', source), f"{package} {command}"
    paths = re.findall(r"`((?:extract|report|docs|runs|tests)/[\w./-]+)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_key_of_a_run_file_is_explained() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "reproduce.md").read_text(), re.MULTILINE))
    used = {key for path in (ROOT / "runs").glob("*.toml") for key in tomllib.loads(path.read_text())}
    assert used <= explained


def test_the_python_example_runs_against_the_published_file(built: Built) -> None:
    script = (ROOT / "docs" / "examples" / "query.py").read_text() + "\nprint(grid.shape)"
    folder = built.published.parent
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(8, 3)"


def test_the_readmes_queries_run(built: Built) -> None:
    lines = re.findall(r'duckdb results/headcount\.duckdb "([^"]+)"', (ROOT / "README.md").read_text())
    assert lines
    with duckdb.connect(str(built.published), read_only=True) as connection:
        for line in lines:
            connection.execute(line)


def test_every_measure_of_the_engine_has_a_definition_a_unit_and_a_source() -> None:
    from extract import measures

    for module in measures.discover():
        measure = module.MEASURE
        assert measure.definition.endswith("."), measure.id
        assert measure.source
        assert measure.unit
        assert measure.low < measure.high


def test_no_page_names_a_path_of_a_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    for name in tracked:
        if not name.endswith((".csv", ".png", "LICENSE")):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not re.search(r"(?<![\w.])/(?:home|root|work|Users)/\w", text), name
