"""Where each model family keeps its projections and norms: one file per architecture; the folder is the list.

Nothing else in extract knows the layout of a model. A new family is one new file with the functions of `Family`, or with those alone in
which it differs from the file that it is LIKE."""

import importlib
import pkgutil
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from extract.errors import ModelRefusal

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor, nn
    from transformers import PreTrainedConfig, PreTrainedModel


@dataclass(frozen=True)
class HeadShape:
    """The sizes that a configuration promises: counts, and `context` in tokens."""

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    d_model: int
    context: int


@dataclass(frozen=True)
class PostNorm:
    """A norm by the root mean square between what the attention writes and the stream: y becomes weight ⊙ y / √(mean y² + eps).

    weight: float [d_model], as it multiplies."""

    weight: "Tensor"
    eps: float


@runtime_checkable
class Measuring(Protocol):
    """The measuring attention function, called as transformers calls an attention function.

    `key_bias`, float [head, key], is added to the scores of each key after they are scaled."""

    def __call__(
        self,
        module: "nn.Module",
        query: "Tensor",
        key: "Tensor",
        value: "Tensor",
        attention_mask: "Tensor | None",
        scaling: float,
        dropout: float = 0.0,
        sliding_window: int | None = None,
        softcap: float | None = None,
        key_bias: "Tensor | None" = None,
        **options: object,
    ) -> "tuple[Tensor, None]":
        """float [batch, query, head, head_dim]."""


@runtime_checkable
class Family(Protocol):
    """What a family file holds. A block is one layer: attention and MLP, its input the residual stream.

    CENTRED says that the residual stream feeds LayerNorms, so that a constant added to all of its numbers changes nothing. OPTIONS are
    those of the configuration that change what attention is, and that the family's layers hand to the measuring function."""

    MODEL_TYPES: tuple[str, ...]
    CENTRED: bool
    OPTIONS: tuple[str, ...]

    def shape(self, config: "PreTrainedConfig") -> HeadShape: ...

    def unmeasurable(self, config: "PreTrainedConfig") -> str | None:
        """The option, if any, that makes this family's attention something else than softmax over all earlier keys."""

    def blocks(self, model: "PreTrainedModel") -> "list[nn.Module]": ...

    def attention(self, block: "nn.Module") -> "nn.Module": ...

    def attending(self, attention: "nn.Module", measure: Measuring) -> "AbstractContextManager[None] | None":
        """While open, this attention module attends through `measure`; None for one that asks transformers which function to call."""

    def mended(self, attention: "nn.Module") -> "AbstractContextManager[None] | None":
        """While open, this module's eager attention is what the model computes by default; None where transformers has no such fault."""

    def attention_norm(self, block: "nn.Module") -> "nn.Module | None":
        """The norm whose output the attention reads; None where it reads the stream itself."""

    def norm_weight(self, block: "nn.Module") -> "Tensor":
        """float [d_model]: what that norm multiplies by, ones where there is none."""

    def norm_bias(self, block: "nn.Module") -> "Tensor":
        """float [d_model]: what that norm adds, zeros where it adds nothing."""

    def embedding_norm_weight(self, model: "PreTrainedModel") -> "Tensor | None":
        """float [d_model]: what a norm between the embedding and the first layer multiplies by; None where there is no such norm."""

    def final_norm_weight(self, model: "PreTrainedModel") -> "Tensor":
        """float [d_model]: what the norm before the unembedding multiplies by."""

    def value_projection(self, block: "nn.Module") -> "Tensor":
        """float [kv_head, d_model, head_dim]: what the norm's output is multiplied by to become a value."""

    def value_projection_bias(self, block: "nn.Module") -> "Tensor":
        """float [kv_head, head_dim]: what is added to every value."""

    def output_module(self, block: "nn.Module") -> "nn.Module":
        """The module whose output is the sum of what the heads write, and the output bias."""

    def output_projection(self, block: "nn.Module") -> "Tensor":
        """float [head, head_dim, d_model]: what a head's numbers are multiplied by in that sum."""

    def output_bias(self, block: "nn.Module") -> "Tensor":
        """float [d_model]: what the layer adds beside its heads' outputs."""

    def post_norm(self, block: "nn.Module") -> PostNorm | None:
        """The norm, if any, that the sum passes before it joins the residual stream."""


