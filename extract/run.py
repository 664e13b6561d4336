"""One run: load, prove the extraction on one window, then measure shard by shard; each shard is committed before the next one begins.

A run of the same name and configuration is continued where it stopped, and one that is complete costs neither torch nor transformers."""

import io
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from extract import corpus, device, measures
from extract.checkpoint_files import Located, locate
from extract.config import RunConfig
from extract.database_file import check_space, check_writable
from extract.errors import CorpusRefusal, DatabaseRefusal, EnvironmentRefusal
from extract.identity import check_same, describe
from extract.interrupt import Interrupted, Stop
from extract.next_command import typed
from extract.progress import bar, say, waiting
from extract.store import Rows, Store
from extract.sums import ShardSums
from extract.windows import cut

if TYPE_CHECKING:
    import torch
    import transformers

    import extract.checkpoint
    import extract.families

PUBLISH_EVERY = 60.0
# Tokens per forward pass where the run file names no batch: enough to keep the device busy.
TOKENS_PER_PASS = {"cpu": 1024, "cuda": 8192}
# Bytes per shard and head in the working file and the counters file together, with room to spare.
BYTES = 1500

Windows = Int64[np.ndarray, "windows window"]


@dataclass(frozen=True)
class Job:
    """What is to be done. `row` is the row of table run, as far as it is known; `begun` says that it stands in the database, whole."""

    config: RunConfig
    located: Located
    row: dict[str, object]
    begun: bool
    missing: tuple[int, ...]


@dataclass(frozen=True)
class Loaded:
    """A model that has passed its probes, and the windows that it is to be measured on."""

    checkpoint: "extract.checkpoint.Checkpoint"
    model: "transformers.PreTrainedModel"
    windows: Windows
    licence: str | None
    kernel: str


def measure(config: RunConfig, out: Path, *, must_resume: bool = False, command: str = "python -m extract run") -> None:
    """Measure what is missing of a run, and publish it. `command` is what the user is told to repeat after an interruption.

    Raises a Refusal: DatabaseRefusal where the name stands for another run, or with must_resume for none; Interrupted."""
    # Read when torch is loaded, be it to convert the model: threads that spin while they wait are four times slower beside other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    started = time.monotonic()
    with Stop() as stop, Store(out) as store:
        try:
            job = _plan(config, store, must_resume)
            tokens = _measure_shards(job, store, stop) if job.missing else 0
        except KeyboardInterrupt as error:
            with stop.held():
                if store.rows("select run_id from run"):
                    store.publish()
            kept = f"interrupted; {len(store.shards(config.name))} of {config.shards} shards are kept"
            raise Interrupted(kept, str(out), f"resume with: {command}") from error
        with stop.held():
            store.publish()
        _summarise(config, store, tokens, time.monotonic() - started)


def _plan(config: RunConfig, store: Store, must_resume: bool) -> Job:
    located = locate(config.model, config.revision, config.weights_sha256)
    row = describe(config, located, corpus.identify(config.corpus), device.resolve(config.device))
    there = store.run(config.name)
    if there is not None:
        check_same(there, row, store.out.name)
    elif must_resume:
        raise DatabaseRefusal(f"there is no run {config.name!r} to resume", store.out.name, "leave --resume out to begin it")
    done = store.shards(config.name)
    return Job(config, located, there or row, there is not None, tuple(shard for shard in range(config.shards) if shard not in done))


def _load(job: Job, out: Path) -> Loaded:
    from extract.attention import self_test
    from extract.checkpoint import load, open_checkpoint

    checkpoint = open_checkpoint(job.located, job.config.window)
    check_space(out, BYTES * len(job.missing) * checkpoint.shape.layers * checkpoint.shape.heads)
    text = corpus.read(job.config.corpus)
    if text.sha256 != job.row["corpus_sha256"]:
        raise CorpusRefusal("the text changed while it was read", text.name, "run the same command again")
    windows = _cut(job.config, checkpoint, text)
    with waiting(f"loading and checking {job.located.name}"):
        model = load(checkpoint, job.config.dtype, str(job.row["device"]))
        kernel = self_test(model, _tensor(windows[:1]))
    return Loaded(checkpoint, model, windows, text.licence, kernel)


