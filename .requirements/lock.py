"""Write the lists of packages with the hashes of their files, for all platforms, from pyproject.toml and constraints.txt:

    python .requirements/lock.py

It runs uv, which has to be there. Two things are left out: torch, of which every index has builds of its own – it is installed by its exact
version – and what only its CUDA build brings, whose versions constraints.txt names too."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
LISTS = {"report": ("extract", "report"), "cluster": ("cluster",), "dev": ("dev",), "bench": ("bench",)}
# Installed before anything else: what installs the rest, and what builds this package and the few that come as source.
TOOLS = ("pip", "setuptools")
OF_TORCH = re.compile(r"torch|triton|nvidia-.*|cuda-.*")
HEADER = "# Written by: python .requirements/lock.py – do not edit. {about}\n"
ABOUT = {
    "tools": "What installs the rest.",
    "report": "What make report needs; torch, whose builds differ, by constraints.txt.",
    "cluster": "What many workers need beside that.",
    "dev": "What the tests need beside that.",
    "bench": "What make bench needs beside that.",
}
Entries = dict[str, str]


def compiled(*what: str, lines: str = "") -> Entries:
    """What uv resolves, by name: the entry with all of its hashes."""
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "own.in"
        own.write_text(lines, encoding="utf-8")
        constraints = ROOT / "constraints.txt"
        command = ["uv", "pip", "compile", *(what or (str(own),)), "--constraint", str(constraints), "--universal", "--generate-hashes"]
        # Of several indexes, those of the machine at hand may hold some packages only.
        command += ["--index-strategy", "unsafe-best-match", "--no-annotate", "--no-header", "--quiet", "--allow-unsafe"]
        done = subprocess.run([*command, "--python-version", oldest_python()], check=True, capture_output=True, text=True, cwd=ROOT)
    entries = re.split(r"(?m)^(?=[a-zA-Z])", done.stdout)
    return {re.split(r"[ =;\[]", entry)[0]: entry for entry in entries if re.match(r"[a-zA-Z]", entry)}


def oldest_python() -> str:
    """The oldest Python that pyproject.toml admits."""
    found = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return found.group(1) if found else sys.exit("error: no oldest Python (pyproject.toml); fix: set requires-python")


def write(name: str, entries: Entries) -> None:
    """One list."""
    text = HEADER.format(about=ABOUT[name]) + "".join(entries[one] for one in sorted(entries))
    (HERE / f"{name}.txt").write_text(text, encoding="utf-8")


def main() -> None:
    """Write all lists: each holds what those before it do not."""
    if shutil.which("uv") is None:
        sys.exit("error: uv is not here (uv); fix: pip install uv, in an environment of its own")
    write("tools", compiled(lines="\n".join(TOOLS)))
    known: Entries = dict.fromkeys(TOOLS, "")
    for name, extras in LISTS.items():
        found = compiled("pyproject.toml", *(piece for extra in extras for piece in ("--extra", extra)))
        kept = {one: entry for one, entry in found.items() if one not in known and not OF_TORCH.fullmatch(one)}
        write(name, kept)
        known |= kept if name == "report" else {}


if __name__ == "__main__":
    main()
