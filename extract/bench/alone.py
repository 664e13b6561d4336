"""One method in a process of its own: only there is the greatest memory that it takes its own."""

import contextlib
import json
import re
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from extract.bench import machine
from extract.errors import EnvironmentRefusal


@dataclass(frozen=True)
class Task:
    """`passes` forwards of `batch` windows of `tokens` tokens each; before them, one that is not timed where `warm`."""

    case: str
    layers: int
    dtype: str
    tokens: int
    batch: int
    method: str
    passes: int = 1
    warm: bool = False


@dataclass(frozen=True)
class Found:
    """loaded_bytes: resident once the model was loaded; peak_bytes: the most that was resident from then on; cpu_s: processor time of each
    forward; peaks: peak_bytes after each."""

    loaded_bytes: int
    peak_bytes: int
    cpu_s: list[float]
    peaks: list[int]


def run(task: Task) -> Found:
    """Run the task in a process of its own. Raises EnvironmentRefusal where that fails, with the last line it said."""
    program = "import sys; from extract.bench import alone; alone.main(sys.argv[1])"
    # -W: what a library has to say about itself is not for a table of times.
    command = [sys.executable, "-W", "ignore", "-c", program, json.dumps(asdict(task))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise EnvironmentRefusal(f"{task.method} failed in a process of its own: {said[0]}", task.case, "free some memory, or leave it out")
    return Found(**json.loads(done.stdout.splitlines()[-1]))


def main(task: str) -> None:
    """What that process does; prints what it found as JSON."""
    machine.prepare()
    print(json.dumps(asdict(_measure(Task(**json.loads(task))))))


def _measure(task: Task) -> Found:
    import torch

    from extract.bench import cases, methods, timing

    (case,) = cases.choose((task.case,), task.layers)
    model = cases.build(case, getattr(torch, task.dtype), "cpu")
    tokens = cases.windows(case, task.tokens, task.batch * task.passes + 1)
    forward = methods.prepare(task.method, model, case, tokens[-1:], alone=True)
    # What is worked out once per model is no part of a forward.
    loaded = forget_peak()
    if task.warm:
        forward(tokens[: task.batch])
    batches = torch.split(tokens[:-1], task.batch)
    times: list[float] = []
    peaks: list[int] = []
    for batch in batches:
        times.append(timing.once(partial(forward, batch), "cpu").cpu_s)
        peaks.append(peak_bytes())
    return Found(loaded, peak_bytes(), times, peaks)


def forget_peak() -> int:
    """What is resident now; on Linux, loading's own peak is forgotten, which would hide that of a forward."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return peak_bytes()


def peak_bytes() -> int:
    """The most memory that this process has had resident.

    On Linux from /proc: what getrusage tells there includes the parent's memory at the moment it started this process."""
    status = Path("/proc/self/status")
    told = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8"), re.MULTILINE) if status.exists() else None
    if told:
        return int(told[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
