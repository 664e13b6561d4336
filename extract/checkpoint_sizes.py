"""Bounds on what a checkpoint may ask of this machine before anything of it is believed: file sizes, JSON, links, and the model's sizes.

A configuration is a few numbers that somebody else wrote: a million layers, or a vocabulary of 10^12, would take hours or all memory
before transformers found that the weights are not there. Needs no torch but for `check_sizes`."""

import json
import math
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from extract.errors import ModelRefusal

if TYPE_CHECKING:
    import transformers

    from extract.families import HeadShape

# Bytes. The largest tokenizer.json in use has some 30 MiB, the largest index some 10.
LARGEST_TOKENIZER = 2**27
LARGEST_JSON = 2**25
LONGEST_HEADER = 2**25
# Numbers that a model may have beyond those in its files: what is missing is told by name, if it is not too much to be made at all.
SPARE = 10**7
MOST_AXES = 16
# transformers writes a dictionary of them before anything can be asked.
MOST_LABELS = 10**6
# Keys under which a configuration can name a kernel, which is code, in a repository of the hub.
KERNELS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal", "experts_implementation")
# What transformers reads beside the tokenizer's own files; other JSON in a repository is nobody's business.
SETTINGS = ("config", "tokenizer_config", "generation_config", "special_tokens_map", "added_tokens", "chat_template", "processor_config",
            "preprocessor_config", "model.safetensors.index")  # fmt: skip
_AGAIN = "download it again"

Weights = tuple[int, int]
"""Tensors and numbers in them, of all files together."""


def check_files(folder: Path, name: str) -> None:
    """Refuse a folder in which a file that would be read is too large, endless, or elsewhere, or that ships code or an adapter.

    Raises ModelRefusal."""
    if (folder / "adapter_config.json").exists():
        # Where peft is installed, transformers would load another model: the one that this file names.
        raise ModelRefusal("an adapter, not a whole model", name, "merge it into its model, and save that")
    for file in sorted(folder.iterdir()):
        kind = file.suffix.lower()
        if kind not in (".json", ".safetensors", ".txt", ".model", ".jinja"):
            continue
        _check_place(file, folder, name)
        largest = LARGEST_TOKENIZER if file.name.startswith(("tokenizer.", "vocab.", "merges.", "spiece.")) else LARGEST_JSON
        if kind != ".safetensors" and file.stat().st_size > largest:
            raise ModelRefusal(f"{file.name} has more than {largest // 2**20} MiB", name, _AGAIN)
        if kind == ".json" and file.stem in SETTINGS:
            check_settings(read_json(file, name), name)


def _check_place(file: Path, folder: Path, name: str) -> None:
    """A regular file in the folder itself; in the hub's cache, a link to one of the same repository."""
    try:
        target = file.resolve(strict=True)
        regular = stat.S_ISREG(target.stat().st_mode)
        if regular:
            # Whoever reads it later has no words for a file that may not be read.
            target.open("rb").close()
    except (OSError, RuntimeError) as error:
        raise ModelRefusal(f"{file.name} cannot be read: {getattr(error, 'strerror', None) or error}", name, _AGAIN) from error
    if not regular:
        raise ModelRefusal(f"{file.name} is no regular file", name, _AGAIN)
    home = folder.resolve()
    blobs = home.parent.parent / "blobs" if home.parent.name == "snapshots" else home
    if not target.is_relative_to(home) and not target.is_relative_to(blobs):
        raise ModelRefusal(f"{file.name} is a link out of the folder; refused", name, "copy the file into the folder")


