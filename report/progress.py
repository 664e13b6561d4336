"""What a build is doing, shown while it lasts: on a terminal only, so logs stay quiet."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def step(doing: str) -> Iterator[None]:
    """Show `doing` with a spinner on stderr until the step ends."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(doing):
        yield
