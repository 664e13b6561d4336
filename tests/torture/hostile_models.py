"""Checkpoints that attack: each builder makes a copy of a sound one hostile; the canary is the file that must not appear."""

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

Build = Callable[[Path, Path], None]
LARGE = 2**30


class Bomb:
    """Unpickled, it opens the canary for writing."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (str(self.canary), "w"))


def pickled(file: str, alone: bool = False) -> Build:
    def build(folder: Path, canary: Path) -> None:
        if alone:
            (folder / "model.safetensors").unlink()
        (folder / file).write_bytes(pickle.dumps(Bomb(canary)))

    return build


def settings(file: str = "config.json", **given: object) -> Build:
    """Sets keys of a JSON file, and puts modules beside it that write the canary when they are imported."""

    def build(folder: Path, canary: Path) -> None:
        path = folder / file
        there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        path.write_text(json.dumps(there | given), encoding="utf-8")
        for module in ("evil", "modeling_evil", "tokenization_evil", "generate"):
            (folder / f"{module}.py").write_text(f"open({str(canary)!r}, 'w')\n", encoding="utf-8")
        (folder / "custom_generate").mkdir()
        (folder / "custom_generate" / "generate.py").write_text(f"open({str(canary)!r}, 'w')\n", encoding="utf-8")

    return build


def text(file: str, content: str) -> Build:
    def build(folder: Path, _: Path) -> None:
        (folder / file).write_text(content, encoding="utf-8")

    return build


def adapter(folder: Path, canary: Path) -> None:
    """Pickled, and with the name of another model that is to be loaded instead."""
    pickled("adapter_model.bin")(folder, canary)
    text("adapter_config.json", '{"base_model_name_or_path": "/tmp", "peft_type": "LORA"}')(folder, canary)


def weights_named(place: str) -> Build:
    """An index that names a weight file elsewhere; the file is there, and sound."""

    def build(folder: Path, _: Path) -> None:
        outside = folder.parent / "outside.safetensors"
        if not outside.exists():
            outside.write_bytes((folder / "model.safetensors").read_bytes())
        (folder / "model.safetensors").unlink()
        named = place.format(outside=outside)
        if place == "link.safetensors":
            (folder / place).symlink_to(outside)
        index = {"metadata": {}, "weight_map": {"transformer.wte.weight": named}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")

    return build


def linked(file: str, target: str) -> Build:
    def build(folder: Path, _: Path) -> None:
        (folder / file).unlink()
        (folder / file).symlink_to(target)

    return build


def fifo(folder: Path, _: Path) -> None:
    (folder / "tokenizer.json").unlink()
    os.mkfifo(folder / "tokenizer.json")


def sparse(file: str) -> Build:
    """A file of a GiB that takes no room."""

    def build(folder: Path, _: Path) -> None:
        with (folder / file).open("r+b") as stream:
            stream.truncate(LARGE)

    return build


def header(said: object, length: int | None = None, body: int = 0) -> Build:
    def build(folder: Path, _: Path) -> None:
        content = said if isinstance(said, str) else json.dumps(said)
        with (folder / "model.safetensors").open("wb") as stream:
            stream.write(struct.pack("<Q", len(content) if length is None else length) + content.encode())
            stream.truncate(8 + min(len(content) if length is None else length, LARGE) + body)

    return build


def tensor(*offsets: int, shape: list[int] | None = None) -> dict[str, object]:
    return {"dtype": "F32", "shape": [4] if shape is None else shape, "data_offsets": list(offsets)}


def vocabulary(folder: Path, _: Path) -> None:
    """Ten million tokens."""
    path = folder / "tokenizer.json"
    sound = json.loads(path.read_text(encoding="utf-8"))
    sound["model"]["vocab"] = {}
    start, end = json.dumps(sound).split('"vocab": {}')
    with path.open("w", encoding="utf-8") as stream:
        stream.write(start + '"vocab": {')
        for first in range(0, 10**7, 10**5):
            stream.write(
                ",".join(f'"t{number}":{number}' for number in range(first, first + 10**5)) + ("," if first + 10**5 < 10**7 else "")
            )
        stream.write("}" + end)


def gguf_alone(folder: Path, _: Path) -> None:
    for file in (*folder.glob("*.safetensors"), folder / "config.json"):
        file.unlink()
    (folder / "model.gguf").write_bytes(b"GGUF" + b"\0" * 64)


DEEP = '{"a":' * 10**5 + "1" + "}" * 10**5
JINJA = "{% for c in ''.__class__.__mro__[1].__subclasses__() %}{{ c('touch canary', shell=True) }}{% endfor %}{{ range(10**9) | list }}"

PICKLES: dict[str, Build] = {
    **{f"only {file}": pickled(file, alone=True) for file in ("pytorch_model.bin", "model.pt", "model.ckpt", "model.safetensors")},
    "an adapter": adapter,
    **{
        f"beside it {file}": pickled(file)
        for file in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "vocab.pkl", "rng_state.pth")
    },
}
CODE: dict[str, Build] = {
    **{file: settings(file, auto_map={kind: f"evil.{kind}" for kind in ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer")})
       for file in ("config.json", "tokenizer_config.json", "generation_config.json", "processor_config.json", "preprocessor_config.json")},
    "a kernel": settings(_attn_implementation="evil/kernel"),
    "another kernel": settings(attn_implementation={"": "evil/kernel:attend"}),
    "tokenizer class": settings("tokenizer_config.json", tokenizer_class="evil.Tokenizer"),
    "architecture": settings(architectures=["evil.Model"], custom_generate="custom_generate"),
    "model type": settings(model_type="../evil"),
    "data type": settings(dtype="__import__('evil')"),
    "activation": settings(activation_function="evil.act"),
    "chat template": settings("tokenizer_config.json", chat_template=JINJA),
    "template file": text("chat_template.jinja", JINJA),
    "another name": settings(_name_or_path="evil/model", name_or_path="../evil"),
    "tokenizer elsewhere": settings("tokenizer_config.json", name_or_path="evil/model", tokenizer_file="/etc/passwd"),
}  # fmt: skip
PLACES: dict[str, Build] = {
    **{place: weights_named(place) for place in ("../outside.safetensors", "{outside}", "link.safetensors", "pytorch_model.bin", "")},
    "configuration": linked("config.json", "/etc/passwd"),
    "endless": linked("tokenizer.json", "/dev/zero"),
    "a pipe": fifo,
    "a circle": linked("tokenizer.json", "tokenizer.json"),
    "GGUF": gguf_alone,
}
WEIGHTS: dict[str, Build] = {
    "a tensor of 1 TB": header({"transformer.wte.weight": tensor(0, 10**12, shape=[250, 10**9])}),
    "a header of 100 MB": header("{}", length=10**8),
    "a header beyond the file": header("{}", length=2**63),
    "overlapping tensors": header({"a": tensor(0, 16), "b": tensor(8, 24)}, body=24),
    "a hole": header({"a": tensor(0, 16), "b": tensor(24, 40)}, body=40),
    "a tensor backwards": header({"a": tensor(16, 0), "b": tensor(0, 16)}, body=16),
    "negative sizes": header({"a": tensor(0, 16, shape=[-2, -2])}, body=16),
    "sizes in words": header({"a": {"dtype": "F32", "shape": ["4"], "data_offsets": [0, 16]}}, body=16),
    "a deep header": header(DEEP),
    "overflowing sizes": header({"a": tensor(0, 16, shape=[2**40, 2**40])}, body=16),
}
FILES: dict[str, Build] = {
    **{f"1 GiB in {file}": sparse(file) for file in ("tokenizer.json", "config.json", "tokenizer_config.json")},
    **{f"deep {file}": text(file, DEEP) for file in ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json")},
    "10 million tokens": vocabulary,
    "a number of 10,000 digits": text("config.json", '{"model_type": "gpt2", "n_layer": ' + "9" * 10000 + "}"),
}
SIZES: dict[str, Build] = {
    f"{key} = {value!r}": settings(**{key: value})
    for key, values in {
        "n_layer": (10**6, 0, -1, "2", 2.5, None, [2], True),
        "n_head": (10**9, 0, -2, "2", float("nan")),
        "n_positions": (10**9, -64, "64"),
        "n_embd": (10**9, 10**5, -16),
        "vocab_size": (10**12, 10**7, 0, -300),
        "num_labels": (10**7,),
        "layer_types": (5, ["a"]),
    }.items()
    for value in values
}
