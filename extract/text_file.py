"""Reads a small text file that a user names: a run file or a table. Bounded, so that a device or a pipe is not read for ever."""

import stat
from pathlib import Path

from extract.errors import UsageRefusal


def read_text(path: Path, most: int, *, missing: str, example: str) -> str:
    """The text of a file of at most `most` bytes, without a byte order mark.

    `missing` is what is said where it cannot be read, `example` what to name instead.
    Raises UsageRefusal where it is missing, no regular file, too large or no UTF-8."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode) and not stat.S_ISDIR(state.st_mode):
            raise UsageRefusal("no regular file", path.name, f"name {example}")
        with path.open("rb") as file:
            # A byte more, for a file may grow, and those of the system say that they are empty.
            data = b"" if state.st_size > most else file.read(most + 1)
        if max(state.st_size, len(data)) > most:
            raise UsageRefusal(f"larger than {most // 2**20} MiB", path.name, f"name {example}")
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else "its name is no text"
        raise UsageRefusal(f"{missing}: {told}", str(path), f"name {example}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageRefusal(f"not UTF-8 at byte {error.start}", path.name, "save it as UTF-8") from error
