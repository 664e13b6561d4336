"""`python -m extract calibrate`: the price of a run's threshold, window by window; each is committed before the next one begins.

The run must be complete. The windows come after those that it measured and those that it took means from. A calibration of the same
settings is continued where it stopped, and one that is complete costs neither torch nor transformers."""

import datetime
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from extract import corpus, device, provenance
from extract.calibration.calibrations import Known, goes_on, known, of_run
from extract.calibration.plan import Intervention, counted, interventions
from extract.calibration.settings import Settings, choose
from extract.checkpoint_files import Located, locate
from extract.config import RunConfig
from extract.errors import CorpusRefusal, DatabaseRefusal
from extract.identity import check_same, check_same_versions, describe, versions
from extract.interrupt import Interrupted, Stop, obeyed
from extract.loading import Loaded, Windows, check_room, load, to_tensor
from extract.next_command import typed
from extract.progress import bar, say, waiting
from extract.store import Rows, Store
from extract.windows import cut

if TYPE_CHECKING:
    from extract.calibration.window import Work


@dataclass(frozen=True)
class Asked:
    """What the command was given, after the run file; None is chosen."""

    quick: bool = False
    windows: int | None = None
    tokens: int | None = None
    again: bool = False


@dataclass(frozen=True)
class Job:
    """What is to be done. `row` is the run's; `number` the calibration's, `begun` says that its row stands in the database."""

    config: RunConfig
    settings: Settings
    located: Located
    row: dict[str, object]
    device: str
    number: int
    begun: bool
    missing: tuple[int, ...]


def calibrate(config: RunConfig, out: Path, asked: Asked, *, command: str, run_command: str) -> None:
    """Calibrate what is missing, and publish it. The user repeats `command` after an interruption; `run_command` measures the run.

    Raises a Refusal: DatabaseRefusal where the run is not there, not complete or another one, UsageRefusal, CorpusRefusal; Interrupted."""
    # See extract/run.py: read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    started = time.monotonic()
    with Stop() as stop, Store(out) as store:
        job = _plan(config, store, asked, run_command)
        try:
            if isinstance(job, Job) and job.missing:
                with obeyed():
                    _measure_windows(job, store, stop)
            with stop.held():
                store.publish()
        except KeyboardInterrupt as error:
            store.publish()
            done = sum(len(each.done) for each in known(store, config.name) if each.number == job.number)
            kept = f"interrupted; {done} of {job.settings.windows} windows are kept"
            raise Interrupted(kept, str(out), f"resume with: {command}") from error
        _summarise(store, job, time.monotonic() - started)


def _plan(config: RunConfig, store: Store, asked: Asked, run_command: str) -> Job:
    run = _complete_run(config, store, run_command)
    config = of_run(config, run)
    located = locate(config.model, config.revision, config.weights_sha256)
    _check_run(config, located, run, store.out.name)
    settings = choose(config, quick=asked.quick, windows=asked.windows, tokens=asked.tokens)
    chosen = asked.windows is not None or asked.tokens is not None
    found = goes_on(known(store, config.name), settings, store.out.name, again=asked.again, chosen=chosen)
    if isinstance(found, Known):
        missing = tuple(window for window in range(found.windows) if window not in found.done)
        if missing:
            fix = "add --again to calibrate anew beside it"
            now = versions(provenance.CALIBRATING)
            check_same_versions(f"the calibration of run {config.name!r}", found.versions, now, store.out.name, fix)
        # On the device that it was begun on: the same numbers, whatever is interrupted.
        return Job(config, settings, located, run, found.device, found.number, True, missing)
    return Job(config, settings, located, run, device.resolve(config.device), found, False, tuple(range(settings.windows)))


def _complete_run(config: RunConfig, store: Store, run_command: str) -> dict[str, object]:
    run = store.run(config.name)
    if run is None:
        raise DatabaseRefusal(f"there is no run {config.name!r} to calibrate", store.out.name, f"measure it: {run_command}")
    done = len(store.shards(config.name))
    if run["kind"] == "measured" and done < int(str(run["shards"])):
        # Those are measured again only when that is asked.
        again = " --retry-quarantined" if store.quarantined(config.name) else ""
        raise DatabaseRefusal(
            f"run {config.name!r} has {done} of {run['shards']} shards", store.out.name, f"measure the rest: {run_command}{again}"
        )
    return run


def _check_run(config: RunConfig, located: Located, run: dict[str, object], where: str) -> None:
    """The run's model and text must be there. On which device and with which versions it was measured is no matter: all that a calibration
    compares, it works out itself."""
    now = describe(config, located, corpus.identify(config.corpus, config.max_line_bytes), str(run["device"]))
    if run["kind"] == "measured":
        stored = json.loads(str(run["config"]))
        told = json.loads(str(now["config"])) | {key: stored.get(key) for key in ("device", "measures")}
        now |= {"versions": run["versions"], "config": json.dumps(told)}
    check_same(run, now, where, complete=True)


