"""Ctrl-C and SIGTERM: at once while a model is measured, and after the commit where one is under way."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from extract.errors import Refusal


class Interrupted(Refusal):
    """Stopped by Ctrl-C or SIGTERM, with every finished shard kept."""

    exit_code = 130


def hit_a_query(error: BaseException) -> bool:
    """Whether this is what DuckDB makes of the KeyboardInterrupt that a signal raises while it answers."""
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


@contextmanager
def obeyed() -> Iterator[None]:
    """Inside, a signal that hits a query raises KeyboardInterrupt, as it does anywhere else."""
    try:
        yield
    except RuntimeError as error:
        if hit_a_query(error):
            raise KeyboardInterrupt from error
        raise


class Stop:
    """Inside, the first of both signals raises KeyboardInterrupt: at once, or at the end of `held`. Later ones change nothing, so that
    nobody's second Ctrl-C tears what the first one has begun to put in order; one that a library swallowed is obeyed by the next `held`.
    One inside another hands on that it was asked: nor may a signal tear what follows."""

    def __init__(self) -> None:
        self._holding = False
        self._asked = False

    def __enter__(self) -> "Stop":
        # One that is ignored, as by a script's job in the background, was meant for another program.
        heeded = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._ask) for number in heeded}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            outer = getattr(handler, "__self__", None)
            if isinstance(outer, Stop) and self._asked:
                outer._asked = True
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        first, self._asked = not self._asked, True
        if first and not self._holding:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Around what must not be torn: a signal waits until the end."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._asked:
            raise KeyboardInterrupt
