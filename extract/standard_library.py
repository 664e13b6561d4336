"""Python's own standard library as a text: one passage of code from the middle of each module of the installation at hand.

A passage a module, so that a window's worth of text comes from many authors' files rather than from a few long ones; what the installation
adds for its tests, and packages that were installed into it, are left out. The text differs between versions of Python: its name says
which it is, its hash the rest."""

import platform
import sysconfig
from pathlib import Path

from extract.errors import EnvironmentRefusal

NAME = "python"
LICENCE = "PSF-2.0"
# Characters of a passage: a window of five hundred tokens and a little more.
PASSAGE = 2000
LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "turtledemo", "ensurepip", "pydoc_data", "encodings", "site-packages", "dist-packages"}


def title() -> str:
    """The text's name for the database."""
    major, minor, _ = platform.python_version_tuple()
    return f"Python {major}.{minor}'s standard library"


def modules() -> list[Path]:
    """The modules' files, ordered by name. Raises EnvironmentRefusal where the library is not there as source."""
    folder = _folder()
    found = [file for file in folder.rglob("*.py") if LEFT_OUT.isdisjoint(file.relative_to(folder).parts)]
    if not found:
        raise EnvironmentRefusal("no module is there as source", title(), "use a Python that has its standard library as source")
    return sorted(found, key=lambda file: file.relative_to(folder).as_posix())


def passage(module: Path) -> tuple[str, str] | None:
    """The middle of a module, from the beginning of a line on, and the module's name; None for one that is shorter or is not UTF-8."""
    try:
        text = module.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    if len(text) < 2 * PASSAGE:
        return None
    start = text.find("\n", (len(text) - PASSAGE) // 2) + 1
    return text[start : start + PASSAGE], module.relative_to(_folder()).as_posix()


def _folder() -> Path:
    return Path(sysconfig.get_path("stdlib"))
