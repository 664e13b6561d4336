"""What a benchmark ran on: the machine, its load and the versions; nothing that names whose machine it is."""

import importlib.metadata
import os
import platform

import extract
from extract import device

# Beyond this share of the cores in use by others, times are not to be trusted.
BUSY = 0.25
_PACKAGES = ("torch", "transformers", "numpy", "transformer-lens")


def prepare() -> None:
    """To be called before torch is loaded: threads that spin while they wait burn the processor time that is to be measured."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def describe(kind: str) -> dict[str, object]:
    """The machine as it is now, before anything has been timed."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = [round(part, 2) for part in os.getloadavg()]
    found = {
        "processor": device.hardware("cpu"),
        "cores": cores,
        "memory_bytes": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    found |= {"torch_threads": torch.get_num_threads(), "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY"), "load_average": load}
    found |= {"busy": load[0] > BUSY * cores, "device": device.hardware(kind) if kind == "cuda" else kind}
    return found


def versions() -> dict[str, str | None]:
    """What was installed: None for what was not."""
    found: dict[str, str | None] = {"python": platform.python_version(), "headcount": extract.__version__}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