def check_settings(content: dict[str, object], name: str) -> None:
    """Refuse a configuration that names code, be it classes of the repository or a kernel of the hub, or more labels than there can be."""
    labels = content.get("num_labels", 0)
    if isinstance(labels, int) and labels > MOST_LABELS:
        raise ModelRefusal(f"config.json gives num_labels as {_short(labels)}", name, _AGAIN)
    if content.get("auto_map"):
        raise ModelRefusal("the repository ships code (auto_map); refused", name, "use a model whose architecture transformers knows")
    for key in KERNELS:
        # A name such as sdpa is transformers' own; with a slash it is a repository, from which code would be run.
        if key in content and any(mark in json.dumps(content[key]) for mark in "/:@|"):
            raise ModelRefusal(f"the configuration names code elsewhere ({key}); refused", name, f"remove {key} from config.json")


def read_json(file: Path, name: str) -> dict[str, object]:
    """The JSON object in a file. Raises ModelRefusal where it is none, or nested too deep to be one of a model."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefusal(f"{file.name} cannot be read as JSON", name, _AGAIN) from error
    if not isinstance(content, dict):
        raise ModelRefusal(f"{file.name} is no JSON object", name, _AGAIN)
    return content


def header_of(file: Path) -> dict[str, dict[str, object]]:
    """The tensors that a safetensors file promises, each with its data type, shape and place.

    Raises ModelRefusal where there is no such header, or the file has another length than it says."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        if start == b"version ":
            raise ModelRefusal("a Git LFS pointer, not weights", file.name, "git lfs pull, or download it again")
        length = int.from_bytes(start, "little") if len(start) == 8 else size
        header = stream.read(length) if length < min(size, LONGEST_HEADER) else b""
    try:
        tensors = {key: tensor for key, tensor in json.loads(header).items() if key != "__metadata__"}
        promised = 8 + length + max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        shapes = [tensor["shape"] for tensor in tensors.values()]
        # Bounded, for the numbers in a tensor are worked out: thousands of digits thousands of times would take hours.
        if not all(len(shape) <= MOST_AXES and all(isinstance(n, int) and 0 <= n < 2**63 for n in shape) for shape in shapes):
            raise ValueError("a shape")
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise ModelRefusal("no safetensors file, or cut off in its header", file.name, _AGAIN) from error
    if size != promised:
        raise ModelRefusal(f"{size} bytes, {promised} expected", file.name, _AGAIN)
    return tensors


def weights_of(files: tuple[Path, ...]) -> Weights:
    """How many tensors, and numbers in them, the weight files hold by their headers."""
    shapes = [tensor["shape"] for file in files for tensor in header_of(file).values()]
    return len(shapes), sum(math.prod(shape) for shape in shapes if isinstance(shape, list))


def check_sizes(config: "transformers.PreTrainedConfig", shape: "HeadShape", weights: Weights, name: str) -> None:
    """Refuse a configuration with sizes that no model has, or of a model much larger than the weights that are there.

    Raises ModelRefusal."""
    import torch
    from transformers import AutoModelForCausalLM

    fix = "use the configuration that belongs to the weights"
    tensors, numbers = weights
    for what, size in {**vars(shape), "vocab_size": config.vocab_size}.items():
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size < 2**31:
            raise ModelRefusal(f"config.json gives {what} as {_short(size)}", name, fix)
    if shape.layers > tensors:
        raise ModelRefusal(f"{shape.layers} layers are configured, the weights have {tensors} tensors", name, fix)
    try:
        with torch.device("meta"):
            made = sum(weight.numel() for weight in AutoModelForCausalLM.from_config(config, trust_remote_code=False).parameters())
    except Exception as error:  # Whatever a stranger's configuration makes transformers stumble over.
        raise ModelRefusal(f"config.json cannot be used: {first_line(error)}", name, fix) from error
    if made > 4 * numbers + SPARE:
        raise ModelRefusal(f"a model of {made:.1e} weights is configured, the files hold {numbers:.1e}", name, fix)


def first_line(error: BaseException) -> str:
    """The first line of what an error says, bounded; its type where it says nothing."""
    said = " ".join(str(error).splitlines()[:1]) or type(error).__name__
    return said if len(said) <= 200 else f"{said[:200]}…"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
