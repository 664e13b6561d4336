"""Two workers beside the plain loop, at equal threads: the embedded model, a run of few shards and one of many, each a process of its own.

The difference of two such runs is what the shards between them cost; what a run costs besides – starting, loading, proving the
extraction, the last publishing – is what is left. Processor time is that of the whole tree of processes, Ray's own included, looked at
from outside."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from extract.errors import EnvironmentRefusal
from extract.progress import say, waiting

WORKERS = 2
FEW, MANY = 8, 72
# Seconds between looks at the processes: what one of them burns after the last look is lost.
LOOK = 0.25
PLAIN = 0
"""Workers of the plain loop, which has none."""


@dataclass(frozen=True)
class Took:
    """A run: shards, processor time of all its processes and time by the clock, in seconds, and what its driver tells."""

    workers: int
    shards: int
    cpu: float
    wall: float
    told: dict[str, list[float]]


def measure(few: int = FEW, many: int = MANY) -> dict[str, object]:
    """All four runs, and what follows from them."""
    runs = {(workers, shards): _run(workers, shards) for workers in (PLAIN, WORKERS) for shards in (few, many)}
    found: dict[str, object] = {"few": few, "many": many, "threads": WORKERS, "count": WORKERS}
    marginal = {}
    for name, count in (("plain", PLAIN), ("workers", WORKERS)):
        less, more = runs[count, few], runs[count, many]
        cpu, wall = (more.cpu - less.cpu) / (many - few), (more.wall - less.wall) / (many - few)
        marginal[name] = cpu
        found[name] = {"cpu_per_shard": round(cpu, 4), "seconds_per_shard": round(wall, 4)}
        found[f"{name}_start"] = {"cpu": round(less.cpu - few * cpu, 2), "seconds": round(less.wall - few * wall, 2)}
        found[f"{name}_wall"] = {str(run.shards): round(run.wall, 2) for run in (less, more)}
    found["overhead"] = round(marginal["workers"] / marginal["plain"] - 1, 4)
    found["few_told"], found["many_told"] = runs[WORKERS, few].told, runs[WORKERS, many].told
    return found


def _run(workers: int, shards: int) -> Took:
    with tempfile.TemporaryDirectory(prefix="headcount-scale-") as folder:
        told = Path(folder) / "told.json"
        # As many threads in all: Ray gives each worker its share of the cores, the plain loop has them all.
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(1 if workers else WORKERS)}
        command = [
            sys.executable,
            "-m",
            "extract.bench.scale.workers",
            str(workers),
            str(shards),
            str(Path(folder) / "c.duckdb"),
            str(told),
        ]
        with waiting(f"{shards} shards {'on workers' if workers else 'in the plain loop'}"):
            started = time.monotonic()
            with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
                cpu = _watched(process)
                errors = process.stderr.read() if process.stderr else ""
            wall = time.monotonic() - started
        if process.returncode:
            raise EnvironmentRefusal(
                f"a run ended with {process.returncode}: {errors.splitlines()[-1:]}", "bench-scale", "see what it says"
            )
        return Took(workers, shards, cpu, wall, json.loads(told.read_text(encoding="utf-8")))


def _watched(process: subprocess.Popen[str]) -> float:
    """Processor time of a process and of all below it, ended ones as they were seen last."""
    seen: dict[tuple[int, float], float] = {}
    root = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            for one in [root, *root.children(recursive=True)]:
                times = one.cpu_times()
                seen[one.pid, one.create_time()] = times.user + times.system
        except psutil.NoSuchProcess:
            continue
        time.sleep(LOOK)
    return sum(seen.values())


def _alone(workers: int, shards: int, out: Path, told: Path) -> None:
    """In a process of its own: measure the embedded model, and leave what its driver tells."""
    from extract.cluster import Cluster
    from extract.cluster.on_workers import measure_on_workers
    from extract.config import read
    from extract.job import plan
    from extract.run import measure as measure_plainly
    from extract.store import Store

    file = out.with_name("run.toml")
    text = f'name = "scale"\nmodel = "embedded"\ncorpus = "embedded"\nwindow = 512\nwindows = {shards}\nshards = {shards}\ndevice = "cpu"\n'
    file.write_text(text, encoding="utf-8")
    config, found = read(file), {}
    if workers == PLAIN:
        measure_plainly(config, out)
    else:
        with Store(out) as store:
            worked = measure_on_workers([plan(config, store)], store, Cluster(workers=workers))
            store.publish()
        found = {"shards": worked.shards, "commits": worked.commits, "loadings": worked.loadings}
    told.write_text(json.dumps(found), encoding="utf-8")


def dispatching(sizes: tuple[int, ...], rounds: int = 200) -> dict[str, float]:
    """Seconds that the driver takes to learn that one of so many calls is answered, and to make the next, by size; through Ray itself."""
    import ray

    from extract.cluster import Cluster
    from extract.cluster.session import session

    found = {}
    with session(Cluster(workers=WORKERS), "cpu") as connected:
        answering, sleeping = connected.start(), connected.start()
        ray.get([answering.ready.remote(), sleeping.ready.remote()])
        for size in sizes:
            blocked = [sleeping.__ray_call__.remote(_sleep) for _ in range(size - 1)]
            started = time.perf_counter()
            for _ in range(rounds):
                mine = answering.ready.remote()
                ray.wait([*blocked, mine], num_returns=1)
                ray.get(mine)
            found[str(size)] = (time.perf_counter() - started) / rounds
            say(f"{size} calls in flight: {found[str(size)] * 1000:.2f} ms per answer")
            for reference in blocked:
                ray.cancel(reference, force=False)
    return {size: round(seconds, 6) for size, seconds in found.items()}


def _sleep(worker: object) -> None:
    time.sleep(3600)


if __name__ == "__main__":
    _alone(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
