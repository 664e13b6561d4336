"""What a failing GPU and too little memory become: one line each, wherever in a run they come; everything else is left as it is."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from extract import passes
from extract.__main__ import main
from extract.config import RunConfig
from extract.device import failures_told, must_fit
from extract.errors import EnvironmentRefusal
from extract.store import Store

FAILED = torch.AcceleratorError("CUDA error: device-side assert triggered\nCompile with `TORCH_USE_CUDA_DSA` to enable assertions.")
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has a total capacity of 4.00 GiB")
TOLD_FAILED = (
    "error: the GPU failed: CUDA error: device-side assert triggered (device); fix: run the same command again; committed shards are kept"
)
TOLD_FULL = (
    "error: one window does not fit in the GPU's memory (device); fix: --window lower, --dtype bfloat16 or --device cpu; "
    "committed shards are kept"
)


def test_a_failing_gpu_is_told_in_the_first_line_of_what_it_said() -> None:
    with pytest.raises(EnvironmentRefusal) as refusal, failures_told():
        raise FAILED
    assert str(refusal.value) == TOLD_FAILED
    assert refusal.value.__cause__ is FAILED
    assert refusal.value.exit_code == 5


def test_too_little_memory_is_told_with_what_would_fit() -> None:
    with pytest.raises(EnvironmentRefusal) as refusal, must_fit():
        raise FULL
    assert str(refusal.value) == TOLD_FULL
    assert refusal.value.__cause__ is FULL


@pytest.mark.parametrize(("error", "told"), [(FAILED, TOLD_FAILED), (FULL, TOLD_FULL)], ids=["failed", "full"])
def test_together_they_tell_both_apart_in_either_order(error: Exception, told: str) -> None:
    with pytest.raises(EnvironmentRefusal) as refusal, failures_told(), must_fit():
        raise error
    assert str(refusal.value) == told
    with pytest.raises(EnvironmentRefusal) as refusal, must_fit(), failures_told():
        raise error
    assert str(refusal.value) == told


def test_too_little_memory_is_left_to_a_smaller_batch_where_only_failures_are_told() -> None:
    with pytest.raises(torch.OutOfMemoryError) as error, failures_told():
        raise FULL
    assert error.value is FULL


def test_an_error_of_the_program_is_not_taken_for_one_of_the_gpu() -> None:
    for bug in (RuntimeError("expected scalar type Float"), MemoryError(), ValueError("no")):
        with pytest.raises(type(bug)) as error, failures_told(), must_fit():
            raise bug
        assert error.value is bug


# Where a run reaches the device, in the order in which it does; the first shard is committed after all of them.
PLACES = ("extract.self_test.visit_layers", "extract.attention.mean_outputs", "extract.attention.measure_windows")
PLACES += ("extract.worked_token.work_token",)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("error", "told"), [(FAILED, TOLD_FAILED), (FULL, TOLD_FULL)], ids=["failed", "full"])
def test_a_run_ends_in_one_line_wherever_the_gpu_fails_or_is_full(
    config: RunConfig,
    out: Path,
    write_run_file: Callable[[RunConfig], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
    error: Exception,
    told: str,
) -> None:
    reached = []

    def fail(*_arguments: object, **_options: object) -> None:
        reached.append(place)
        raise error

    monkeypatch.setattr(place, fail)
    assert main(["run", str(write_run_file(config)), "--out", str(out)]) == 5
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == told
    assert [line for line in lines if line.startswith("error: ")] == [told]
    assert reached
    assert not out.exists()
    with Store(out) as store:
        assert store.run("Toy") is None


def test_a_gpu_that_fails_in_the_second_shard_leaves_the_first_and_the_run_goes_on(
    config: RunConfig,
    out: Path,
    write_run_file: Callable[[RunConfig], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real, shards = passes._measure_text, []

    def fail(loaded: object, shard: int, *rest: object) -> None:
        shards.append(shard)
        if shard == 1:
            raise FAILED
        real(loaded, shard, *rest)

    monkeypatch.setattr(passes, "_measure_text", fail)
    command = ["run", str(write_run_file(config)), "--out", str(out)]
    assert main(command) == 5
    assert capsys.readouterr().err.splitlines()[-1] == TOLD_FAILED
    # A failure is no lack of memory: the shard is not tried again with a smaller batch.
    assert shards == [0, 1]
    with Store(out) as store:
        assert store.shards("Toy") == {0}
    monkeypatch.setattr(passes, "_measure_text", real)
    assert main([*command, "--resume"]) == 0
    with Store(out) as store:
        assert store.shards("Toy") == {0, 1, 2, 3}
