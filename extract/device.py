"""Where a model runs: cpu or cuda; and so which run `make report` measures.

Told without loading torch, so that a command with nothing to do ends at once."""

import ctypes
import importlib.util
import platform
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from extract import config
from extract.errors import EnvironmentRefusal

if TYPE_CHECKING:
    from torch import nn

FLAGSHIP = Path("runs/gpt2-xl.toml")
MODEST = Path("runs/embedded.toml")


def resolve(asked: str) -> str:
    """The kind of device, cpu or cuda, that auto, cpu or cuda stands for here."""
    return ("cuda" if cuda_ready() is None else "cpu") if asked == "auto" else asked


def cuda_ready() -> str | None:
    """None where this PyTorch can use a CUDA GPU that is here, otherwise what is missing."""
    driver = _driver_version()
    if driver is None:
        return "there is no CUDA GPU here"
    built_for = _torch_cuda()
    if built_for is None:
        return "the installed PyTorch is built without CUDA"
    # Drivers run programs built for any minor release of their major one.
    return None if built_for <= driver else f"the GPU's driver is for CUDA {driver}, PyTorch for CUDA {built_for}"


def _driver_version() -> int | None:
    """The CUDA major release that the driver is for, or None where no GPU answers."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        count, version = ctypes.c_int(), ctypes.c_int()
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value:
            return version.value // 1000 if driver.cuDriverGetVersion(ctypes.byref(version)) == 0 else None
    return None


def _torch_cuda() -> int | None:
    """The CUDA major release that the installed PyTorch was built for."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    told = re.search(r"^cuda[^=]*= '(\d+)", Path(spec.origin).with_name("version.py").read_text(encoding="utf-8"), re.MULTILINE)
    return int(told[1]) if told else None


def hardware(kind: str, model: "nn.Module | None" = None) -> str:
    """The name of the processor or accelerator; of every one that holds a part of `model`, such as 2 x NVIDIA H100."""
    if kind == "cuda":
        import torch

        used = {weight.device for weight in model.parameters()} if model is not None else {torch.device("cuda")}
        return named(torch.cuda.get_device_name(device) for device in sorted(used, key=str))
    processors = Path("/proc/cpuinfo")
    told = re.search(r"^model name\s*:\s*(.+)$", processors.read_text(encoding="utf-8"), re.MULTILINE) if processors.exists() else None
    return told[1].strip() if told else platform.processor() or platform.machine()


def named(names: Iterable[str]) -> str:
    """Several devices in one line, each name once, in the order in which they come."""
    return ", ".join(f"{count} x {name}" if count > 1 else name for name, count in Counter(names).items())


def default_run() -> tuple[Path, str]:
    """The run file that `make report` uses here, and one line that says why."""
    from extract.checkpoint_files import in_hub_cache

    flagship = config.read(FLAGSHIP)
    missing = cuda_ready()
    if missing is None and not in_hub_cache(flagship.model, flagship.revision):
        missing = f"the weights of {flagship.model} are not in the hub cache"
    if missing is None:
        return FLAGSHIP, f"measuring {flagship.name}: a CUDA GPU is here, and its weights are in the hub cache"
    why = f"measuring {config.read(MODEST).name} rather than {flagship.name}: {missing}"
    return MODEST, f"{why} (make report RUN={FLAGSHIP} measures it all the same)"


@contextmanager
def failures_told() -> Iterator[None]:
    """Turn a failing GPU into a refusal; not too little memory, which a smaller batch may mend."""
    import torch

    try:
        yield
    except torch.AcceleratorError as error:
        fix = "run the same command again; committed shards are kept"
        raise EnvironmentRefusal(f"the GPU failed: {next(iter(str(error).splitlines()), 'no reason given')}", "device", fix) from error


@contextmanager
def must_fit() -> Iterator[None]:
    """Turn too little memory into a refusal, where the work is one window and cannot be halved."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise too_large() from error


def too_large() -> EnvironmentRefusal:
    """What is said where not even one window fits."""
    fix = "--window lower, --dtype bfloat16 or --device cpu; committed shards are kept"
    return EnvironmentRefusal("one window does not fit in the GPU's memory", "device", fix)
