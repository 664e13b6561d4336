"""One run: load, prove the extraction on one window, then measure shard by shard; each shard is committed before the next one begins.

A run of the same name and configuration is continued where it stopped, and one that is complete costs neither torch nor transformers."""

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from extract import corpus, device, measures, quarantine
from extract.checkpoint_files import Located, locate
from extract.config import RunConfig
from extract.errors import DatabaseRefusal, EnvironmentRefusal, NotFinite
from extract.identity import check_same, describe, other_versions
from extract.interrupt import Interrupted, Stop, obeyed
from extract.loading import Loaded, load, to_tensor
from extract.measures import HELD_OUT, NATURAL, REPEATED, WEIGHTS
from extract.next_command import typed
from extract.progress import bar, say, waiting
from extract.store import Rows, Store

if TYPE_CHECKING:
    from extract.examples import Examples
    from extract.sums import ShardSums

PUBLISH_EVERY = 60.0
# Tokens per forward pass where the run file names no batch: enough to keep the device busy.
TOKENS_PER_PASS = {"cpu": 1024, "cuda": 8192}


@dataclass(frozen=True)
class Job:
    """What is to be done. `row` is the row of table run, as far as it is known; `begun` says that it stands in the database, whole."""

    config: RunConfig
    located: Located
    row: dict[str, object]
    begun: bool
    missing: tuple[int, ...]


def measure(
    config: RunConfig,
    out: Path,
    *,
    must_resume: bool = False,
    retry_quarantined: bool = False,
    salvage: bool = False,
    command: str = "python -m extract run",
) -> None:
    """Measure what is missing of a run, and publish it. `command` is what the user is told to repeat after an interruption.

    With retry_quarantined, what is quarantined is missing too; with salvage, a log of the working file that cannot be replayed is set
    aside.
    Raises a Refusal: DatabaseRefusal where the name stands for another run, or is to be resumed and there is none; NumericRefusal at the
    end where shards are quarantined; Interrupted."""
    # Read when torch is loaded, be it to convert the model: threads that spin while they wait are four times slower beside other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    started = time.monotonic()
    with Stop() as stop, Store(out, salvage) as store:
        quarantine.say_lost(store)
        try:
            with obeyed():
                job = _plan(config, store, must_resume, retry_quarantined)
                tokens = _measure_shards(job, store, stop) if job.missing else 0
            with stop.held():
                store.publish()
        except KeyboardInterrupt as error:
            if store.rows("select run_id from run"):
                _publish_if_possible(store)
            kept = f"interrupted; {len(store.shards(config.name))} of {config.shards} shards are kept"
            raise Interrupted(kept, str(out), f"resume with: {command}") from error
        _summarise(job, store, tokens, time.monotonic() - started)
        quarantine.refuse(config, store)


def _plan(config: RunConfig, store: Store, must_resume: bool, retry_quarantined: bool) -> Job:
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


def _measure_shards(job: Job, store: Store, stop: Stop) -> int:
    """Measure and commit every missing shard; gives the tokens scored."""
    from extract.passes import mean_outputs, measure_shard

    config, loaded = job.config, load(job.config, job.located, job.row, store.out, len(job.missing))
    with waiting("measuring the held-out windows"):
        means = mean_outputs(loaded)
    examples = _examples_so_far(job, store, loaded)
    batch = _batch(job)
    begun, tokens, left = job.begun, 0, sum(len(config.windows_of_shard(shard)) for shard in job.missing)
    with bar(f"measuring {config.name}, windows", config.windows, config.windows - left) as advance:
        for shard in job.missing:
            try:
                sums, with_shard, batch = measure_shard(loaded, shard, means, examples, batch)
            except NotFinite as refusal:
                scored, with_shard, rows = 0, examples, quarantine.rows(loaded, shard, means, refusal, store)
            else:
                scored = len(config.windows_of_shard(shard)) * (config.window - 1)
                rows = _shard_rows(loaded, shard, scored, sums, with_shard)
            # The run's own rows go into the transaction of its first shard: a run without a shard is none.
            first = {} if begun else _first_rows(job, store, loaded, batch)
            with stop.held():
                store.add({**first, **rows})
                begun, tokens, examples = True, tokens + scored, with_shard
                _publish_if_possible(store, every=PUBLISH_EVERY)
            advance(len(config.windows_of_shard(shard)))
    return tokens


def _batch(job: Job) -> int:
    """Windows per pass: as the run began, so that one that is continued ends with the same numbers; or as asked; or by the device."""
    if job.begun:
        return int(str(job.row["batch_windows"]))
    return job.config.batch or max(1, TOKENS_PER_PASS[str(job.row["device"])] // job.config.window)


def _examples_so_far(job: Job, store: Store, loaded: Loaded) -> "Examples":
    from extract.examples import restored

    shape, rows = loaded.checkpoint.shape, store.table("from example where run_id = ?", job.config.name)
    return restored(job.config.seed, shape.layers, shape.heads, str(job.row["device"]), rows)


def _shard_rows(loaded: Loaded, shard: int, scored: int, sums: "ShardSums", examples: "Examples") -> Rows:
    from extract.example_text import text_rows
    from extract.rows import shard_rows

    name, numbers, tokenizer = loaded.config.name, loaded.config.windows_of_shard(shard), loaded.checkpoint.tokenizer
    new = examples.to_table(name, shard, numbers)
    text = text_rows(name, new, loaded.windows(numbers), numbers, tokenizer, loaded.cut.spans, loaded.text.titles)
    return {**shard_rows(name, shard, len(numbers), scored, sums), "example": new, **text}


def _first_rows(job: Job, store: Store, loaded: Loaded, batch: int) -> Rows:
    from extract.rows import run_rows
    from extract.worked_token import work_token

    shape = loaded.checkpoint.shape
    found = {"corpus_licence": loaded.text.licence, "layers": shape.layers, "heads_per_layer": shape.heads, "batch_windows": batch}
    row = job.row | found | {"attention_kernel": loaded.kernel, "hardware": device.hardware(str(job.row["device"]), loaded.model)}
    # Without examples, no word of the text is kept.
    first = to_tensor(loaded.cut.windows)[0]
    worked = []
    if job.config.examples:
        with device.failures_told(), device.must_fit():
            worked = [asdict(token) for token in work_token(loaded.model, loaded.checkpoint.tokenizer, first, 0)]
    conditions = (NATURAL, HELD_OUT, WEIGHTS, *((REPEATED,) if job.config.repeated_windows else ()))
    return run_rows(store, row, shape, [module.MEASURE for module in measures.discover(*conditions)], worked)


def _publish_if_possible(store: Store, every: float = 0.0) -> None:
    try:
        store.publish(every=every)
    except EnvironmentRefusal as refusal:
        # The rows are committed: somebody who has the counters file open is no reason to stop measuring, or to say how to resume.
        say(f"not published yet: {refusal.what} ({refusal.where})")


def _summarise(job: Job, store: Store, tokens: int, seconds: float) -> None:
    config, run = job.config, store.run(job.config.name) or {}
    scored = store.rows("select coalesce(sum(scored_tokens), 0)::bigint as tokens from shard where run_id = ?", config.name)[0]["tokens"]
    heads = int(str(run["layers"])) * int(str(run["heads_per_layer"]))
    how = f"{seconds:,.0f} s, {tokens / seconds:,.0f} tokens/s" if job.missing else "complete already"
    say(f"{config.name}: {heads:,} heads on {scored:,} tokens ({how}): {store.out}")
    say(f"next: {typed('report', 'build', str(store.out))}")
