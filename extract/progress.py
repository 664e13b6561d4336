"""Progress on stderr: a bar or a spinner on a terminal, otherwise a line at the start and one at the end."""

import io
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def say(line: str) -> None:
    """One line on stderr."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Around something of unknown length."""
    start = time.monotonic()
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        say(f"{what} ...")
        yield
    say(f"{what}: {time.monotonic() - start:.0f} s")


@contextmanager
def bar(what: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
    """Around something that is counted, `done` of `total` being behind; gives the function that adds to it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        say(f"{what}: {done} of {total} done")
        yield lambda steps: None
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total, completed=done)
        yield lambda steps: progress.advance(task, steps)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Inside, transformers neither warns nor draws bars: what matters is checked by us and said in one line."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # Some of its bars ask no one.
    with redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()
