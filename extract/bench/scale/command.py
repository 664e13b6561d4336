"""`python -m extract bench-scale`: what many workers cost. Nothing here loads torch before the environment is set for it."""

import statistics
from pathlib import Path
from typing import Annotated

import typer

from extract.bench import machine, result_file
from extract.errors import EnvironmentRefusal
from extract.progress import say

SHARDS, QUICK_SHARDS = 10_000, 500
HEAVY_SHARDS, QUICK_HEAVY_SHARDS = 100, 10
QUICK_RUNS = (4, 12)
SIZES, WINDOWS, PER_WORKER = (8, 64, 512), (1, 8, 64), 256
KILLS = (0.1, 10.0)
"""Per worker and hour: machines of one's own, and cheap ones that are taken back every few minutes. Assumed, not measured."""

STORAGE = 0.2
"""Seconds that a bucket takes for a shard's two files. Assumed, not measured."""


def bench_scale(
    shards: Annotated[int | None, typer.Option("--shards", min=2, metavar="N", help="Synthetic shards to merge.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few shards: rough, in three minutes.")] = False,
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="Where the results go.")] = Path("build/scale.json"),
    page: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Print the page of these results; time nothing.")] = None,
) -> None:
    """Time merging, two workers beside the plain loop, and what Ray takes; simulate more workers with what was measured."""
    if page is not None:
        from extract.bench.scale.page import KEYS, render

        result_file.print_page(page, KEYS, "make bench-scale", render)
        return
    machine.prepare()
    try:
        found = _measured(shards or (QUICK_SHARDS if quick else SHARDS), quick)
    except ModuleNotFoundError as error:
        raise EnvironmentRefusal(f"{error.name} is not installed", "Python environment", "pip install -e '.[bench]'") from error
    result_file.write(found, out)
    say(f"written to {out}")


def _measured(shards: int, quick: bool) -> dict[str, object]:
    from extract.bench.scale import merging, workers
    from extract.bench.scale.simulation import Constants, simulate, table

    found: dict[str, object] = {"machine": machine.describe("cpu"), "versions": machine.versions()}
    found["merging"] = [merging.measure(shards), merging.measure(QUICK_HEAVY_SHARDS if quick else HEAVY_SHARDS, histograms=True)]
    dispatch = workers.dispatching(SIZES)
    few, many = QUICK_RUNS if quick else (workers.FEW, workers.MANY)
    two = workers.measure(few, many)
    told, start, wall = (two[key] for key in ("many_told", "workers_start", "workers_wall"))
    if not (isinstance(told, dict) and isinstance(start, dict) and isinstance(wall, dict)):
        raise AssertionError("workers.measure gives a table for each of these")
    loading = max(told["loadings"])
    constants = Constants(
        shards=tuple(told["shards"]),
        loading=loading,
        dispatch=max(dispatch.values()),
        commit=statistics.median(told["commits"]),
        restart=max(0.0, start["seconds"] - loading),
        storage=0.0,
        kills=0.0,
    )
    predicted = simulate(workers.WORKERS, many, constants).seconds
    found |= {"workers": two, "dispatch": dispatch, "constants": vars(constants), "windows_per_worker": PER_WORKER}
    found["check"] = {"shards": many, "predicted": round(predicted, 1), "measured": wall[str(many)]}
    found["assumed"] = {"storage": STORAGE, "kills": list(KILLS)}
    scenarios = [(kills, Constants(**(vars(constants) | {"storage": STORAGE, "kills": kills}))) for kills in KILLS]
    found["simulation"] = [{"kills_per_hour": kills} | row for kills, told in scenarios for row in table(told, SIZES, WINDOWS, PER_WORKER)]
    return found
