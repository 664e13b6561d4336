"""Where each model family keeps its projections and norms: one file per architecture; the folder is the list.

Nothing else in extract knows the layout of a model. A new family is one new file with the functions of `Family`."""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from extract.errors import ModelRefusal

if TYPE_CHECKING:
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


@runtime_checkable
class Family(Protocol):
    """What a family file holds. A block is one layer: attention and MLP, its input the residual stream.

    CENTRED says that the residual stream feeds LayerNorms, so that a constant added to all of its numbers changes nothing."""

    MODEL_TYPES: tuple[str, ...]
    CENTRED: bool

    def shape(self, config: "PreTrainedConfig") -> HeadShape: ...

    def unmeasurable(self, config: "PreTrainedConfig") -> str | None:
        """The option, if any, that makes this family's attention something else than softmax over all earlier keys."""

    def blocks(self, model: "PreTrainedModel") -> "list[nn.Module]": ...

    def attention(self, block: "nn.Module") -> "nn.Module": ...

    def value_bias(self, block: "nn.Module") -> "Tensor":
        """float [kv_head, head_dim]: the part of every value that does not depend on the token (norm bias and value bias)."""

    def output_projection(self, block: "nn.Module") -> "Tensor":
        """float [head, head_dim, d_model]: what a head's numbers are multiplied by before they join the residual stream."""

    def output_bias(self, block: "nn.Module") -> "Tensor":
        """float [d_model]: what the layer adds beside its heads' outputs."""


def find(config: "PreTrainedConfig") -> Family:
    """The family file for this configuration.

    Raises ModelRefusal where there is none, or where the heads of this model could not be measured exactly."""
    families = _discover()
    family = families.get(config.model_type)
    where = f"model_type {config.model_type}"
    if family is None:
        raise ModelRefusal(_why_unknown(config), where, f"measure a model of type {', '.join(sorted(families))}")
    odd = _unmeasurable_anywhere(config) or family.unmeasurable(config)
    if odd is not None:
        raise ModelRefusal(f"{odd} cannot be measured exactly", where, "choose a model with plain causal attention over the whole window")
    return family


def shape(config: "PreTrainedConfig") -> HeadShape:
    """Counts of layers and heads and their sizes. Raises ModelRefusal as `find` does."""
    return find(config).shape(config)


def _discover() -> dict[str, Family]:
    modules = [importlib.import_module(f"{__name__}.{entry.name}") for entry in pkgutil.iter_modules(__path__)]
    return {model_type: cast(Family, module) for module in modules for model_type in module.MODEL_TYPES}


def _why_unknown(config: "PreTrainedConfig") -> str:
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    if getattr(config, "is_encoder_decoder", False) or not hasattr(config, "num_attention_heads"):
        return f"no causal self-attention heads in {config.model_type}"
    if config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return f"{config.model_type} is not causal"
    return f"no family file for {config.model_type}"


def _unmeasurable_anywhere(config: "PreTrainedConfig") -> str | None:
    """An option that changes what attention is in any family; a name without an attention mask would drop it without a word."""
    if getattr(config, "auto_map", None):
        return "code shipped with the repository (auto_map)"
    if getattr(config, "add_cross_attention", False):
        return "cross-attention"
    if getattr(config, "is_causal", True) is False:
        return "attention to later tokens"
    for option in ("sliding_window", "attention_chunk_size", "attn_logit_softcapping", "alibi"):
        value = getattr(config, option, None)
        if value is not None and value is not False:
            return f"{option} = {value}"
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"]) - {"full_attention"}
    return f"layer_types with {sorted(kinds)[0]}" if kinds else None
