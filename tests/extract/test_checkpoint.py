"""Checkpoints: what is loaded, and everything that a checkpoint may lack or be instead."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel, PreTrainedModel

from extract.checkpoint import load, open_checkpoint
from extract.checkpoint_files import in_hub_cache, locate
from extract.errors import EnvironmentRefusal, ModelRefusal, UsageRefusal

Make = Callable[..., Path]


def load_all(folder: Path, window: int = 32) -> PreTrainedModel:
    return load(open_checkpoint(locate(str(folder)), window), "float32", "cpu")


def refused(folder: Path) -> str:
    with pytest.raises(ModelRefusal) as refusal:
        load_all(folder)
    assert refusal.value.exit_code == 3
    return str(refusal.value)


def change(file: Path, **settings: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | settings), encoding="utf-8")


def change_weights(folder: Path, edit: Callable[[dict[str, torch.Tensor]], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    edit(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_checkpoint_in_a_folder_is_loaded_as_it_was_saved(make_checkpoint: Make, kind: str) -> None:
    folder = make_checkpoint(kind)
    located = locate(str(folder))
    assert (located.name, located.revision, located.quantisation, len(located.weights_sha256)) == ("toy-model", None, None, 64)
    model, saved = load_all(folder), load_file(folder / "model.safetensors")
    assert not model.training
    weights = model.state_dict()
    assert all(torch.equal(weights[key], saved[key]) for key in saved)


def test_the_weights_can_be_loaded_in_another_type(make_checkpoint: Make) -> None:
    model = load(open_checkpoint(locate(str(make_checkpoint())), 32), "float64", "cpu")
    assert {weight.dtype for weight in model.parameters()} == {torch.float64}


def test_weights_in_several_files_are_hashed_in_name_order(make_checkpoint: Make) -> None:
    whole = make_checkpoint()
    parts = whole.with_name("parts")
    GPT2LMHeadModel.from_pretrained(whole).save_pretrained(parts, max_shard_size="8KB")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (parts / file).write_bytes((whole / file).read_bytes())
    located = locate(str(parts))
    assert len(located.weights) > 2
    assert list(located.weights) == sorted(parts.glob("*.safetensors"))
    load_all(parts)
    located.weights[1].unlink()
    assert f"weight file {located.weights[1].name} is missing (parts); fix: download it again" in refused(parts)


def test_weights_must_hash_to_what_the_run_file_says(make_checkpoint: Make) -> None:
    folder = str(make_checkpoint())
    sha256 = locate(folder).weights_sha256
    assert locate(folder, weights_sha256=sha256).weights_sha256 == sha256
    with pytest.raises(ModelRefusal, match=r"the weights hash to .{16}…, not 0000000000000000…"):
        locate(folder, weights_sha256="0" * 64)


@pytest.mark.parametrize("model", ["./nope", "/no/such/folder", "a/b/c", "~/nope", "no model", "weights.gguf/x/y"])
def test_a_model_that_is_neither_a_folder_nor_a_hub_name_is_refused(model: str) -> None:
    with pytest.raises(ModelRefusal) as refusal:
        locate(model)
    assert str(refusal.value).startswith(f"error: no model at {model} (not a directory, not a Hub id)")


def test_a_hub_model_that_is_not_cached_is_refused_offline(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentRefusal, match=r"not cached \(some/model-of-nobody\); fix: download it first, or pass a directory"):
        locate("some/model-of-nobody", "0" * 40)
    assert not in_hub_cache("some/model-of-nobody", "0" * 40)


def test_an_encoder_is_not_causal(make_checkpoint: Make) -> None:
    assert refused(make_checkpoint("bert")).startswith("error: bert is not causal (model_type bert)")


def test_an_encoder_and_decoder_is_not_measured(make_checkpoint: Make) -> None:
    assert "no causal self-attention heads in t5" in refused(make_checkpoint("t5"))


def test_an_architecture_that_transformers_does_not_know_is_named(make_checkpoint: Make) -> None:
    folder = make_checkpoint()
    change(folder / "config.json", model_type="wxyz")
    assert "does not know wxyz (toy-model); fix: pip install -U transformers" in refused(folder)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_repository_that_ships_code_is_refused(make_checkpoint: Make, file: str) -> None:
    folder = make_checkpoint()
    change(folder / file, auto_map={"AutoConfig": "evil.Config"})
    assert "the repository ships code (auto_map); refused" in refused(folder)


def test_quantised_weights_are_refused(make_checkpoint: Make) -> None:
    folder = make_checkpoint()
    change(folder / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    assert "quantised weights (gptq) cannot be measured exactly" in refused(folder)


def test_pickled_weights_are_refused_with_the_command_that_converts_them(make_checkpoint: Make) -> None:
    folder = make_checkpoint()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "only pickled weights, such as pytorch_model.bin (toy-model); fix: convert to safetensors: python -c" in refused(folder)
    (folder / "pytorch_model.bin").unlink()
    assert "no weights (model.safetensors)" in refused(folder)


def test_gguf_files_are_refused(make_checkpoint: Make, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.gguf").write_bytes(b"GGUF")
    for model in (tmp_path / "other", tmp_path / "other" / "model.gguf"):
        assert "only the embedded model is read as GGUF" in refused(model)


def test_weights_that_are_cut_off_or_something_else_are_refused(make_checkpoint: Make) -> None:
    folder = make_checkpoint()
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    told = {
        whole[:-100]: f"{len(whole) - 100} bytes, {len(whole)} expected (model.safetensors); fix: download it again",
        whole[:500]: "no safetensors file, or cut off in its header",
        b"": "no safetensors file, or cut off in its header",
        b"\xff" * 1000: "no safetensors file, or cut off in its header",
        b"version https://git-lfs.github.com/spec/v1\n": "a Git LFS pointer, not weights",
    }
    for content, what in told.items():
        file.write_bytes(content)
        assert refused(folder).startswith(f"error: {what}")


def test_missing_weights_are_refused_rather_than_drawn_at_random(make_checkpoint: Make) -> None:
    folder = make_checkpoint()
    change(folder / "config.json", n_layer=4)
    assert "24 weights missing, e.g. transformer.h.2.attn.c_attn.bias" in refused(folder)


def test_weights_of_layers_beyond_the_configured_ones_are_refused(make_checkpoint: Make) -> None:
    folder = make_checkpoint()
    change(folder / "config.json", n_layer=1)
    assert "the weights have more layers than the 1 configured, e.g. transformer.h.1." in refused(folder)


def test_weights_of_other_shapes_are_named(make_checkpoint: Make) -> None:
    folder = make_checkpoint()
    change(folder / "config.json", n_positions=128)
    assert "config and weights disagree on the shape of 1 weights, e.g. transformer.wpe.weight" in refused(folder)


def test_left_over_buffers_are_not_missing_weights(make_checkpoint: Make) -> None:
    folder = make_checkpoint()
    change_weights(folder, lambda weights: weights.update({"transformer.h.0.attn.bias": torch.ones(1, 1, 64, 64)}))
    load_all(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(make_checkpoint: Make, value: float) -> None:
    folder = make_checkpoint()
    change_weights(folder, lambda weights: weights["transformer.h.1.attn.c_attn.weight"].view(-1)[7:8].fill_(value))
    assert "non-finite weights in transformer.h.1.attn.c_attn" in refused(folder)


def test_a_tokenizer_of_another_model_is_refused(make_checkpoint: Make) -> None:
    assert "the tokenizer has ids up to 299, the model 200 embeddings" in refused(make_checkpoint(vocab_size=200))


@pytest.mark.parametrize("length", [{}, "", [1], 3])
def test_whatever_length_a_tokenizer_asks_for_whole_texts_are_read(make_checkpoint: Make, length: object) -> None:
    folder = make_checkpoint()
    change(folder / "tokenizer_config.json", model_max_length=length)
    assert len(open_checkpoint(locate(str(folder)), 32).tokenizer("the king and the river " * 20)["input_ids"]) > 20


def test_a_checkpoint_without_a_readable_tokenizer_is_refused(make_checkpoint: Make) -> None:
    folder = make_checkpoint()
    (folder / "tokenizer.json").write_text("{", encoding="utf-8")
    assert "the tokenizer cannot be loaded" in refused(folder)
    (folder / "tokenizer.json").unlink()
    assert "no tokenizer (toy-model); fix: put tokenizer.json" in refused(folder)


def test_a_configuration_that_is_missing_or_no_json_is_refused(make_checkpoint: Make) -> None:
    folder = make_checkpoint()
    (folder / "config.json").write_text("[]", encoding="utf-8")
    assert "config.json is no JSON object" in refused(folder)
    (folder / "config.json").write_text("{", encoding="utf-8")
    assert "config.json cannot be read as JSON" in refused(folder)
    (folder / "config.json").unlink()
    assert "no config.json" in refused(folder)


@pytest.mark.parametrize("shape", [[int("9" * 4000)] * 3, [2**62] * 1000])
def test_a_header_of_numbers_beyond_all_bounds_is_refused_before_they_are_multiplied(make_checkpoint: Make, shape: list[int]) -> None:
    folder = make_checkpoint()
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ModelRefusal, match="no safetensors file"):
        locate(str(folder))


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """As somebody whom permissions bind: they do not bind root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize(
    ("name", "mode", "told"),
    [
        ("model.safetensors", 0, "model.safetensors cannot be read"),
        ("tokenizer.json", 0, "tokenizer.json cannot be read"),
        ("config.json", 0, "config.json cannot be read"),
        (".", 0o711, "toy-model cannot be read"),
        (".", 0, "config.json cannot be read"),
        ("..", 0, "no model at "),
    ],
)
def test_what_may_not_be_read_is_named(make_checkpoint: Make, name: str, mode: int, told: str) -> None:
    # pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o755)
        folder = shutil.copytree(make_checkpoint(), Path(open_to_all) / "in" / "toy-model")
        for file in folder.iterdir():
            file.chmod(0o644)
        place = {".": folder, "..": folder.parent}.get(name, folder / name)
        place.chmod(mode)
        with unprivileged(), pytest.raises(ModelRefusal, match="Permission denied") as refusal:
            locate(str(folder))
        place.chmod(0o755)
    assert str(refusal.value).startswith(f"error: {told}")


def test_the_home_of_a_user_who_is_not_there_is_no_place_of_a_model() -> None:
    with pytest.raises(ModelRefusal, match="no model at ~nobody-at-all/model"):
        locate("~nobody-at-all/model")


def test_a_window_beyond_the_context_is_refused_before_the_weights_are_loaded(make_checkpoint: Make) -> None:
    folder = make_checkpoint()
    located = locate(str(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(UsageRefusal, match=r"window 65 > 64 \(toy-model\); fix: --window 64 or less"):
        open_checkpoint(located, 65)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_device_that_is_not_there_is_refused(make_checkpoint: Make) -> None:
    checkpoint = open_checkpoint(locate(str(make_checkpoint())), 32)
    with pytest.raises(EnvironmentRefusal, match="asked for cuda, but PyTorch finds no GPU"):
        load(checkpoint, "float32", "cuda")
