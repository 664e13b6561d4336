"""Runs: load a model, prove the extraction on one window, then measure shard by shard; each shard is committed on its own.

A run of the same name and configuration is continued where it stopped, and one that is complete costs neither torch nor transformers.
Here one process measures; several workers (cluster/) measure the same shards in the same way, and the tables come out the same."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from extract import quarantine
from extract.cluster import Cluster
from extract.config import RunConfig
from extract.errors import EnvironmentRefusal
from extract.interrupt import Interrupted, Stop, obeyed
from extract.job import Job, check_names, plan
from extract.next_command import typed
from extract.progress import bar, say
from extract.store import Store

if TYPE_CHECKING:
    from extract.replica import Replica

PUBLISH_EVERY = 60.0


def measure(
    configs: RunConfig | Sequence[RunConfig],
    out: Path,
    *,
    must_resume: bool = False,
    retry_quarantined: bool = False,
    salvage: bool = False,
    cluster: Cluster | None = None,
    command: str = "python -m extract run",
) -> None:
    """Measure what is missing of a run, or of several, and publish it. `command` is what the user is told to repeat after an interruption.

    With retry_quarantined, what is quarantined is missing too; with salvage, a log of the working file that cannot be replayed is set
    aside; with `cluster`, workers measure. Raises a Refusal: UsageRefusal where two runs have one name; DatabaseRefusal where a name stands
    for another run, or is to be resumed and there is none; NumericRefusal at the end where shards are quarantined; Interrupted."""
    # Read when torch is loaded, be it to convert the model: threads that spin while they wait are four times slower beside other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    configs = [configs] if isinstance(configs, RunConfig) else configs
    check_names(configs)
    started = time.monotonic()
    with Stop() as stop, Store(out, salvage) as store:
        quarantine.say_lost(store)
        try:
            with obeyed():
                jobs = [plan(config, store, must_resume=must_resume, retry_quarantined=retry_quarantined) for config in configs]
                tokens = _measure_missing([job for job in jobs if job.missing], store, stop, cluster)
            with stop.held():
                store.publish()
            _forget([job for job in jobs if not job.missing], store, cluster)
        except KeyboardInterrupt as error:
            if store.rows("select run_id from run"):
                publish_if_possible(store)
            shards = sum(len(store.shards(config.name)) for config in configs)
            kept = f"interrupted; {shards} of {sum(config.shards for config in configs)} shards are kept"
            raise Interrupted(kept, str(out), f"resume with: {command}") from error
        for job in jobs:
            _summarise(job, store, tokens.get(job.config.name, 0), time.monotonic() - started, len(jobs) == 1)
        say(f"next: {typed('report', 'build', str(store.out))}")
        quarantine.refuse(configs, store)


def _measure_missing(jobs: Sequence[Job], store: Store, stop: Stop, cluster: Cluster | None) -> dict[str, int]:
    """Measure and commit every missing shard; gives the tokens scored per run."""
    if not jobs:
        return {}
    if cluster is not None and cluster.installed():
        from extract.cluster.on_workers import measure_on_workers

        return measure_on_workers(jobs, store, cluster).tokens
    return _measure_here(jobs, store, stop)


def _forget(complete: Sequence[Job], store: Store, cluster: Cluster | None) -> None:
    """Remove what workers have left of runs that are complete already, and the place itself where nothing else is in it."""
    if cluster is None:
        return
    if complete:
        from extract.cluster.shard_files import forget

        try:
            forget(cluster.place(store.out), complete)
        except EnvironmentRefusal as refusal:
            # All is committed and published: that is no reason to fail.
            say(f"warning: shard files stay where they are: {refusal.what} ({refusal.where})")
    cluster.tidy(store.out)


def _measure_here(jobs: Sequence[Job], store: Store, stop: Stop) -> dict[str, int]:
    """One run after the other in this process; a model that the next one measures too stays loaded. Gives the tokens scored per run."""
    from extract.loading import Loaded, check_room, if_same, load
    from extract.replica import Replica

    tokens: dict[str, int] = {}
    loaded: Loaded | None = None
    for job in jobs:
        check_room(job.config, job.located, store.out, len(job.missing))
        loaded = if_same(loaded, job.config, job.located)
        loaded = load(job.config, job.located, job.row, loaded)
        tokens[job.config.name] = _loop(job, Replica(loaded, job.batch), store, stop)
    return tokens


def _loop(job: Job, replica: "Replica", store: Store, stop: Stop) -> int:
    """The plain loop: one shard after the other; gives the tokens scored."""
    from extract.merging import Merger

    config, merger, tokens = job.config, Merger(job, store), 0
    with bar(f"measuring {config.name}, windows", config.windows, config.windows - job.windows_of(job.missing)) as advance:
        for shard in job.missing:
            measured = replica.measure(shard)
            with stop.held():
                merger.add(measured)
                tokens += measured.tokens
                publish_if_possible(store, every=PUBLISH_EVERY)
            advance(len(config.windows_of_shard(shard)))
    return tokens


def publish_if_possible(store: Store, every: float = 0.0) -> None:
    """Publish, unless somebody has the counters file open for writing."""
    try:
        store.publish(every=every)
    except EnvironmentRefusal as refusal:
        # The rows are committed: somebody who has the counters file open is no reason to stop measuring, or to say how to resume.
        say(f"not published yet: {refusal.what} ({refusal.where})")


def _summarise(job: Job, store: Store, tokens: int, seconds: float, alone: bool) -> None:
    config, run = job.config, store.run(job.config.name) or {}
    scored = store.rows("select coalesce(sum(scored_tokens), 0)::bigint as tokens from shard where run_id = ?", config.name)[0]["tokens"]
    heads = int(str(run["layers"])) * int(str(run["heads_per_layer"]))
    # Of several runs, measured side by side, none has seconds of its own.
    speed = f", {tokens / seconds:,.0f} tokens/s" if alone else ""
    how = f"{seconds:,.0f} s{speed}" if job.missing else "complete already"
    say(f"{config.name}: {heads:,} heads on {scored:,} tokens ({how}): {store.out}")