def _measure_shards(job: Job, store: Store, stop: Stop) -> int:
    """Measure and commit every missing shard; gives the tokens scored."""
    from extract.rows import shard_rows

    config, loaded = job.config, _load(job, store.out)
    shares = {shard: config.windows_of_shard(shard) for shard in job.missing}
    batch = int(str(job.row.get("batch_windows") or config.batch or max(1, TOKENS_PER_PASS[str(job.row["device"])] // config.window)))
    begun, tokens = job.begun, 0
    with bar(f"measuring {config.name}, windows", config.windows, config.windows - sum(map(len, shares.values()))) as advance:
        for shard, share in shares.items():
            sums, batch = _shard_sums(loaded.model, loaded.checkpoint.shape, loaded.windows[share.start : share.stop], batch)
            # The run's own rows go into the transaction of its first shard: a run without a shard is none.
            first = {} if begun else _first_rows(job, store, loaded, batch)
            scored = len(share) * (config.window - 1)
            with stop.held():
                store.add({**first, **shard_rows(config.name, shard, len(share), scored, sums)})
                begun, tokens = True, tokens + scored
                _publish_now_and_then(store)
            advance(len(share))
    return tokens


def _shard_sums(
    model: "transformers.PreTrainedModel", shape: "extract.families.HeadShape", windows: Windows, batch: int
) -> tuple[ShardSums, int]:
    """The sums of one shard, and the batch that fitted into the device's memory: halved until it does."""
    import torch

    from extract.attention import measure_windows

    batch = min(batch, len(windows))
    while True:
        sums = ShardSums(shape.layers, shape.heads)
        try:
            for start in range(0, len(windows), batch):
                measure_windows(model, _tensor(windows[start : start + batch]), sums)
            return sums, batch
        except torch.OutOfMemoryError as error:
            if batch == 1:
                fix = "--window lower, --dtype bfloat16 or --device cpu; committed shards are kept"
                raise EnvironmentRefusal("one window does not fit in the GPU's memory", "device", fix) from error
        except torch.AcceleratorError as error:
            said = str(error).splitlines()[0]
            raise EnvironmentRefusal(
                f"the GPU failed: {said}", "device", "run the same command again; committed shards are kept"
            ) from error
        batch //= 2
        torch.cuda.empty_cache()
        say(f"out of GPU memory: going on with {batch} windows per pass")


def _first_rows(job: Job, store: Store, loaded: Loaded, batch: int) -> Rows:
    from extract.rows import run_rows
    from extract.worked_token import work_token

    shape = loaded.checkpoint.shape
    found = {"corpus_licence": loaded.licence, "layers": shape.layers, "heads_per_layer": shape.heads, "batch_windows": batch}
    row = job.row | found | {"attention_kernel": loaded.kernel, "hardware": device.hardware(str(job.row["device"]))}
    worked = [asdict(token) for token in work_token(loaded.model, loaded.checkpoint.tokenizer, _tensor(loaded.windows)[0], 0)]
    return run_rows(store, row, shape, [module.MEASURE for module in measures.discover()], worked)


def _publish_now_and_then(store: Store) -> None:
    try:
        store.publish(every=PUBLISH_EVERY)
    except EnvironmentRefusal as refusal:
        # The rows are committed: somebody who has the counters file open is no reason to stop measuring.
        say(f"not published yet: {refusal.what} ({refusal.where})")


def _cut(config: RunConfig, checkpoint: "extract.checkpoint.Checkpoint", text: corpus.Corpus) -> Windows:
    size = {"window": config.window, "windows": config.windows, "seed": config.seed}
    windows, special = cut(text.documents, checkpoint.tokenizer, corpus=text.name, **size)
    for kind, count in text.cleaned.items():
        say(f"warning: {count} {kind} left out of {text.name}")
    if special:
        say(f"warning: {special} places in {text.name} equal a special token; they are read as plain text")
    return windows


def save_windows(config: RunConfig, out: Path) -> None:
    """Write the run's token windows, int64 [windows, window], as a .npy file. Raises a Refusal as `measure` does."""
    from extract.checkpoint import open_checkpoint

    check_writable(out)
    checkpoint = open_checkpoint(locate(config.model, config.revision, config.weights_sha256), config.window)
    windows = _cut(config, checkpoint, corpus.read(config.corpus))
    content, part = io.BytesIO(), out.with_name(out.name + ".part")
    # Not straight to the file: NumPy keeps silent where the last bytes do not fit on the disk.
    np.save(content, windows)
    try:
        part.write_bytes(content.getbuffer())
        part.replace(out)
    except OSError as error:
        raise EnvironmentRefusal(
            f"cannot be written: {error.strerror or error}", out.name, "free some space, or choose another --out"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    say(f"{len(windows)} windows of {config.window} tokens: {out}")


def _tensor(windows: Windows) -> "torch.Tensor":
    import torch

    return torch.from_numpy(windows)


def _summarise(config: RunConfig, store: Store, tokens: int, seconds: float) -> None:
    run = store.run(config.name) or {}
    scored = store.rows("select sum(scored_tokens)::bigint as tokens from shard where run_id = ?", config.name)[0]["tokens"]
    heads = int(str(run["layers"])) * int(str(run["heads_per_layer"]))
    how = f"{seconds:,.0f} s, {tokens / seconds:,.0f} tokens/s" if tokens else "complete already"
    say(f"{config.name}: {heads:,} heads on {scored:,} tokens ({how}): {store.out}")
    say(f"next: {typed('report', 'build', str(store.out))}")
