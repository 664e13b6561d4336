"""The driver: gives out the shards of all runs to the workers of a Ray cluster, and commits what they leave.

Work is done at least once, and committed exactly once. A worker that is free takes the next shard of the run that it holds, or else of one
of the same model, or else of the model with most left to do. When nothing is left to give out, a shard that takes far longer than others
did is given to a second worker too: its first one may wait for a machine that never comes back. Between two commits the driver looks who is
free, so that nobody waits for the database. (ray.util.ActorPool does not tell which shard a killed worker had; Ray Data runs one function
over one dataset, not runs of several models, of which one may be refused while the others go on, and is no part of Ray's core.)"""

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayError, RayTaskError

from extract.cluster.gathering import Gathering
from extract.cluster.progress import Progress
from extract.cluster.session import RETRIES, Session
from extract.cluster.shard_files import Manifest
from extract.cluster.worker import Opened
from extract.errors import EnvironmentRefusal, Refusal
from extract.interrupt import Stop
from extract.store import Store

# Seconds between looks at how large the cluster is.
TICK = 2.0
# A shard is given to a second worker after so many times the median, and no earlier than so many seconds.
LONG, LEAST = 4.0, 60.0


@dataclass
class Hand:
    """A worker: the run that it holds, and the shard that it has, since when; None while it opens a run, or is free."""

    actor: ActorHandle
    number: int
    run: Gathering | None = None
    shard: int | None = None
    since: float = 0.0
    up: bool = False


