"""The forward passes of one shard, as many windows at a time as the device's memory holds, and those over the held-out windows."""

from collections.abc import Iterator

import torch
from jaxtyping import Float64
from torch import Tensor

from extract import attention, measures
from extract.device import failures_told, must_fit, too_large
from extract.errors import NotFinite, NumericRefusal
from extract.examples import Examples
from extract.loading import Loaded, to_tensor
from extract.measures import HELD_OUT, NATURAL, REPEATED, WEIGHTS
from extract.progress import say
from extract.repeated import repeated_windows
from extract.reservoir import Reservoirs
from extract.sums import ShardSums

Means = Float64[Tensor, "layer head rank"]


def mean_outputs(loaded: Loaded) -> Means:
    """What each head writes on average over the windows that are held out.

    One window at a time, so that a run that is resumed with another batch has the same means. Raises EnvironmentRefusal, NumericRefusal
    where one is not finite: every shard is measured against them."""
    with failures_told(), must_fit():
        means = [attention.mean_outputs(loaded.model, window[None]) for window in to_tensor(loaded.calibration)]
    for number, mean in enumerate(means, loaded.config.windows):
        if not bool(torch.isfinite(mean).all()):
            what = f"window {number}, which is held out for the mean outputs, is not finite"
            raise NumericRefusal(what, loaded.checkpoint.located.name, "use --dtype float32, or another number of windows")
    return torch.stack(means).mean(0)


def measure_shard(loaded: Loaded, shard: int, means: Means, batch: int) -> tuple[ShardSums, Examples, int]:
    """The sums and examples of one shard, and the batch that fitted into the memory: halved until it does.

    Raises EnvironmentRefusal where the device fails or not even one window fits, ModelRefusal and NotFinite as `measure_windows`."""
    while True:
        layers, heads = loaded.checkpoint.shape.layers, loaded.checkpoint.shape.heads
        sums, examples = ShardSums(layers, heads), Examples(loaded.config.seed, Reservoirs.empty(layers, heads, loaded.model.device))
        try:
            with failures_told():
                _measure_text(loaded, shard, means, examples, batch, sums)
                _measure_repeated(loaded, shard, means, batch, sums)
                if shard == 0:
                    _measure_held_out(loaded, means, sums)
            return sums, examples, batch
        except torch.OutOfMemoryError as error:
            if min(batch, len(loaded.config.windows_of_shard(shard))) == 1:
                raise too_large() from error
        # Half of what there was to be halved: a batch may be larger than the shard.
        batch = min(batch, len(loaded.config.windows_of_shard(shard))) // 2
        torch.cuda.empty_cache()
        say(f"out of GPU memory: going on with {batch} windows per pass")


def bad_windows(loaded: Loaded, shard: int, means: Means) -> list[int]:
    """The windows of text of a shard in which a value is not finite, one window at a time."""
    modules, bad = measures.discover(NATURAL, WEIGHTS), []
    for number in loaded.config.windows_of_shard(shard):
        tokens = to_tensor(loaded.windows(range(number, number + 1)))
        sums = ShardSums(loaded.checkpoint.shape.layers, loaded.checkpoint.shape.heads)
        try:
            with failures_told(), must_fit():
                attention.measure_windows(loaded.model, tokens, sums, modules, mean_outputs=means)
        except NotFinite:
            bad.append(number)
    return bad


def _measure_text(loaded: Loaded, shard: int, means: Means, examples: Examples, batch: int, sums: ShardSums) -> None:
    modules = measures.discover(NATURAL, WEIGHTS)
    for numbers in _batches(loaded.config.windows_of_shard(shard), batch):
        tokens, also = to_tensor(loaded.windows(numbers)), [examples.taking(numbers.start)] if loaded.config.examples else []
        attention.measure_windows(loaded.model, tokens, sums, modules, mean_outputs=means, also=also)


def _measure_repeated(loaded: Loaded, shard: int, means: Means, batch: int, sums: ShardSums) -> None:
    modules = measures.discover(REPEATED)
    # As many tokens per pass as of text, in windows that are mostly shorter.
    config = loaded.config
    batch = max(1, batch * config.window // (1 + config.repeated_tokens * config.repeated_copies))
    for numbers in _batches(config.repeated_of_shard(shard), batch):
        tokens = to_tensor(repeated_windows(config, loaded.checkpoint, numbers))
        attention.measure_windows(loaded.model, tokens, sums, modules, mean_outputs=means)


def _measure_held_out(loaded: Loaded, means: Means, sums: ShardSums) -> None:
    """Checks that cost too much to be made on all of the text; they go into the first shard, one window at a time as the means do."""
    for window in to_tensor(loaded.calibration):
        attention.measure_windows(loaded.model, window[None], sums, measures.discover(HELD_OUT), mean_outputs=means)


def _batches(numbers: range, batch: int) -> Iterator[range]:
    return (numbers[start : start + batch] for start in range(0, len(numbers), batch))
