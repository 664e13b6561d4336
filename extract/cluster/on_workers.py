"""Runs on workers, from what a lost driver left to the last file that goes."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from extract.cluster import Cluster
from extract.cluster.driver import Driver
from extract.cluster.gathering import Gathering
from extract.cluster.progress import progress
from extract.cluster.session import Session, session
from extract.database_file import check_space, to_publish
from extract.interrupt import Stop
from extract.job import Job
from extract.loading import room
from extract.progress import say
from extract.store import Store


@dataclass(frozen=True)
class Worked:
    """What workers did: tokens scored per run; seconds of each shard, of each commit, and of each loading of a model."""

    tokens: dict[str, int]
    shards: tuple[float, ...]
    commits: tuple[float, ...]
    loadings: tuple[float, ...]


def measure_on_workers(jobs: Sequence[Job], store: Store, cluster: Cluster) -> Worked:
    """Measure and commit every missing shard of some runs.

    Raises EnvironmentRefusal where there is no cluster, room or storage; the first Refusal of a worker once the other runs are done."""
    from extract.run import publish_if_possible

    beside = cluster.shards is None
    check_space(store.out, sum(room(job.config, job.located, len(job.missing), files=beside) for job in jobs) + to_publish(store.out))
    with ExitStack() as stack:
        stack.callback(cluster.tidy, store.out)
        runs = [Gathering(job, cluster.place(store.out), store) for job in jobs]
        for run in runs:
            stack.callback(run.close)
            if run.found_before:
                say(f"{run.job.config.name}: {run.found_before} shards were measured before and are taken as they are")
        driver = _driven(runs, store, cluster)
    refused = next((run.refused for run in runs if run.refused is not None), None)
    if refused is not None:
        # The others are whole, and would not be seen.
        publish_if_possible(store)
        raise refused
    tokens = {run.job.config.name: run.tokens for run in runs}
    return Worked(tokens, tuple(driver.took), tuple(driver.commits), tuple(driver.loadings))


def _driven(runs: list[Gathering], store: Store, cluster: Cluster) -> Driver:
    jobs = [run.job for run in runs]
    kind = "cuda" if any(job.row["device"] == "cuda" for job in jobs) else "cpu"
    with ExitStack() as stack:
        # Where all is measured, whoever was to commit it was lost, and no worker is needed.
        needed = any(run.waiting for run in runs)
        connected = stack.enter_context(session(cluster, kind)) if needed else Session(0, 0, 0)
        shown = stack.enter_context(progress(jobs))
        with Stop() as stop:
            driver = Driver(runs, connected, store, stop, shown)
            driver.commit_what_is_there()
        if any(run.waiting for run in runs) and not needed:
            # But where a file of it was damaged.
            driver.session = stack.enter_context(session(cluster, kind))
        with Stop() as stop:
            driver.stop = stop
            driver.work()
    return driver