@dataclass
class Driver:
    """The state of one pass over the missing shards of some runs."""

    runs: list[Gathering]
    session: Session
    store: Store
    stop: Stop
    shown: Progress
    hands: list[Hand] = field(default_factory=list)
    busy: dict[ray.ObjectRef, Hand] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)
    commits: list[float] = field(default_factory=list)
    loadings: list[float] = field(default_factory=list)
    looked: float = 0.0

    def commit_what_is_there(self) -> None:
        """Commit what was left before, as far as it is next in order; needs no worker."""
        for run in self.runs:
            while run.mergeable:
                self._merge(run)

    def work(self) -> None:
        """Until every run is done. Raises what a worker refused, once the other runs are done, and EnvironmentRefusal."""
        while not all(run.done for run in self.runs):
            self._grow()
            mergeable = next((run for run in self.runs if run.mergeable), None)
            for reference in self._ready(0 if mergeable else TICK):
                self._answered(reference)
            self._give_out()
            if mergeable is not None:
                self._merge(mergeable)

    def _ready(self, seconds: float) -> Sequence[ray.ObjectRef]:
        """The calls that are answered; waits so long for one."""
        if not self.busy:
            # No machine has room yet.
            time.sleep(seconds)
            return []
        ready, _ = ray.wait(list(self.busy), num_returns=1, timeout=seconds)
        return cast(Sequence[ray.ObjectRef], ready)

    def _grow(self) -> None:
        """Start workers where there is room for more, as machines come."""
        if self.hands and time.monotonic() - self.looked < TICK:
            return
        self.looked = time.monotonic()
        asked = self.session.asked
        wanted = min(self.session.room() if asked is None else asked, sum(len(run.waiting) for run in self.runs) + len(self.hands))
        for number in range(len(self.hands), wanted):
            hand = Hand(self.session.start(), number)
            self.hands.append(hand)
            self.busy[hand.actor.ready.remote()] = hand

    def _give_out(self) -> None:
        """A shard to everyone who is free and up."""
        occupied = {id(hand) for hand in self.busy.values()}
        for hand in self.hands:
            if not hand.up or id(hand) in occupied:
                continue
            run = self._next_run(hand)
            if run is None:
                self._second(hand)
            elif run is not hand.run:
                self._open(hand, run)
            else:
                self._measure(hand, run, run.waiting.popleft())

    def _next_run(self, hand: Hand) -> Gathering | None:
        """The run that a worker holds; or another of its model; or one of the model with most left for each worker that holds it."""
        if hand.run is not None and hand.run.waiting and not hand.run.done:
            return hand.run
        left = [run for run in self.runs if run.waiting and not run.done]
        own = [run for run in left if hand.run is not None and run.model == hand.run.model]
        holders = Counter(other.run.model for other in self.hands if other.run is not None and other is not hand)
        waiting: Counter[object] = Counter()
        for run in left:
            waiting[run.model] += len(run.waiting)

        def share(run: Gathering) -> tuple[float, int, int]:
            held = holders[run.model]
            return waiting[run.model] / (1 + held), -held, len(run.waiting)

        return max(own or left, key=share, default=None)

    def _open(self, hand: Hand, run: Gathering) -> None:
        """Apart from measuring, so that a model that cannot be loaded is not taken for a shard at fault."""
        hand.run, hand.shard, hand.since = run, None, time.monotonic()
        self.busy[hand.actor.open.remote(run.task)] = hand

    def _measure(self, hand: Hand, run: Gathering, shard: int) -> None:
        hand.run, hand.shard, hand.since = run, shard, time.monotonic()
        self.busy[hand.actor.measure.remote(run.task, shard, run.keys[shard])] = hand

    def _second(self, hand: Hand) -> None:
        """Give the shard that has been out longest to this worker too, if that is far longer than others of its run took."""
        out = [other for other in self.busy.values() if other.run is not None and other.shard is not None]
        # Two have it at most, however many are free.
        held = Counter((id(other.run), other.shard) for other in out)
        late = [other for other in out if held[id(other.run), other.shard] == 1 and self._is_late(other)]
        longest = min(late, key=lambda other: other.since, default=None)
        if longest is None or longest.run is None or longest.shard is None:
            return
        if longest.run is not hand.run:
            self._open(hand, longest.run)
        else:
            self._measure(hand, longest.run, longest.shard)

    def _is_late(self, hand: Hand) -> bool:
        if hand.run is None or hand.shard is None or not hand.run.needs(hand.shard) or hand.shard in hand.run.fatal:
            return False
        usual = statistics.median(hand.run.took) if hand.run.took else 0.0
        return time.monotonic() - hand.since > max(LEAST, LONG * usual)

    def _answered(self, reference: ray.ObjectRef) -> None:
        hand = self.busy.pop(reference)
        try:
            answer = ray.get(reference)
        except RayTaskError as error:
            self._refused(hand, error)
        except RayError as error:
            self._killed(hand, error)
        else:
            hand.up = True
            if isinstance(answer, Opened):
                self._opened(hand, answer)
            elif isinstance(answer, Manifest):
                self._measured(hand, answer)

    def _opened(self, hand: Hand, opened: Opened) -> None:
        for warning in opened.warnings:
            self.shown.say_once(warning)
        self.loadings.append(opened.seconds)
        self.shown.opened(hand.number, opened.seconds)

    def _measured(self, hand: Hand, manifest: Manifest) -> None:
        self.took.append(time.monotonic() - hand.since)
        self.shown.measured(hand.number, manifest.tokens, self.took[-1])
        if hand.run is not None:
            hand.run.took.append(self.took[-1])
            hand.run.arrived(manifest)
        hand.shard = None

    def _refused(self, hand: Hand, error: RayTaskError) -> None:
        """A Python error: the worker is well, and would say the same again."""
        cause = error.cause if isinstance(error.cause, Exception) else error
        if hand.run is None:
            last = next(iter(str(error).strip().splitlines()[-1:]), "")
            fix = "install the same version, with its extra cluster, on every machine"
            raise EnvironmentRefusal(f"a machine of the cluster cannot start a worker: {last}", "--ray", fix) from error
        if not isinstance(cause, Refusal):
            raise cause
        hand.run.refused = hand.run.refused or cause
        hand.run, hand.shard = None, None

    def _killed(self, hand: Hand, error: RayError) -> None:
        """Every process that Ray tried was killed."""
        if hand.run is None or hand.shard is None:
            what = f"workers are killed while they {'start' if hand.run is None else 'load the model'}"
            fix = "fewer --workers, or machines with more memory; nothing that was measured is lost"
            raise EnvironmentRefusal(what, f"{RETRIES + 1} times in a row", fix) from error
        run, shard = hand.run, hand.shard
        hand.run, hand.shard = None, None
        run.fatal.add(shard)
        if any(other.run is run and other.shard == shard for other in self.busy.values()):
            # A second worker has it still, and is the last one to get it.
            return
        run.given_up(shard)
        if run.hopeless:
            fix = "fewer --workers, a lower batch, or machines with more memory; nothing that was measured is lost"
            run.refused = EnvironmentRefusal("workers are killed before they have measured anything", run.job.config.name, fix)

    def _merge(self, run: Gathering) -> None:
        from extract.run import PUBLISH_EVERY, publish_if_possible

        with self.stop.held():
            started = time.monotonic()
            windows = run.merge_next()
            self.commits.append(time.monotonic() - started)
            publish_if_possible(self.store, every=PUBLISH_EVERY)
        self.shown.merged(windows)
