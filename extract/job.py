"""What is to be done of a run: where its model lies, what it is known by, and which of its shards are missing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from extract import assets, corpus, device
from extract.checkpoint_files import Located, locate
from extract.config import RunConfig
from extract.errors import DatabaseRefusal, UsageRefusal
from extract.identity import check_same, describe, other_versions
from extract.progress import say
from extract.store import Store

# Tokens per forward pass where the run file names no batch: enough to keep the device busy.
TOKENS_PER_PASS = {"cpu": 1024, "cuda": 8192}


@dataclass(frozen=True)
class Job:
    """`row` is the run's row in table run, as far as it is known; `begun` says that it stands in the database, whole."""

    config: RunConfig
    located: Located
    row: dict[str, object]
    begun: bool
    missing: tuple[int, ...]

    @property
    def batch(self) -> int:
        """Windows per pass: as the run began, so that one that is continued ends with the same numbers; or as asked; or by the device."""
        return int(str(self.row["batch_windows"])) if self.begun else self.asked_batch

    @property
    def asked_batch(self) -> int:
        """Windows per pass as asked, or by the device, whatever fitted into the memory then."""
        return self.config.batch or max(1, TOKENS_PER_PASS[str(self.row["device"])] // self.config.window)

    @property
    def worker_config(self) -> RunConfig:
        """The configuration for a process in another folder: absolute paths, and the kind of device that was found here."""
        model, text = Path(self.config.model).expanduser(), self.config.corpus
        return replace(
            self.config,
            device=str(self.row["device"]),
            model=str(model.absolute()) if model.is_dir() and self.config.model != assets.EMBEDDED else self.config.model,
            corpus=text if text in corpus.BY_WORD else str(Path(text).expanduser().absolute()),
        )

    def windows_of(self, shards: Sequence[int]) -> int:
        """How many windows these shards have together."""
        return sum(len(self.config.windows_of_shard(shard)) for shard in shards)


def plan(config: RunConfig, store: Store, *, must_resume: bool = False, retry_quarantined: bool = False) -> Job:
    """What is missing of a run. Raises DatabaseRefusal where its name stands for another one, or it is to be resumed and there is none."""
    located = locate(config.model, config.revision, config.weights_sha256)
    row = describe(config, located, corpus.identify(config.corpus, config.max_line_bytes), device.resolve(config.device))
    there = store.run(config.name)
    done = store.shards(config.name)
    if not retry_quarantined:
        done |= {int(str(row["shard"])) for row in store.quarantined(config.name)}
    missing = tuple(shard for shard in range(config.shards) if shard not in done)
    if there is not None:
        check_same(there, row, store.out.name, complete=not missing)
        if not missing and (others := other_versions(there, row)):
            say(f"{config.name} was measured with other versions of {others}; under another --name it is measured anew")
    elif must_resume:
        raise DatabaseRefusal(f"there is no run {config.name!r} to resume", store.out.name, "leave --resume out to begin it")
    return Job(config, located, there or row, there is not None, missing)


def check_names(configs: Sequence[RunConfig]) -> None:
    """Raise UsageRefusal where two runs have one name."""
    names = [config.name for config in configs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageRefusal(f"two runs are called {twice!r}", "run files", "give each a name of its own")
