"""Progress over all workers: shards committed, tokens per second of each and of all, time left; one line where stderr is no terminal."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from extract.job import Job
from extract.progress import say

# More than this are shown as a range.
_NAMED = 8
# Shards of a worker that its speed is worked out from.
_LATEST = 5


@dataclass
class Progress:
    """What the driver tells it; `bar` is None where stderr is no terminal."""

    bar: Bar | None
    task: TaskID
    speeds: dict[int, deque[tuple[int, float]]] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    loading: float = 0.0

    def opened(self, worker: int, seconds: float) -> None:
        """A worker has loaded a model."""
        self.loading = max(self.loading, seconds)
        self.speeds.setdefault(worker, deque(maxlen=_LATEST))
        self._show()

    def measured(self, worker: int, tokens: int, seconds: float) -> None:
        """A worker has measured a shard."""
        self.speeds.setdefault(worker, deque(maxlen=_LATEST)).append((tokens, seconds))
        self._show()

    def merged(self, windows: int) -> None:
        """A shard is committed."""
        if self.bar is not None:
            self.bar.advance(self.task, windows)

    def say_once(self, line: str) -> None:
        """What every worker says is said once."""
        if line not in self.said:
            self.said.add(line)
            say(line)

    def _show(self) -> None:
        if self.bar is not None:
            self.bar.update(self.task, workers=speeds_told(self.speeds))


def speeds_told(speeds: dict[int, deque[tuple[int, float]]]) -> str:
    """Tokens per second over all workers and of each, of the shards they measured last."""
    known = [sum(t for t, _ in latest) / seconds for _, latest in sorted(speeds.items()) if (seconds := sum(s for _, s in latest))]
    if not known:
        return f"{len(speeds)} workers"
    each = " + ".join(f"{speed:,.0f}" for speed in known) if len(known) <= _NAMED else f"{min(known):,.0f} to {max(known):,.0f} each"
    return f"{len(known)} workers, {sum(known):,.0f} tokens/s ({each})"


@contextmanager
def progress(jobs: Sequence[Job]) -> Iterator[Progress]:
    """Around the measuring of some runs."""
    windows, left = sum(job.config.windows for job in jobs), sum(job.windows_of(job.missing) for job in jobs)
    what = f"measuring {jobs[0].config.name if len(jobs) == 1 else f'{len(jobs)} runs'} on workers, windows"
    console = Console(stderr=True)
    if not console.is_terminal:
        say(f"{what}: {windows - left} of {windows} done")
        shown = Progress(None, TaskID(0))
        yield shown
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[workers]}"),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=console) as bar:
            shown = Progress(bar, bar.add_task(what, total=windows, completed=windows - left, workers="starting"))
            yield shown
    if shown.speeds:
        say(f"{speeds_told(shown.speeds)}; loading the model took {shown.loading:,.0f} s at most")
