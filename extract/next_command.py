"""The command that a user is told to type next, with the interpreter as they must type it."""

import shlex
import sys
from pathlib import Path


def typed(module: str, *arguments: str) -> str:
    """`python -m module arguments`, quoted for a shell; of a .venv in the current folder, which need not be active, its own python."""
    virtual = Path(sys.prefix)
    here = virtual.name == ".venv" and virtual.resolve().parent == Path.cwd()
    return shlex.join([".venv/bin/python" if here else "python", "-m", module, *arguments])
