"""Merging alone: synthetic shards of GPT-2 xl's shape are read, verified and committed, in order, as the driver does."""

import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from extract import measures
from extract.checkpoint_files import Located
from extract.cluster.gathering import Gathering
from extract.cluster.shard_files import Manifest, leave, run_key, shard_key
from extract.cluster.storage import storage
from extract.config import RunConfig
from extract.families import HeadShape
from extract.job import Job
from extract.progress import bar
from extract.replica import Findings, Measured
from extract.rows import shard_rows
from extract.store import Store
from extract.sums import BINS, ShardSums

SHAPE = HeadShape(layers=48, heads=25, kv_heads=25, head_dim=64, d_model=1600, context=1024)
MEASURES = 20
WINDOWS = 8
# Shards that lie on the disk at a time, and over which one figure is taken.
CHUNK = 500


def measure(shards: int, histograms: bool = False) -> dict[str, object]:
    """Seconds of each chunk, the final publishing, and sizes in bytes; `peak_bytes` is the most that this process has had resident so far.
    `histograms` adds a filled one to each shard."""
    with tempfile.TemporaryDirectory(prefix="headcount-merging-") as folder:
        out, place = Path(folder) / "counters.duckdb", str(Path(folder) / "shards")
        # By another process: what writing takes is no part of what merging does.
        with Store(out) as store, ProcessPoolExecutor(1, get_context("spawn")) as writer:
            job = _job(shards)
            gathering, seconds, processor, size = Gathering(job, place, store), [], [], 0
            with bar("merging synthetic shards,", shards, 0) as advance:
                for first in range(0, shards, CHUNK):
                    # Of all shards as many are written as one chunk: nothing of the writing is timed.
                    chunk = range(first, min(first + CHUNK, shards))
                    for manifest in writer.submit(_write, job, place, chunk, histograms).result():
                        gathering.arrived(manifest)
                        size = manifest.bytes
                    started, cpu = time.perf_counter(), time.process_time()
                    count = 0
                    while gathering.mergeable:
                        gathering.merge_next()
                        count += 1
                    seconds.append((time.perf_counter() - started) / count)
                    processor.append((time.process_time() - cpu) / count)
                    _remove(place, job)
                    advance(count)
            started = time.perf_counter()
            store.publish()
            published = time.perf_counter() - started
            gathering.close()
        found: dict[str, object] = {"shards": shards, "heads": SHAPE.layers * SHAPE.heads, "measures": MEASURES, "histograms": histograms}
        found |= {"seconds_per_shard": [round(part, 5) for part in seconds], "cpu_per_shard": [round(part, 5) for part in processor]}
        # Linux counts it in KiB, macOS in bytes.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        sizes = {"file_bytes": size, "database_bytes": out.stat().st_size, "peak_bytes": peak}
        return found | sizes | {"publish_seconds": round(published, 2)}


def _job(shards: int) -> Job:
    config = RunConfig("Synthetic", "synthetic", "synthetic", window=1024, windows=WINDOWS * shards, shards=shards, examples=False)
    row: dict[str, object] = {"run_id": config.name, "kind": "measured", "title": config.name, "versions": "{}", "config": "{}"}
    row |= {"weights_sha256": "0" * 64, "corpus_sha256": "0" * 64, "device": "cpu", "windows": config.windows, "shards": shards}
    return Job(config, Located(Path(), "synthetic", None, (), "0" * 64, None), row, False, tuple(range(shards)))


def _write(job: Job, place: str, shards: range, histograms: bool) -> list[Manifest]:
    there, draw = storage(place, run_key(job)[:16]), np.random.default_rng(shards.start)
    findings = Findings(SHAPE, None, "synthetic", "synthetic", WINDOWS, ())
    names, scored, manifests = measures.names()[:MEASURES], WINDOWS * (job.config.window - 1), []
    for shard in shards:
        sums = ShardSums(SHAPE.layers, SHAPE.heads)
        for name in names:
            mean = draw.random((SHAPE.layers, SHAPE.heads))
            sums.add(name, np.full(mean.shape, scored), mean * scored, mean**2 * scored)
        if histograms:
            sums.add_histogram("relative_norm", draw.integers(1, 100, (SHAPE.layers, SHAPE.heads, BINS)))
        rows = shard_rows(job.config.name, shard, WINDOWS, scored, sums)
        manifests.append(leave(there, shard_key(job, shard), Measured(shard, scored, 0.0, findings, rows)))
    return manifests


def _remove(place: str, job: Job) -> None:
    there = storage(place, run_key(job)[:16])
    for name in there.names():
        there.remove(name)
