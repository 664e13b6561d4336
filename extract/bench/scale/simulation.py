"""A model of the cluster: workers that load, measure and are killed; one driver that gives out, reads and commits, in order, one thing at a
time. Its constants are measured (workers.py, merging.py) but for two that this machine cannot tell, which are said.

A shard's seconds are drawn from those that were measured, a worker's life from an exponential law; a killed worker comes back after it was
started and has loaded its model, and goes on with the same shard. What is not in it: machines of unequal speed, a network that is full."""

import heapq
import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import simpy

from extract.cluster.session import RETRIES

SEED = 0
Steps = Generator[simpy.Event, object, None]


@dataclass(frozen=True)
class Constants:
    """Seconds, but for `kills`, per worker and hour: `shards` as they were measured, one of which is drawn each time; `loading` a model;
    `dispatch` for the driver to learn that a call is answered and make the next; `commit` of a shard; `restart` of a process; `storage`,
    that a worker waits for its files to be written."""

    shards: tuple[float, ...]
    loading: float
    dispatch: float
    commit: float
    restart: float
    storage: float
    kills: float


@dataclass(frozen=True)
class Outcome:
    """`seconds` until all is committed; `efficiency`, of the workers' time how much went into shards that count; `driver`, the share of
    the time in which the driver is busy; `waiting`, most files that waited for an earlier shard; `kills`; `given_up` shards."""

    seconds: float
    efficiency: float
    driver: float
    waiting: int
    kills: int
    given_up: int


class Cluster:
    """One run of `shards` shards on `workers` workers."""

    def __init__(self, workers: int, shards: int, constants: Constants) -> None:
        self._constants, self._draw = constants, random.Random(SEED)  # noqa: S311
        self._world = simpy.Environment()
        self._driver = simpy.PriorityResource(self._world)
        self._next, self._shards, self._workers = 0, shards, workers
        self._ready: list[int] = []
        self._committing = False
        self._committed, self._useful, self._busy = 0, 0.0, 0.0
        self._waiting = self._kills = self._given_up = 0

    def run(self) -> Outcome:
        """To the end."""
        for _ in range(self._workers):
            self._world.process(self._work())
        self._world.run()
        took = self._world.now
        efficiency = self._useful / (took * self._workers)
        return Outcome(took, efficiency, self._busy / took, self._waiting, self._kills, self._given_up)

    def _work(self) -> Steps:
        yield self._world.timeout(self._constants.restart + self._constants.loading)
        while True:
            yield from self._occupy_driver(self._constants.dispatch, urgent=True)
            if self._next == self._shards:
                return
            shard, self._next = self._next, self._next + 1
            yield from self._measure(shard)
            heapq.heappush(self._ready, shard)
            self._waiting = max(self._waiting, len(self._ready))
            self._world.process(self._commit())

    def _measure(self, shard: int) -> Steps:
        for _ in range(RETRIES + 1):
            seconds = self._draw.choice(self._constants.shards) + self._constants.storage
            life = self._draw.expovariate(self._constants.kills / 3600) if self._constants.kills else seconds
            if life >= seconds:
                self._useful += seconds
                yield self._world.timeout(seconds)
                return
            self._kills += 1
            yield self._world.timeout(life + self._constants.restart + self._constants.loading)
        self._given_up += 1

    def _commit(self) -> Steps:
        """Whatever is next in order, one after the other; a free worker comes first."""
        if self._committing:
            return
        self._committing = True
        while self._ready and self._ready[0] == self._committed:
            heapq.heappop(self._ready)
            self._committed += 1
            yield from self._occupy_driver(self._constants.commit, urgent=False)
        self._committing = False

    def _occupy_driver(self, seconds: float, urgent: bool) -> Steps:
        with self._driver.request(priority=0 if urgent else 1) as turn:
            yield turn
            self._busy += seconds
            yield self._world.timeout(seconds)


def simulate(workers: int, shards: int, constants: Constants) -> Outcome:
    """The outcome of one run."""
    return Cluster(workers, shards, constants).run()


def of_windows(constants: Constants, windows: int) -> Constants:
    """The same for shards of so many windows instead of one: a shard takes as many times as long; what is committed has as many rows."""
    return replace(constants, shards=tuple(windows * seconds for seconds in constants.shards))


def table(constants: Constants, sizes: Sequence[int], windows: Sequence[int], per_worker: int) -> list[dict[str, int | float]]:
    """A row per number of workers and size of shards: `per_worker` windows for each worker, whatever their number."""
    rows: list[dict[str, int | float]] = []
    for workers in sizes:
        for count in windows:
            shards = max(workers, workers * per_worker // count)
            found = simulate(workers, shards, of_windows(constants, count))
            rows.append(
                {"workers": workers, "windows_per_shard": count, "shards": shards} | {k: round(v, 4) for k, v in vars(found).items()}
            )
    return rows
