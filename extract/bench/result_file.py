"""The results of a benchmark as a file (JSON), and what every page of one says first: where it was measured."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from extract.errors import EnvironmentRefusal, UsageRefusal


def print_page(path: Path, keys: tuple[str, ...], made_by: str, render: Callable[[dict[str, Any], str], str]) -> None:
    """Print the page of results that hold these `keys`. Raises UsageRefusal for a file that `made_by` has not written."""
    print(render(read(path, keys, made_by), path.as_posix()), end="")


def read(path: Path, keys: tuple[str, ...], made_by: str) -> dict[str, Any]:
    """The results. Raises UsageRefusal for a file that `made_by` has not written, or that lacks a key."""
    fix = f"give the file that {made_by} wrote"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageRefusal(f"{path.name} cannot be read as JSON", "--page", fix) from error
    if not isinstance(found, dict) or any(key not in found for key in keys):
        raise UsageRefusal(f"{path.name} is no result of {made_by}", "--page", fix)
    return found


def write(found: dict[str, Any], path: Path) -> None:
    """Write results, for `print_page`. Raises EnvironmentRefusal where they cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise EnvironmentRefusal(f"cannot be written: {error.strerror or error}", path.name, "choose another --out") from error


def measured_on(found: dict[str, Any]) -> str:
    """The machine, its load and the versions, in one sentence of Markdown."""
    machine, versions = found["machine"], found["versions"]
    load = " · ".join(str(part) for part in machine["load_average"])
    busy = ", **busy with something else: rough figures**" if machine["busy"] else ""
    what = f"{machine['cores']} cores, {machine['torch_threads']} threads, {machine['memory_bytes'] / 2**30:.0f} GiB, {machine['system']}"
    installed = ", ".join(f"{name} {version}" for name, version in versions.items() if version is not None)
    return f"Measured on {machine['processor']} ({what}; load {load} at the start{busy}) with {installed}."
