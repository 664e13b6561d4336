"""One model in several places: on devices that the processor plays, with weights that accelerate has offloaded, and with none at all."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import accelerate
import duckdb
import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from extract import config as run_config
from extract import families, measures, passes, placement
from extract.__main__ import main
from extract.attention import mean_outputs, measure_windows
from extract.checkpoint import _check_finite, load, open_checkpoint
from extract.checkpoint_files import locate
from extract.config import RunConfig
from extract.device import hardware, named
from extract.errors import EnvironmentRefusal, ModelRefusal, UsageRefusal
from extract.identity import describe
from extract.layer_weights import layer_weights, model_weights
from extract.run import measure
from extract.same_token import SameTokens
from extract.self_test import self_test
from extract.sums import ShardSums

ROOT = Path(__file__).parents[2]
TABLES = ("head", "measure", "shard", "shard_stat", "shard_histogram", "worked_token", "example", "example_token", "window_document")
# A layout of each kind: fused projections, ALiBi with a forward of its own, grouped queries, soft caps, a norm after the heads.
SOME = ("gpt2", "bloom", "llama", "gemma2", "olmo2")


def far(*names: str) -> dict[str, dict[str, object]]:
    program = ROOT / "tests" / "extract" / "measure_far.py"
    where = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, str(program), *names], cwd=ROOT, env=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def some_far() -> dict[str, dict[str, object]]:
    return far(*SOME)


def test_tensors_of_two_far_devices_cannot_meet_so_that_measuring_across_them_proves_something(
    some_far: dict[str, dict[str, object]],
) -> None:
    assert some_far["two devices"] == "aten.add.Tensor: far:0, far:1"


@pytest.mark.parametrize("at", ["by room", "by layer"])
@pytest.mark.parametrize("name", SOME)
def test_a_model_spread_over_several_devices_has_the_same_sums_and_examples(
    some_far: dict[str, dict[str, object]], name: str, at: str
) -> None:
    found = some_far[f"{name}, {at}"]
    assert found.get("other") == [], found
    # All but those of positions that windows so short do not reach.
    late = [module for module in measures.discover() if module.MEASURE.id.endswith("256_on")]
    assert found["kinds"] == len(measures.discover(measures.NATURAL, measures.HELD_OUT, measures.WEIGHTS)) - len(late)
    assert len(found["devices"]) >= 3
    assert found["examples"] > 1000


@pytest.mark.slow
def test_a_model_of_every_listed_type_spread_over_several_devices_has_the_same_sums_and_examples() -> None:
    found = far()
    del found["two devices"]
    assert [name for name, result in found.items() if result.get("other") != []] == []
    assert len(found) > 60


def everything(model: PreTrainedModel, tokens: Tensor) -> ShardSums:
    """The sums of a forward, after the self-test and with means of the same text."""
    self_test(model, tokens[:1])
    sums = ShardSums(model.config.num_hidden_layers, model.config.num_attention_heads)
    modules = measures.discover(measures.NATURAL, measures.HELD_OUT, measures.WEIGHTS)
    measure_windows(model, tokens, sums, modules, mean_outputs=mean_outputs(model, tokens))
    return sums


def assert_equal(sums: ShardSums, plain: ShardSums) -> None:
    assert sums.stats.keys() == plain.stats.keys()
    for name in plain.stats:
        assert all(map(np.array_equal, sums.stats[name], plain.stats[name])), name
    assert all(np.array_equal(sums.histograms[kind], plain.histograms[kind]) for kind in plain.histograms)


def offload(model: PreTrainedModel, how: str, folder: Path) -> PreTrainedModel:
    if how == "all on the host":
        return accelerate.cpu_offload(model, execution_device=torch.device("cpu"))
    if how == "all on the disk":
        return accelerate.disk_offload(model, str(folder), execution_device=torch.device("cpu"))
    blocks = {id(block): number for number, block in enumerate(families.find(model.config).blocks(model))}
    names = {name: blocks[id(part)] for name, part in model.named_modules() if id(part) in blocks}
    stem = next(iter(names)).rpartition(".")[0]
    rest = {f"{model.base_model_prefix}.{name}" for name, _ in model.base_model.named_children()} - {stem}
    where = dict.fromkeys(rest | {"lm_head"}, "cpu") | {name: "disk" if number == 1 else "cpu" for name, number in names.items()}
    return accelerate.dispatch_model(model, where, main_device="cpu", offload_dir=str(folder))


@pytest.mark.parametrize("how", ["all on the host", "all on the disk", "one layer on the disk"])
def test_weights_that_are_there_only_for_their_own_forward_give_the_same_sums(
    toy: PreTrainedModel, windows: Callable[[int, int], Tensor], tmp_path: Path, how: str
) -> None:
    tokens = windows(2, 80)
    plain = everything(toy, tokens)
    away = offload(toy, how, tmp_path)
    gone = [weight.is_meta for weight in away.parameters()]
    assert all(gone) if how.startswith("all") else 0 < sum(gone) < len(gone)
    assert_equal(everything(away, tokens), plain)
    # Nothing that was fetched has stayed.
    assert [weight.is_meta for weight in away.parameters()] == gone


def test_a_model_placed_on_the_host_by_name_gives_the_same_sums(toy: PreTrainedModel, windows: Callable[[int, int], Tensor]) -> None:
    tokens = windows(2, 80)
    plain = everything(toy, tokens)
    assert_equal(everything(accelerate.dispatch_model(toy, {"": "cpu"}), tokens), plain)


def test_weights_that_are_not_finite_are_found_where_they_are_offloaded(toy: PreTrainedModel, tmp_path: Path) -> None:
    with torch.no_grad():
        list(toy.parameters())[-1].view(-1)[-1] = torch.nan
    away = accelerate.disk_offload(toy, str(tmp_path), execution_device=torch.device("cpu"))
    with pytest.raises(ModelRefusal, match="non-finite weights in"):
        _check_finite(away, "toy")


def meta_llama() -> PreTrainedModel:
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 2, "hidden_size": 48, "intermediate_size": 64}
    with torch.device("meta"):
        return LlamaForCausalLM(LlamaConfig(vocab_size=101, max_position_embeddings=128, **sizes)).eval()


def test_on_the_meta_device_the_factors_of_every_layer_and_the_token_circuit_have_their_shapes() -> None:
    model = meta_llama()
    family = families.find(model.config)
    weights = model_weights(model, family)
    assert [(layer.norm_factor.shape, layer.norm_factor.is_meta) for layer in weights] == [((6, 8, 8), True)] * 2
    assert weights[0].value_bias.shape == (6, 8)
    assert weights[0].ov_circuits.shape == (6, 8, 8)
    assert layer_weights(family, model.model.layers[0], weights[0].token_circuit).output_projection.shape == (6, 8, 48)


def test_on_the_meta_device_where_windows_repeat_a_token_cannot_be_told_for_it_hangs_on_values() -> None:
    with pytest.raises(NotImplementedError, match="nonzero"):
        SameTokens(torch.zeros(1, 16, dtype=torch.int64, device="meta"))


def test_on_the_meta_device_a_forward_cannot_be_measured_for_its_rows_hang_on_values() -> None:
    with pytest.raises(NotImplementedError, match="nonzero"):
        mean_outputs(meta_llama(), torch.zeros(1, 16, dtype=torch.int64))


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(path), read_only=True) as con:
        tables = {table: con.execute(f"from {table} order by all").fetchall() for table in TABLES}
        return tables | {"run": con.execute("select * exclude (measured_on) from run").fetchall()}


def test_a_run_with_a_device_map_on_a_machine_without_a_gpu_has_the_same_tables(
    config: RunConfig, tmp_path: Path, write_run_file: Callable[[RunConfig], Path]
) -> None:
    plain, mapped = tmp_path / "plain.duckdb", tmp_path / "mapped.duckdb"
    measure(replace(config, device="cpu"), plain)
    run_file = write_run_file(replace(config, device="cpu"))
    assert main(["run", str(run_file), "--device-map", "auto", "--out", str(mapped)]) == 0
    assert contents(mapped) == contents(plain)


def test_a_run_that_was_stopped_goes_on_with_its_model_in_other_places_to_the_same_tables(
    config: RunConfig, out: Path, tmp_path: Path, write_run_file: Callable[[RunConfig], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(config, tmp_path / "whole.duckdb")
    real = passes._measure_text

    def fail(loaded: object, shard: int, *rest: object) -> None:
        if shard == 2:
            raise torch.AcceleratorError("CUDA error: unspecified launch failure")
        real(loaded, shard, *rest)

    monkeypatch.setattr(passes, "_measure_text", fail)
    command = ["run", str(write_run_file(config)), "--out", str(out)]
    assert main([*command, "--device-map", "auto"]) == 5
    monkeypatch.undo()
    assert main([*command, "--resume"]) == 0
    assert contents(out) == contents(tmp_path / "whole.duckdb")


def test_a_run_is_not_known_by_where_its_model_lies(config: RunConfig) -> None:
    located = locate(config.model, None, None)
    told = [describe(replace(config, device_map=where), located, "0" * 64, "cpu")["config"] for where in (None, "auto")]
    assert told[0] == told[1]
    assert "device_map" not in json.loads(str(told[0]))


@pytest.mark.parametrize("asked", ["balanced", "", "AUTO"])
def test_another_device_map_than_auto_is_refused(config: RunConfig, write_run_file: Callable[[RunConfig], Path], asked: str) -> None:
    with pytest.raises(UsageRefusal) as refusal:
        run_config.read(write_run_file(config), device_map=asked)
    assert refusal.value.exit_code == 2
    assert f"device_map {asked!r} is not known" in str(refusal.value)
    assert "auto" in refusal.value.fix


def test_what_does_not_fit_is_refused_with_how_much_it_is(toy: PreTrainedModel) -> None:
    whole = sum(weight.nbytes for weight in toy.parameters())
    with pytest.raises(EnvironmentRefusal) as refusal:
        placement.spread(toy, {0: whole // 3, 1: whole // 3}, "toy")
    over = float(refusal.value.what.split()[0]) * 1e9
    assert f" of {whole / 1e9:.3g} GB of weights do not fit in the GPU memory that is free" in refusal.value.what
    assert whole // 3 <= over < whole
    assert "\n" not in str(refusal.value)


def test_what_fits_is_spread_over_all_gpus_with_whole_layers(llama_maker: Callable[..., PreTrainedModel]) -> None:
    model = llama_maker(layers=8)
    whole = sum(weight.nbytes for weight in model.parameters())
    placed = placement.spread(model, {0: whole, 1: whole}, "toy")
    assert set(placed.values()) == {0, 1}
    assert [sum(name.startswith(f"model.layers.{number}") for name in placed) for number in range(8)] == [1] * 8


def test_a_checkpoint_is_loaded_where_it_was_placed_and_nothing_is_offloaded(make_checkpoint: Callable[..., Path]) -> None:
    checkpoint = open_checkpoint(locate(str(make_checkpoint()), None, None), 32)
    plain, mapped = load(checkpoint, "float32", "cpu"), load(checkpoint, "float32", "cpu", "auto")
    assert isinstance(mapped, GPT2LMHeadModel)
    assert not mapped.training
    assert {str(weight.device) for weight in mapped.parameters()} == {"cpu"}
    assert all(torch.equal(*pair) for pair in zip(plain.state_dict().values(), mapped.state_dict().values(), strict=True))


def test_the_hardware_names_each_device_once() -> None:
    assert named(["NVIDIA H100"] * 2) == "2 x NVIDIA H100"
    assert named(["NVIDIA H100"]) == "NVIDIA H100"
    assert named(["NVIDIA H100", "NVIDIA A100", "NVIDIA H100"]) == "2 x NVIDIA H100, NVIDIA A100"
    assert hardware("cpu", torch.nn.Linear(1, 1)) == hardware("cpu")
