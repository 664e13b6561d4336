"""The shards of one run while workers measure them: which are to be given out, which are there, and which is to be committed next.

They are committed in the order of their numbers, as one process would: one that came early waits as a file."""

import itertools
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from extract import quarantine
from extract.cluster.session import RETRIES
from extract.cluster.shard_files import Damaged, Manifest, discard, found, read, run_key, shard_key
from extract.cluster.storage import absolute, check_place, storage
from extract.cluster.worker import Task
from extract.errors import EnvironmentRefusal
from extract.job import Job
from extract.merging import Merger
from extract.progress import say
from extract.replica import Findings, Measured
from extract.store import Store

# So many shards given up, and none measured: no further one is tried.
_HOPELESS = 3
# Shards that are read while one is committed.
_AHEAD = 4


class Gathering:
    """One run. `tokens` and `shards` count what was committed, `refused` is why no more of it is measured, `model` what a worker
    keeps for a run of the same, `keys` those of its missing shards."""

    def __init__(self, job: Job, place: str, store: Store) -> None:
        where = (absolute(place), run_key(job)[:16])
        self.keys = {shard: shard_key(job, shard) for shard in job.missing}
        self.job, self.tokens, self.shards = job, 0, 0
        self.refused: Exception | None = None
        self.model = (job.located.folder, job.located.weights_sha256, job.config.dtype, job.row["device"], job.config.device_map)
        self.task = Task(job.worker_config, job.row, job.batch, job.located.weights_sha256, where)
        self._place, self._merger = storage(*where), Merger(job, store)
        check_place(self._place, place)
        self._order = deque(job.missing)
        # What a driver that was lost had got from its workers.
        self._there: dict[int, Manifest | None] = dict(found(self._place, self.keys))
        # What is to be measured again is not taken from there.
        for row in store.quarantined(job.config.name):
            manifest = self._there.pop(int(str(row["shard"])), None)
            if manifest is not None:
                discard(self._place, manifest)
        self._damaged: set[int] = set()
        # Seconds that its shards took so far, and shards over which a worker was killed as often as it may be.
        self.took: list[float] = []
        self.fatal: set[int] = set()
        self._readers, self._reading = ThreadPoolExecutor(_AHEAD), dict[int, Future[Measured]]()
        self.waiting = deque(shard for shard in job.missing if shard not in self._there)

    @property
    def found_before(self) -> int:
        """Shards that are there and not committed yet."""
        return len(self._there)

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return not self._order or self.refused is not None

    def needs(self, shard: int) -> bool:
        """Whether a shard has neither come nor been given up."""
        return shard in self._order and shard not in self._there

    def arrived(self, manifest: Manifest) -> None:
        """A worker has left a shard."""
        if manifest.shard in self._order and self._there.get(manifest.shard) is None:
            self._there[manifest.shard] = manifest

    def given_up(self, shard: int) -> None:
        """Every process that measured a shard was killed."""
        if self.needs(shard):
            self._there[shard] = None

    @property
    def hopeless(self) -> bool:
        """Whether shards were given up, and nothing else is known of the run: then it is not the shards that are at fault."""
        given_up = sum(manifest is None for manifest in self._there.values())
        return not self._merger.begun and given_up >= min(_HOPELESS, len(self._order)) and given_up == len(self._there)

    @property
    def mergeable(self) -> bool:
        """Whether the next shard in order can be committed: one that was given up only when something is known of the run."""
        if self.done or self._order[0] not in self._there:
            return False
        return self._there[self._order[0]] is not None or self._merger.begun or self._findings() is not None

    def merge_next(self) -> int:
        """Commit the next shard in order; gives how many windows it has, 0 where it has to be measured again.

        Raises EnvironmentRefusal where its file is damaged, or not to be seen from here, for the second time."""
        shard = self._order[0]
        manifest, findings = self._there[shard], self._findings()
        if manifest is None:
            measured = Measured(shard, 0, 0.0, findings, quarantine.killed(self.job.config, shard, RETRIES + 1))
        else:
            try:
                measured = self._read_ahead(manifest).result()
            except Damaged as error:
                self._again(manifest, error)
                return 0
        self._merger.add(measured)
        del self._there[shard]
        self._order.popleft()
        self.tokens += measured.tokens
        self.shards += 1
        return len(self.job.config.windows_of_shard(shard))

    def _read_ahead(self, next_one: Manifest) -> Future[Measured]:
        """The next shard; and those after it are read meanwhile, as far as they are there: a bucket takes its time to answer."""
        for shard in itertools.islice(self._order, _AHEAD):
            manifest = self._there.get(shard)
            if manifest is None:
                break
            if shard not in self._reading:
                self._reading[shard] = self._readers.submit(read, self._place, manifest)
        return self._reading.pop(next_one.shard)

    def _findings(self) -> Findings | None:
        return next((manifest.findings for manifest in self._there.values() if manifest is not None), None)

    def _again(self, manifest: Manifest, error: Damaged) -> None:
        if manifest.shard in self._damaged:
            fix = "check the disk, and let --shards be a folder or bucket that driver and workers share"
            raise EnvironmentRefusal(str(error), "shard files", fix) from error
        say(f"shard {manifest.shard} is measured again: {error}")
        self._damaged.add(manifest.shard)
        discard(self._place, manifest)
        del self._there[manifest.shard]
        self.waiting.appendleft(manifest.shard)

    def close(self) -> None:
        """Remove the files of a run that is in the database, whole."""
        self._readers.shutdown(cancel_futures=True)
        if self._order:
            return
        try:
            self._place.clear()
        except EnvironmentRefusal as refusal:
            # All is committed: that is no reason to fail.
            say(f"warning: {self.job.config.name} is complete, but {refusal.what} ({refusal.where})")
