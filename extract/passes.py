"""The forward passes of one shard, as many windows at a time as the device's memory holds; and those of calibration, before the first."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float64
from torch import Tensor

from extract import attention, measures
from extract.errors import EnvironmentRefusal
from extract.examples import Examples
from extract.loading import Loaded, to_tensor
from extract.measures import HELD_OUT, NATURAL, REPEATED, WEIGHTS
from extract.progress import say
from extract.repeated import repeated_windows
from extract.sums import ShardSums

Means = Float64[Tensor, "layer head rank"]


def mean_outputs(loaded: Loaded) -> Means:
    """What each head writes on average over the windows that are held out.

    One window at a time, so that a run that is resumed with another batch has the same means. Raises EnvironmentRefusal."""
    with _gpu_told():
        try:
            sums = [attention.mean_outputs(loaded.model, window[None]) for window in to_tensor(loaded.calibration)]
        except torch.OutOfMemoryError as error:
            raise _too_large() from error
        return torch.stack(sums).mean(0)


def measure_shard(loaded: Loaded, shard: int, means: Means, examples: Examples, batch: int) -> tuple[ShardSums, Examples, int]:
    """The sums of one shard, the run's examples with those of the shard, and the batch that fitted into the memory: halved until it does.

    Raises EnvironmentRefusal where the device fails or not even one window fits, ModelRefusal and NumericRefusal as `measure_windows`."""
    batch = min(batch, len(loaded.config.windows_of_shard(shard)))
    while True:
        sums, taken = ShardSums(loaded.checkpoint.shape.layers, loaded.checkpoint.shape.heads), examples.copy()
        try:
            with _gpu_told():
                _measure_text(loaded, shard, means, taken, batch, sums)
                _measure_repeated(loaded, shard, batch, sums)
                if shard == 0:
                    _measure_held_out(loaded, sums)
            return sums, taken, batch
        except torch.OutOfMemoryError as error:
            if batch == 1:
                raise _too_large() from error
        batch //= 2
        torch.cuda.empty_cache()
        say(f"out of GPU memory: going on with {batch} windows per pass")


def _measure_text(loaded: Loaded, shard: int, means: Means, examples: Examples, batch: int, sums: ShardSums) -> None:
    modules = measures.discover(NATURAL, WEIGHTS)
    for numbers in _batches(loaded.config.windows_of_shard(shard), batch):
        tokens, also = to_tensor(loaded.windows(numbers)), [examples.taking(numbers.start)]
        attention.measure_windows(loaded.model, tokens, sums, modules, mean_outputs=means, also=also)


def _measure_repeated(loaded: Loaded, shard: int, batch: int, sums: ShardSums) -> None:
    modules = measures.discover(REPEATED)
    # As many tokens per pass as of text, in windows that are mostly shorter.
    config = loaded.config
    batch = max(1, batch * config.window // (1 + config.repeated_tokens * config.repeated_copies))
    for numbers in _batches(config.repeated_of_shard(shard), batch):
        tokens = to_tensor(repeated_windows(config, loaded.checkpoint, numbers))
        attention.measure_windows(loaded.model, tokens, sums, modules)


def _measure_held_out(loaded: Loaded, sums: ShardSums) -> None:
    """Checks that cost too much to be made on all of the text; they go into the first shard, one window at a time as the means do."""
    for window in to_tensor(loaded.calibration):
        attention.measure_windows(loaded.model, window[None], sums, measures.discover(HELD_OUT))


def _batches(numbers: range, batch: int) -> Iterator[range]:
    return (numbers[start : start + batch] for start in range(0, len(numbers), batch))


@contextmanager
def _gpu_told() -> Iterator[None]:
    try:
        yield
    except torch.AcceleratorError as error:
        fix = "run the same command again; committed shards are kept"
        raise EnvironmentRefusal(f"the GPU failed: {str(error).splitlines()[0]}", "device", fix) from error


def _too_large() -> EnvironmentRefusal:
    fix = "--window lower, --dtype bfloat16 or --device cpu; committed shards are kept"
    return EnvironmentRefusal("one window does not fit in the GPU's memory", "device", fix)
