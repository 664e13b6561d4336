"""Cases: the models that are timed, and their tokens. Random weights, except for the embedded model.

Random weights attend neither evenly nor to single tokens, and random tokens repeat as often as those of a text: both cost time."""

import math
from dataclasses import dataclass, replace
from typing import cast

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import AutoModelForCausalLM, GPT2Config, PreTrainedModel

from extract import assets
from extract.errors import UsageRefusal

SEED = 0
# Scores with a standard deviation of 1.4: over 1,024 keys a row attends to about a hundred.
SHARPNESS = 1.2
CONTEXT = 1024


@dataclass(frozen=True)
class Case:
    """A model by its sizes. One that is cut short in depth is run to its end by every method: leaving after the last attention, as a run
    does, would save a half of a shallow model's last layer and next to nothing of a deep one."""

    name: str
    layers: int
    heads: int
    width: int
    cut_short: bool = False
    vocabulary: int = 50257


CASES = (Case("gpt2", 12, 12, 768), Case("xl", 2, 25, 1600, cut_short=True), Case(assets.EMBEDDED, 30, 9, 576))
XL_DEPTH = 48


def choose(names: tuple[str, ...], layers: int | None) -> tuple[Case, ...]:
    """The cases of these names, in their order, xl with so many layers. Raises UsageRefusal for a name that is none."""
    known = {case.name: case for case in CASES}
    for name in names:
        if name not in known:
            raise UsageRefusal(f"there is no case {name}", "--case", f"one of {', '.join(known)}")
    if layers is not None:
        known["xl"] = replace(known["xl"], layers=layers, cut_short=layers < XL_DEPTH)
    return tuple(known[name] for name in names)


def build(case: Case, dtype: torch.dtype, device: str) -> PreTrainedModel:
    """The case's model in evaluation mode."""
    if case.name == assets.EMBEDDED:
        return _embedded(dtype, device)
    sizes = {"n_layer": case.layers, "n_head": case.heads, "n_embd": case.width, "n_positions": CONTEXT, "vocab_size": case.vocabulary}
    config = GPT2Config(**sizes, bos_token_id=None, eos_token_id=None)
    model = cast(PreTrainedModel, AutoModelForCausalLM.from_config(config, dtype=dtype))
    _randomise(model)
    return model.eval().to(device)


def windows(case: Case, window: int, count: int) -> Int[Tensor, "{count} {window}"]:
    """Windows of tokens: of the embedded text for the embedded model, otherwise drawn as words are used, one in seventy-five alike."""
    if case.name == assets.EMBEDDED:
        from extract import corpus
        from extract.checkpoint import open_checkpoint
        from extract.checkpoint_files import locate
        from extract.windows import cut

        tokenizer = open_checkpoint(locate(assets.EMBEDDED), window).tokenizer
        text = corpus.read(assets.EMBEDDED)
        return torch.from_numpy(cut(text.documents, tokenizer, window=window, windows=count, seed=SEED, corpus=text.name).windows)
    generator = torch.Generator().manual_seed(SEED)
    frequency = 1 / torch.arange(1, case.vocabulary + 1, dtype=torch.float64)
    return torch.multinomial(frequency, count * window, replacement=True, generator=generator).view(count, window)


def _embedded(dtype: torch.dtype, device: str) -> PreTrainedModel:
    from extract.checkpoint import load, open_checkpoint
    from extract.checkpoint_files import locate

    return load(open_checkpoint(locate(assets.EMBEDDED), CONTEXT), str(dtype).removeprefix("torch."), device)


def _randomise(model: PreTrainedModel) -> None:
    """Weights that keep the stream's size, queries and keys that matter, norms and biases that are not one and zero."""
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2:
                fan_in = 1 if "wte" in name or "wpe" in name else parameter.shape[0]
                parameter.normal_(0, (SHARPNESS if "c_attn" in name else 1.0) / math.sqrt(fan_in), generator=generator)
            else:
                parameter.normal_(0.0 if name.endswith("bias") else 1.0, 0.1, generator=generator)
