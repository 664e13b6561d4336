"""The wall between extract and report: only the database crosses it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMPORTS = "import importlib, json, pkgutil, sys, {package}\n" \
          "for found in pkgutil.walk_packages({package}.__path__, '{package}.'):\n" \
          "    found.name.endswith('__main__') or importlib.import_module(found.name)\n" \
          "print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"  # fmt: skip


def imported_by(package: str) -> set[str]:
    script = IMPORTS.format(package=package)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


def test_report_imports_no_model_and_nothing_of_extract() -> None:
    found = imported_by("report")
    assert {"altair", "duckdb", "mkdocs", "report"} <= found
    assert found & {"torch", "transformers", "extract", "gguf", "safetensors"} == set()


def test_extract_imports_no_chart_and_nothing_of_report() -> None:
    found = imported_by("extract")
    assert {"torch", "transformers", "duckdb", "extract"} <= found
    # jinja2 comes in with torch; that extract itself does not import it is checked by the words of its files.
    assert found & {"altair", "mkdocs", "report", "vl_convert"} == set()
    assert [path.name for path in (ROOT / "extract").rglob("*.py") if "jinja2" in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("command", [["run", "--help"], ["import-heads", "--help"], ["import-counts", "--help"], ["windows", "--help"]])
def test_the_commands_that_need_no_model_do_not_load_torch(command: list[str]) -> None:
    script = (
        "import sys; sys.argv = ['extract', *sys.argv[1:]]\nfrom extract.__main__ import main\nmain()\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
