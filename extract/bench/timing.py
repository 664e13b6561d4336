"""Times of several methods on the same tokens, taken in turns, so that whatever else the machine does falls on all of them alike.

A round runs every method once; the first round is thrown away. A ratio to plain is formed within its round."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

Run = Callable[[], object]


@dataclass(frozen=True)
class Sample:
    """One run: processor time of all threads and time by the clock, in seconds; on a GPU the most memory that was allocated, in bytes."""

    cpu_s: float
    wall_s: float
    allocated: int | None = None


def in_rounds(runs: dict[str, Run], rounds: int, device: str) -> dict[str, list[Sample]]:
    """`rounds` samples of every method, one per round, each round beginning with another method."""
    samples: dict[str, list[Sample]] = {name: [] for name in runs}
    names = list(runs)
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            sample = once(runs[name], device)
            if number:
                samples[name].append(sample)
    return samples


def once(run: Run, device: str) -> Sample:
    """One run. What a GPU was given to do is waited for on both sides of the clock."""
    on_gpu = device == "cuda"
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    if on_gpu:
        torch.cuda.synchronize()
    allocated = torch.cuda.max_memory_allocated() if on_gpu else None
    return Sample(time.process_time() - cpu, time.perf_counter() - wall, allocated)


def record(samples: list[Sample], plain: list[Sample] | None, device: str) -> dict[str, object]:
    """Medians with quartiles. The ratio is of processor time, on a GPU of time by the clock; null where plain was not run."""
    clock = "wall_s" if device == "cuda" else "cpu_s"
    found: dict[str, object] = {"rounds": len(samples), "ratio_of": clock}
    for name in ("cpu_s", "wall_s"):
        found |= _spread(name, [getattr(sample, name) for sample in samples])
    ratios = None if plain is None else [getattr(a, clock) / getattr(b, clock) for a, b in zip(samples, plain, strict=True)]
    found |= _spread("ratio_to_plain", ratios)
    found["peak_bytes"] = max((sample.allocated or 0 for sample in samples), default=0) if device == "cuda" else None
    return found


def _spread(name: str, values: list[float] | None) -> dict[str, object]:
    low, middle, high = (None, None, None) if values is None else np.percentile(values, [25, 50, 75]).tolist()
    return {name: middle, f"{name}_low": low, f"{name}_high": high}
