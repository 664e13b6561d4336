"""The same run twice, with other batches, other threads, and its shards in another order: what changes, and by how much at most."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_runs import Tables, tables, write_run
from warm import SEED

from extract import config, corpus
from extract.checkpoint_files import locate
from extract.config import RunConfig
from extract.identity import describe
from extract.loading import load
from extract.passes import mean_outputs, measure_shard
from extract.rows import shard_rows
from extract.run import measure
from extract.run_examples import RunExamples

TITLE = "The same numbers again"
Record = Callable[[str, str], None]

# What docs/method.md promises for float32 on the processor of one machine: of a sum, relative to the larger one or to one unit per value
# summed; of a histogram over all shards and heads, the share of its tokens that fall in another bin.
SUMS = 1e-5
MOVED = 1e-3


@pytest.fixture
def run(tmp_path: Path, make_checkpoint: Callable[..., Path], write_text: Callable[..., Path]) -> RunConfig:
    """Two layers of four heads, wide enough that threads share the work; eight windows in two shards."""
    checkpoint = make_checkpoint(n_layer=2, n_head=4, n_embd=128, n_positions=128)
    return config.read(write_run(tmp_path, checkpoint, write_text(1500, 1500), window=128, windows=8, shards=2, calibration_windows=1))


@pytest.fixture
def threads() -> Iterator[None]:
    """Torch's threads, as they were, at the end."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def measured(run: RunConfig, out: Path, batch: int = 2, threads: int = 1) -> Tables:
    """The tables of a fresh run."""
    torch.set_num_threads(threads)
    measure(replace(run, batch=batch), out)
    return tables(out)


def sums_apart(one: Tables, other: Tables) -> float:
    """How far the sums of two runs differ at most, relative to the larger one or to one unit per value summed."""
    most = 0.0
    for mine, theirs in zip(one["shard_stat"], other["shard_stat"], strict=True):
        assert mine[:6] == theirs[:6]
        n = int(str(mine[5]))
        for here, there in zip(mine[6:], theirs[6:], strict=True):
            a, b = float(str(here)), float(str(there))
            most = max(most, abs(a - b) / max(abs(a), abs(b), n, 1))
    return most


def moved(one: Tables, other: Tables) -> float:
    """Of the histogram where most do, the share of tokens, over all shards and heads, that fall in another bin."""
    cells = [{tuple(row[:6]): int(str(row[6])) for row in each["shard_histogram"]} for each in (one, other)]
    changed: Counter[object] = Counter()
    whole: Counter[object] = Counter()
    for cell in cells[0].keys() | cells[1].keys():
        here, there = (each.get(cell, 0) for each in cells)
        kind = cell[2]
        changed[kind] += abs(here - there)
        whole[kind] += here
    return max(changed[kind] / 2 / whole[kind] for kind in whole)


@pytest.mark.usefixtures("threads")
def test_the_same_run_on_the_same_machine_gives_the_same_tables_bit_for_bit(
    run: RunConfig, tmp_path: Path, whole: bool, record: Record
) -> None:
    for threads in (1, 2) if whole else (2,):
        first = measured(run, tmp_path / f"first{threads}.duckdb", threads=threads)
        for trial in range(3 if whole else 1):
            assert measured(run, tmp_path / f"again{threads}{trial}.duckdb", threads=threads) == first
            record("The same run again, on as many threads", "every table the same, bit for bit")


@pytest.mark.usefixtures("threads")
def test_batches_and_threads_change_no_number_beyond_the_stated_tolerance(
    run: RunConfig, tmp_path: Path, whole: bool, record: Record
) -> None:
    first = measured(run, tmp_path / "first.duckdb", batch=1, threads=1)
    variants = list(itertools.product((1, 2, 3, 4), (1, 2)))[1:]
    for batch, threads in variants if whole else [(4, 2)]:
        other = measured(run, tmp_path / f"b{batch}t{threads}.duckdb", batch, threads)
        apart, bins = sums_apart(first, other), moved(first, other)
        assert apart <= SUMS, (batch, threads, apart)
        assert bins <= MOVED, (batch, threads, bins)
        same = "the same, bit for bit" if apart == bins == 0 else "within the stated tolerance"
        record(f"A run with other {'batches' if threads == 1 else 'batches and threads'}", same)
        print(f"batch {batch}, {threads} threads: sums {apart:.1e}, bins {bins:.1e}")


@pytest.mark.usefixtures("threads")
def test_shards_measured_in_another_order_have_the_same_sums_bit_for_bit(
    run: RunConfig, tmp_path: Path, whole: bool, record: Record
) -> None:
    torch.set_num_threads(2)
    located = locate(run.model)
    loaded = load(run, located, describe(run, located, corpus.identify(run.corpus), "cpu"))
    means, orders = mean_outputs(loaded), [list(range(run.shards))]
    draw = random.Random(SEED)
    for _ in range(4 if whole else 1):
        orders.append(draw.sample(range(run.shards), run.shards))
    found = []
    for order in orders:
        rows, kept = {}, RunExamples(2, 4)
        for shard in order:
            sums, examples, _ = measure_shard(loaded, shard, means, 2)
            rows[shard] = {name: table.to_pylist() for name, table in shard_rows("Toy", shard, 2, 2, sums).items()}
            kept.take(examples.to_table("Toy", shard))
        found.append((rows, [layer.tolist() for layer in kept.rows]))
    for rows, examples in found[1:]:
        assert rows == found[0][0]
        assert examples == found[0][1]
        record("The shards of a run measured in another order", "every sum, histogram and example the same, bit for bit")