def value_bias(family: Family, block: "nn.Module") -> "Tensor":
    """float64 [kv_head, head_dim]: the part of every value that does not depend on the token, from the norm's bias and the values' own."""
    through: Tensor = family.norm_bias(block).double() @ family.value_projection(block).double()
    return through + family.value_projection_bias(block).double()


def find(config: "PreTrainedConfig") -> Family:
    """The family file for this configuration.

    Raises ModelRefusal where there is none, or where the heads of this model could not be measured exactly."""
    families = _discover()
    family = families.get(config.model_type)
    where = f"model_type {config.model_type}"
    if family is None:
        raise ModelRefusal(_why_unknown(config), where, f"measure one of the {len(families)} types in docs/families.md")
    odd = _unmeasurable_anywhere(config, family) or family.unmeasurable(config)
    if odd is not None:
        raise ModelRefusal(f"{odd} cannot be measured exactly", where, "choose a model with plain causal attention over the whole window")
    return family


def shape(config: "PreTrainedConfig") -> HeadShape:
    """Counts of layers and heads and their sizes. Raises ModelRefusal as `find` does."""
    return find(config).shape(config)


def model_types() -> set[str]:
    """The types that are measured."""
    return set(_discover())


def _discover() -> dict[str, Family]:
    modules = [importlib.import_module(f"{__name__}.{entry.name}") for entry in pkgutil.iter_modules(__path__)]
    return {model_type: _layout(module) for module in modules for model_type in module.MODEL_TYPES}


def _layout(module: ModuleType) -> Family:
    """What a family file says; what it does not say is as in the file that it is LIKE."""
    like = vars(_layout(module.LIKE)) if hasattr(module, "LIKE") else {}
    said = {name: value for name, value in vars(module).items() if name in _MEMBERS}
    return cast(Family, SimpleNamespace(**like | said))


_MEMBERS = {name for name in (*vars(Family), *Family.__annotations__) if not name.startswith("_")}


# What stands in the way, for types that are asked for; each would need a measure of its own.
WHY_NOT = {
    "bitnet": "a norm between its heads and the output projection",
    "deepseek_v2": "latent attention",
    "deepseek_v3": "latent attention",
    "diffllama": "differential attention, a difference of two softmax rows",
    "gemma3n_text": "keys and values shared between layers",
    "gpt_oss": "attention sinks, which take a part of every row and are no key",
    "granite": "a factor between what its attention writes and the stream",
    "llama4_text": "chunked attention",
}


def _why_unknown(config: "PreTrainedConfig") -> str:
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    if config.model_type in WHY_NOT:
        return f"{config.model_type} has {WHY_NOT[config.model_type]}"
    if getattr(config, "text_config", None) is not None:
        return f"{config.model_type} reads more than text"
    if getattr(config, "is_encoder_decoder", False) or not hasattr(config, "num_attention_heads"):
        return f"no causal self-attention heads in {config.model_type}"
    if config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return f"{config.model_type} is not causal"
    return f"no family file for {config.model_type}"


def _unmeasurable_anywhere(config: "PreTrainedConfig", family: Family) -> str | None:
    """An option that changes what attention is and that this family does not measure.

    A name without an attention mask of its own drops such an option without a word, so that one unknown to the family is refused."""
    if getattr(config, "auto_map", None):
        return "code shipped with the repository (auto_map)"
    if getattr(config, "add_cross_attention", False):
        return "cross-attention"
    if getattr(config, "is_causal", True) is False or getattr(config, "use_bidirectional_attention", None):
        return "attention to later tokens"
    for option in _CHANGING:
        value = getattr(config, option, None)
        if value is not None and value is not False and option not in family.OPTIONS:
            return f"{option} = {value}"
    measured = {"full_attention"} | ({"sliding_attention"} if "sliding_window" in family.OPTIONS else set())
    kinds = set(getattr(config, "layer_types", None) or measured) - measured
    return f"layer_types with {sorted(kinds)[0]}" if kinds else None


_CHANGING = ("sliding_window", "attention_chunk_size", "attn_logit_softcapping", "alibi")
