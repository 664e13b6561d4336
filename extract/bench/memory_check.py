"""What is counted on the meta device, set against what becomes resident when a model small enough to run takes the same steps."""

import json
import os
import subprocess
import sys

import torch

from extract import blocked
from extract.bench import alone, machine
from extract.bench.memory import SMALL, STEPS, Bytes, Shape, Work, counted

BATCHES = (1, 4)
# Blocks of memory from this size on go back to the system at once: what one step has left would hide what the next one takes.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
_TINY = Shape(2, 4, 2, 16, 64, 128, 256, "float32")


def check() -> list[dict[str, object]]:
    """For each batch and step what is counted and what became resident, in bytes. Linux with glibc alone tells the latter."""
    found: list[dict[str, object]] = []
    for batch in BATCHES:
        program = "import sys; from extract.bench import memory_check; memory_check.main(int(sys.argv[1]))"
        command = [sys.executable, "-W", "ignore", "-c", program, str(batch)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | _ALLOCATOR, stdin=subprocess.DEVNULL)
        resident: Bytes = json.loads(done.stdout.splitlines()[-1])
        said = counted_small(batch)
        found += [{"batch": batch, "step": step, "counted": said[step], "resident": resident[step]} for step in STEPS]
    return found


def counted_small(batch: int) -> Bytes:
    """What is counted for the model that is measured here."""
    return counted(SMALL, batch, blocked.BLOCK_BYTES["cpu"], SMALL.layers)


def main(batch: int) -> None:
    """What a process of its own does; prints what became resident in each step as JSON."""
    machine.prepare()
    # What is loaded at first use is no part of a step.
    warm = Work(_TINY.build("cpu"), 1)
    for step in STEPS:
        _take(warm, step)
    torch.manual_seed(0)
    work, found = Work(SMALL.build("cpu"), batch), dict[str, int]()
    for step in STEPS:
        before = alone.forget_peak()
        _take(work, step)
        found[step] = alone.peak_bytes() - before
    print(json.dumps(found))


def _take(work: Work, step: str) -> None:
    with torch.inference_mode():
        getattr(work, step)()
