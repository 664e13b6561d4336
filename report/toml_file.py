"""Reads a TOML file that a user writes: a figure or a detector. Bounded, so that a device or a pipe is not read for ever."""

import tomllib
from pathlib import Path
from typing import Any

from report.errors import UsageRefusal

LARGEST = 2**20


def read(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        UsageRefusal: a file that is missing, no regular file, too large, or no TOML.
    """
    try:
        if path.exists() and not path.is_file():
            raise UsageRefusal("no regular file", path.name, "give a text file of TOML")
        if path.stat().st_size > LARGEST:
            raise UsageRefusal(f"larger than {LARGEST // 2**20} MiB", path.name, "give a text file of TOML")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageRefusal(f"cannot be read: {error.strerror}", path.name, "check the path and its permissions") from error
    # A number of thousands of digits is a ValueError, and lists within lists by the hundred end the parser's recursion.
    except (ValueError, RecursionError) as error:
        raise UsageRefusal(f"not a TOML file: {error}", path.name, "correct the line it names") from error


def shown_text(text: object, key: str, where: str) -> str:
    """A text as a page may show it, refused where it is none, is empty, or holds characters that are not seen but change what is."""
    if not isinstance(text, str) or not text.strip():
        raise UsageRefusal(f"{key} = {text!r}", where, "give a text")
    hidden = next((character for character in text if not character.isprintable()), None)
    if hidden is not None:
        raise UsageRefusal(f"{key} holds the control character U+{ord(hidden):04X}", where, "remove it")
    return text
