"""How many windows a forward pass takes: as the run began, else as asked, else as many as keep the device busy."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import extract.attention
from extract import passes
from extract.attention import measure_windows
from extract.config import RunConfig
from extract.interrupt import Interrupted
from extract.job import Job
from extract.job import plan as planned
from extract.run import measure
from extract.store import Store


@pytest.fixture
def plan(out: Path) -> Callable[[RunConfig], Job]:
    """What would be done of a run, as the database is."""

    def make(config: RunConfig) -> Job:
        with Store(out) as store:
            return planned(config, store)

    return make


@pytest.mark.parametrize(
    ("device", "window", "batch"),
    [("cpu", 32, 32), ("cpu", 512, 2), ("cpu", 700, 1), ("cpu", 1024, 1), ("cpu", 2048, 1), ("cuda", 32, 256), ("cuda", 512, 16)],
)
def test_a_run_that_asks_for_no_batch_takes_what_keeps_its_device_busy(
    config: RunConfig, plan: Callable[[RunConfig], Job], device: str, window: int, batch: int
) -> None:
    """1,024 tokens per pass on a processor, 8,192 on a GPU, and one window at least."""
    job = plan(replace(config, window=window, device=device))
    assert (job.row["device"], job.begun) == (device, False)
    assert job.batch == batch


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_batch_that_is_asked_for_wins_over_the_device(config: RunConfig, plan: Callable[[RunConfig], Job], device: str) -> None:
    for batch in (1, 3, 500):
        assert plan(replace(config, device=device, batch=batch)).batch == batch


@pytest.mark.parametrize("asked", [8, None])
def test_a_run_that_has_begun_keeps_the_batch_that_fitted_then(
    config: RunConfig, out: Path, plan: Callable[[RunConfig], Job], monkeypatch: pytest.MonkeyPatch, asked: int | None
) -> None:
    """Five windows per shard, of which two fitted into the memory; when there is more of it, the shard to come still goes by twos."""
    real, began, text = passes.measure_shard, [], []

    def scarce(model: torch.nn.Module, tokens: torch.Tensor, *rest: object, **options: object) -> None:
        if tokens.numel() > 64:
            raise torch.OutOfMemoryError
        measure_windows(model, tokens, *rest, **options)

    def stopped(*arguments: object) -> tuple[object, ...]:
        began.append(arguments[-1])
        if len(began) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    def counted(model: torch.nn.Module, tokens: torch.Tensor, *rest: object, **options: object) -> None:
        # Only the run's text takes examples along.
        text.extend([len(tokens)] if options.get("also") else [])
        measure_windows(model, tokens, *rest, **options)

    config = replace(config, batch=asked, shards=2)
    monkeypatch.setattr(extract.attention, "measure_windows", scarce)
    monkeypatch.setattr(passes, "measure_shard", stopped)
    with pytest.raises(Interrupted):
        measure(config, out)
    assert began == [asked or 32, 2]
    job = plan(config)
    assert (job.begun, job.missing, job.row["batch_windows"]) == (True, (1,), 2)
    assert job.batch == 2
    monkeypatch.setattr(passes, "measure_shard", real)
    monkeypatch.setattr(extract.attention, "measure_windows", counted)
    measure(config, out, must_resume=True)
    assert text == [2, 2, 1]