def _measure_windows(job: Job, store: Store, stop: Stop) -> None:
    from extract.calibration import window

    windows, work = _prepared(job, store)
    begun = job.begun
    with bar(f"calibrating {job.config.name}, windows", job.settings.windows, job.settings.windows - len(job.missing)) as advance:
        for number in job.missing:
            with device.failures_told(), device.must_fit():
                ablated = window.chosen(_attributed(store, job), job.settings) if number else None
                rows = window.measure_window(work, number, to_tensor(windows[number : number + 1]), ablated)
            # The calibration's own rows go into the transaction of its first window: a calibration without a window is none.
            with stop.held():
                store.add({**({} if begun else _first_rows(job, store, work.plan)), **rows})
                begun = True
            advance(1)


def _prepared(job: Job, store: Store) -> tuple[Windows, "Work"]:
    """The windows of the calibration, and what measures them."""
    from extract.calibration.observed import means
    from extract.calibration.window import Work

    check_room(job.config, job.located, store.out, 1)
    loaded = load(job.config, job.located, job.row | {"device": job.device})
    windows = _further_windows(loaded, job.settings)
    with waiting("measuring the held-out windows"), device.failures_told(), device.must_fit():
        averages = means(loaded.model, to_tensor(loaded.calibration))
    plan = interventions(job.settings, counted(store, job.config.name, job.settings.threshold))
    return windows, Work(loaded.model, averages, job.settings, plan, {"run_id": job.config.name, "calibration": job.number})


def _further_windows(loaded: Loaded, settings: Settings) -> Windows:
    """Windows of the same text after those that the run measured and held out. Raises CorpusRefusal where the text is too short."""
    config, had = loaded.config, loaded.cut.windows
    held_out = config.calibration_windows + settings.windows
    size = {"window": config.window, "windows": config.windows, "held_out": held_out, "seed": config.seed}
    try:
        longer = cut(loaded.text.documents, loaded.checkpoint.tokenizer, corpus=loaded.text.name, **size).windows
    except CorpusRefusal as error:
        fix = "ask for fewer windows with calibrate --windows, or measure a run that leaves some of the text"
        raise CorpusRefusal(error.what, error.where, fix) from error
    if not np.array_equal(longer[: len(had)], had):
        raise CorpusRefusal("the text is no longer cut into the windows of the run", loaded.text.name, "measure the run again")
    return longer[len(had) :, : settings.tokens]


def _attributed(store: Store, job: Job) -> np.ndarray:
    """Window 0's attribution, [layer, head]: which heads are ablated was decided by it."""
    query = """
        select total from calibration_head
        where run_id = ? and calibration = ?::integer and "window" = 0 and kind = 'attribution' order by layer, head"""
    totals = [float(str(row["total"])) for row in store.rows(query, job.config.name, str(job.number))]
    return np.array(totals).reshape(int(str(job.row["layers"])), -1)


def _first_rows(job: Job, store: Store, plan: tuple[Intervention, ...]) -> Rows:
    from extract.calibration.predictions import KL, KL_EDGES
    from extract.rows import bin_rows

    key = {"run_id": job.config.name, "calibration": job.number}
    settings = job.settings
    row = key | {
        "quick": settings.quick,
        "windows": settings.windows,
        "window_tokens": settings.tokens,
        "first_window": job.config.windows + job.config.calibration_windows,
        "ablated_windows": settings.ablated_windows,
        "threshold": settings.threshold,
        "seed": settings.seed,
        "dtype": job.config.dtype,
        "device": job.device,
        "hardware": device.hardware(job.device),
        "versions": json.dumps(versions(provenance.CALIBRATING), sort_keys=True),
        "config": settings.to_json(),
        "measured_on": datetime.datetime.now(datetime.UTC).date(),
    }
    listed = [key | {"ordinal": number} | each.row() for number, each in enumerate(plan)]
    own = {"calibration": pa.Table.from_pylist([row]), "intervention": pa.Table.from_pylist(listed)}
    return own | dict(bin_rows(store, {KL: KL_EDGES}))


def _summarise(store: Store, job: Job, seconds: float) -> None:
    query = """
        select fsum(pairs) * 100 / fsum(all_pairs) as pct, (fsum(cross_entropy) - fsum(clean_cross_entropy)) / fsum(tokens) as rise,
            count(*) as windows
        from intervention_window join intervention using (run_id, calibration, intervention)
        join calibration using (run_id, calibration)
        where run_id = ? and calibration = ?::integer
            and rule = 'relative_norm' and treatment = 'zero' and intervention.threshold = calibration.threshold"""
    told = store.rows(query, job.config.name, str(job.number))[0]
    price = (
        f"zeroing the {told['pct']:.1f} % of head-token pairs below r = {job.settings.threshold:g} adds {told['rise']:+.4f} nats per token"
    )
    how = f"{told['windows']} windows, {seconds:,.0f} s" if job.missing else "complete already"
    say(f"{job.config.name}: {price} ({how}): {store.out}")
    say(f"next: {typed('report', 'build', str(store.out))}")
