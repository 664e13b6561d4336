"""Loads a checkpoint safely: every weight there and finite, the tokenizer one that fits, the architecture one that can be measured.

transformers fills missing weights with random numbers and only warns; here that is a refusal."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract import families
from extract.checkpoint_files import Located
from extract.checkpoint_sizes import check_sizes, first_line, weights_of
from extract.errors import EnvironmentRefusal, ModelRefusal, UsageRefusal
from extract.progress import quiet_transformers

if TYPE_CHECKING:
    import transformers

# Tokens, as transformers itself writes that there is no limit.
NO_LIMIT = 10**30


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose configuration and tokenizer are read, and whose weights are not."""

    located: Located
    config: "transformers.PreTrainedConfig"
    tokenizer: "transformers.PreTrainedTokenizerBase"
    shape: families.HeadShape


def open_checkpoint(located: Located, window: int) -> Checkpoint:
    """Read configuration and tokenizer.

    Raises ModelRefusal for an architecture that cannot be measured or a tokenizer of another model, UsageRefusal where `window` tokens
    are more than the model's context."""
    config = _config(located)
    shape = _shape(config, located)
    if window > shape.context:
        raise UsageRefusal(f"window {window} > {shape.context}", located.name, f"--window {shape.context} or less")
    tokenizer = _tokenizer(located)
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if not 0 <= largest < config.vocab_size:
        what = f"the tokenizer has ids up to {largest}, the model {config.vocab_size} embeddings"
        raise ModelRefusal(what, located.name, "use the model's own tokenizer")
    check_sizes(config, shape, weights_of(located.weights), located.name)
    return Checkpoint(located, config, tokenizer, shape)


def shape_of(located: Located) -> families.HeadShape:
    """The sizes that the configuration promises, and the weights have. Raises ModelRefusal for what cannot be measured."""
    config = _config(located)
    shape = _shape(config, located)
    check_sizes(config, shape, weights_of(located.weights), located.name)
    return shape


def _shape(config: "transformers.PreTrainedConfig", located: Located) -> families.HeadShape:
    try:
        return families.shape(config)
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise ModelRefusal(f"config.json cannot be used: {first_line(error)}", located.name, "download it again") from error


def load(checkpoint: Checkpoint, dtype: str, device: str, device_map: str | None = None) -> "transformers.PreTrainedModel":
    """The model with its weights in `dtype` on `device`, in evaluation mode; with a `device_map`, spread over all devices of that kind.

    Raises ModelRefusal where weights are missing, of other shapes or not finite, EnvironmentRefusal where there is no such device, or
    where the weights do not fit."""
    import torch
    from transformers import AutoModelForCausalLM

    from extract import placement

    if device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentRefusal("asked for cuda, but PyTorch finds no GPU that it can use", "device", "--device cpu, or check the driver")
    name = checkpoint.located.name
    # Mismatched shapes are then named in `told`, rather than in a table of many lines.
    options: dict[str, object] = {
        "use_safetensors": True,
        "trust_remote_code": False,
        "local_files_only": True,
        "ignore_mismatched_sizes": True,
    }
    if device_map is not None:
        options["device_map"] = placement.plan(checkpoint.config, getattr(torch, dtype), device, name)
    try:
        with quiet_transformers():
            model, told = AutoModelForCausalLM.from_pretrained(
                checkpoint.located.folder, config=checkpoint.config, dtype=getattr(torch, dtype), output_loading_info=True, **options
            )
    except torch.OutOfMemoryError as error:
        raise _too_large(name, device_map) from error
    # safetensors and torch raise errors of their own for weights that are not what they say.
    except Exception as error:
        # Too little memory, or a package that is missing, is the machine's fault, not the file's.
        if isinstance(error, MemoryError | ModuleNotFoundError) or "allocate memory" in str(error):
            raise
        raise ModelRefusal(f"cannot be loaded: {first_line(error)}", name, "download it again") from error
    _check_keys(told, checkpoint.shape.layers, name)
    _check_finite(model, name)
    try:
        return model.eval() if device_map is not None else model.eval().to(device)
    except torch.OutOfMemoryError as error:
        raise _too_large(name, device_map) from error


def _too_large(name: str, device_map: str | None) -> EnvironmentRefusal:
    if device_map is not None:
        return EnvironmentRefusal("the model does not fit in the GPUs' memory", name, "--dtype bfloat16, or --device cpu")
    return EnvironmentRefusal("the model does not fit in the GPU's memory", name, "--dtype bfloat16, --device-map auto or --device cpu")


def _check_keys(told: dict[str, set[object]], layers: int, name: str) -> None:
    mismatched = sorted(str(key[0]) if isinstance(key, tuple) else str(key) for key in told["mismatched_keys"])
    if mismatched:
        what = f"config and weights disagree on the shape of {len(mismatched)} weights, e.g. {', '.join(mismatched[:3])}"
        raise ModelRefusal(what, name, "use the configuration that belongs to the weights")
    missing = sorted(str(key) for key in told["missing_keys"])
    if missing:
        raise ModelRefusal(f"{len(missing)} weights missing, e.g. {', '.join(missing[:3])}; refused", name, "use a complete checkpoint")
    # Buffers and heads for other tasks may be left over; whole layers may not.
    deeper = sorted(
        str(key) for key in told["unexpected_keys"] if any(int(part) >= layers for part in re.findall(r"\.(\d+)\.", f".{key}")[:1])
    )
    if deeper:
        what = f"the weights have more layers than the {layers} configured, e.g. {deeper[0]}"
        raise ModelRefusal(what, name, "use the configuration that belongs to the weights")


def _check_finite(model: "transformers.PreTrainedModel", name: str) -> None:
    import torch

    from extract.placement import materialised

    for place, module in model.named_modules():
        with materialised(module, within=False):
            for key, weight in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
                kept = key not in module._non_persistent_buffers_set
                if kept and weight.is_floating_point() and not bool(torch.isfinite(weight).all()):
                    raise ModelRefusal(f"non-finite weights in {place or key}", name, "download it again, or use another checkpoint")


def _config(located: Located) -> "transformers.PreTrainedConfig":
    import transformers

    try:
        with quiet_transformers():
            return transformers.AutoConfig.from_pretrained(located.folder, trust_remote_code=False, local_files_only=True)
    # transformers checks some fields by classes of errors of its own.
    except Exception as error:
        said = first_line(error)
        unknown = re.search(r"model type `?'?([\w.-]+)", said)
        if unknown:
            what = f"transformers {transformers.__version__} does not know {unknown[1]}"
            raise ModelRefusal(what, located.name, "pip install -U transformers, or choose another model") from error
        raise ModelRefusal(f"config.json cannot be used: {said}", located.name, "download it again") from error


def _tokenizer(located: Located) -> "transformers.PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    try:
        with quiet_transformers():
            tokenizer: transformers.PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
                located.folder, trust_remote_code=False, local_files_only=True
            )
    # The tokenizers library raises plain Exception for a file that it cannot read.
    except Exception as error:
        raise ModelRefusal(f"the tokenizer cannot be loaded: {first_line(error)}", located.name, "download tokenizer.json again") from error
    # Whole texts are read and windows cut out of them: no length is asked for, and a file may give anything for one.
    tokenizer.model_max_length = NO_LIMIT
    return tokenizer
