"""One small random model of every listed type, with all that its layout allows: biases, groups, windows, caps; and where its parts lie.

The places and numbers are written down here a second time, from the models' own code: nothing is asked of the family files."""

import math
from dataclasses import dataclass

import torch
import transformers
from torch import nn
from transformers import PreTrainedModel

VOCABULARY = 101

_TOKENS = {"vocab_size": VOCABULARY, "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
_SIZES = {"num_hidden_layers": 3, "num_attention_heads": 6, "max_position_embeddings": 160}
_PLAIN = _TOKENS | _SIZES | {"hidden_size": 48, "intermediate_size": 64}
_GROUPED = _PLAIN | {"num_key_value_heads": 2}
# Six heads of twelve numbers on a stream of 48: a slice along the wrong dimension cannot go unseen.
_WIDE = _GROUPED | {"head_dim": 12}
_ROTARY = {"rope_type": "default", "rope_theta": 10000.0}
_EXPERTS = {"num_local_experts": 2, "num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 32}
_SOME_SLIDE = {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"], "sliding_window": 7}


@dataclass(frozen=True)
class Toy:
    """A model to be made, and an account of its layout: `scale` is what q·k is multiplied by, `windows` has one entry per layer, `one_more`
    says that norms multiply by 1 + weight, `biases` that values and the sum of the heads have some, `routed` that tokens choose experts."""

    name: str
    model_class: str
    options: dict[str, object]
    scale: float
    blocks: str = "model.layers"
    attention: str = "self_attn"
    norm: str | None = "input_layernorm"
    output: str = "o_proj"
    final_norm: str = "model.norm"
    post_norm: str | None = None
    one_more: bool = False
    centred: bool = False
    kv_heads: int = 2
    softcap: float | None = None
    windows: tuple[int | None, ...] = (None, None, None)
    alibi: bool = False
    biases: bool = True
    routed: bool = False
    features: tuple[str, ...] = ()

    def make(self, seed: int = 0) -> PreTrainedModel:
        """In float32, with its own attention."""
        model_class = getattr(transformers, self.model_class)
        model = _randomise(model_class(model_class.config_class(**self.options)), seed)
        if self.routed:
            # The grouped product of experts knows no float64.
            model.set_experts_implementation("eager")
        return model

    def blocks_of(self, model: PreTrainedModel) -> list[nn.Module]:
        return list(model.get_submodule(self.blocks))


def _randomise(model: PreTrainedModel, seed: int) -> PreTrainedModel:
    """Weights, norms and biases that all matter, and attention that is sharp."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            sharp = (
                1.5
                if any(part in name for part in ("c_attn", "q_proj", "k_proj", "query_key_value", "qkv_proj", "q_norm", "k_norm"))
                else 1.0
            )
            if parameter.ndim > 1:
                fan_in = parameter.shape[0] if ".c_" in name else parameter.shape[-1]
                parameter.copy_(noise if "embed" in name or "wte" in name else sharp * noise / math.sqrt(fan_in))
            else:
                parameter.copy_(0.3 * noise + (0.0 if name.endswith("bias") else sharp))
    return model.eval()


_GPT = {"blocks": "transformer.h", "final_norm": "transformer.ln_f", "attention": "attn", "norm": "ln_1", "centred": True, "kv_heads": 6}
_FALCON = _GPT | {"attention": "self_attention", "norm": "input_layernorm", "output": "dense"}
_LAYER_NORM = {"centred": True}
_SLIDE = {"windows": (7, None, 7)}
_ALL_SLIDE = {"windows": (7, 7, 7)}
_POST = {"post_norm": "post_attention_layernorm"}
_EIGHT, _TWELVE = 8**-0.5, 12**-0.5


def _toys() -> list[Toy]:
    """In the order of the page."""
    gpt2 = _TOKENS | {"n_layer": 3, "n_head": 6, "n_embd": 48, "n_positions": 160}
    return [
        Toy("gpt2", "GPT2LMHeadModel", gpt2, _EIGHT, output="c_proj", **_GPT),
        Toy(
            "gpt_neo",
            "GPTNeoForCausalLM",
            _TOKENS
            | {"num_layers": 3, "num_heads": 6, "hidden_size": 48, "max_position_embeddings": 160, "window_size": 7}
            | {"attention_types": [[["global", "local", "global"], 1]]},
            1.0,
            **_GPT | {"attention": "attn.attention"},
            output="out_proj",
            biases=False,
            windows=(None, 7, None),
            features=("scores not scaled",),
        ),
        Toy("gptj", "GPTJForCausalLM", gpt2 | {"rotary_dim": 4}, _EIGHT, output="out_proj", biases=False, **_GPT),
        Toy(
            "gpt_neox",
            "GPTNeoXForCausalLM",
            _PLAIN,
            _EIGHT,
            "gpt_neox.layers",
            "attention",
            output="dense",
            final_norm="gpt_neox.final_layer_norm",
            centred=True,
            kv_heads=6,
        ),
        Toy(
            "opt",
            "OPTForCausalLM",
            _TOKENS | _SIZES | {"hidden_size": 48, "word_embed_proj_dim": 48, "ffn_dim": 64},
            1.0,
            "model.decoder.layers",
            norm="self_attn_layer_norm",
            output="out_proj",
            final_norm="model.decoder.final_layer_norm",
            centred=True,
            kv_heads=6,
            features=("queries arrive scaled",),
        ),
        Toy(
            "bloom",
            "BloomForCausalLM",
            _TOKENS | {"n_layer": 3, "n_head": 6, "hidden_size": 48},
            _EIGHT,
            alibi=True,
            **_FALCON,
        ),
        Toy("falcon", "FalconForCausalLM", _PLAIN | {"bias": True}, _EIGHT, **_FALCON | {"kv_heads": 1}),
        Toy(
            "falcon, new decoder",
            "FalconForCausalLM",
            _PLAIN | {"bias": True, "new_decoder_architecture": True, "num_kv_heads": 2},
            _EIGHT,
            **_FALCON | {"kv_heads": 2, "norm": "ln_attn"},
        ),
        Toy(
            "falcon, ALiBi",
            "FalconForCausalLM",
            _PLAIN | {"num_attention_heads": 12, "bias": True, "multi_query": False, "parallel_attn": False, "alibi": True},
            0.5,
            alibi=True,
            features=("biases rounded to bfloat16 as the model does",),
            **_FALCON | {"kv_heads": 12},
        ),
        Toy("phi", "PhiForCausalLM", _GROUPED, _EIGHT, output="dense", final_norm="model.final_layernorm", **_LAYER_NORM),
        Toy("phi3", "Phi3ForCausalLM", _GROUPED | {"sliding_window": 7}, _EIGHT, output="o_proj", biases=False, **_ALL_SLIDE),
        Toy("llama", "LlamaForCausalLM", _WIDE | {"attention_bias": True}, _TWELVE),
        Toy("arcee", "ArceeForCausalLM", _WIDE | {"attention_bias": True}, _TWELVE),
        Toy("helium", "HeliumForCausalLM", _GROUPED | {"head_dim": 8}, _EIGHT, biases=False),
        Toy("seed_oss", "SeedOssForCausalLM", _WIDE | {"attention_bias": True, "attention_out_bias": True}, _TWELVE),
        Toy(
            "smollm3", "SmolLM3ForCausalLM", _GROUPED | {"attention_bias": True, "use_sliding_window": True} | _SOME_SLIDE, _EIGHT, **_SLIDE
        ),
        Toy("mistral", "MistralForCausalLM", _WIDE | {"sliding_window": 7}, _TWELVE, biases=False, **_ALL_SLIDE),
        Toy("ministral", "MinistralForCausalLM", _WIDE | _SOME_SLIDE, _TWELVE, biases=False, **_SLIDE),
        Toy("mixtral", "MixtralForCausalLM", _WIDE | _EXPERTS | {"sliding_window": 7}, _TWELVE, biases=False, routed=True, **_ALL_SLIDE),
        Toy("qwen2", "Qwen2ForCausalLM", _GROUPED | {"use_sliding_window": True} | _SOME_SLIDE, _EIGHT, biases=False, **_SLIDE),
        Toy("qwen3", "Qwen3ForCausalLM", _WIDE | {"attention_bias": True, "use_sliding_window": True} | _SOME_SLIDE, _TWELVE, **_SLIDE),
        Toy(
            "qwen3_moe",
            "Qwen3MoeForCausalLM",
            _WIDE | _EXPERTS | {"attention_bias": True, "use_sliding_window": True, "sliding_window": 7},
            _TWELVE,
            routed=True,
            **_ALL_SLIDE,
        ),
        Toy("gemma", "GemmaForCausalLM", _WIDE | {"attention_bias": True}, _TWELVE, one_more=True),
        Toy(
            "gemma2",
            "Gemma2ForCausalLM",
            _WIDE | {"attention_bias": True, "query_pre_attn_scalar": 20, "attn_logit_softcapping": 2.0} | _SOME_SLIDE,
            20**-0.5,
            softcap=2.0,
            one_more=True,
            windows=(7, None, 7),
            **_POST,
        ),
        Toy(
            "gemma3_text",
            "Gemma3ForCausalLM",
            _WIDE | {"attention_bias": True, "query_pre_attn_scalar": 20} | _SOME_SLIDE,
            20**-0.5,
            one_more=True,
            **_SLIDE,
            **_POST,
        ),
        Toy("olmo2", "Olmo2ForCausalLM", _GROUPED | {"attention_bias": True}, _EIGHT, norm=None, **_POST),
        Toy("olmo3", "Olmo3ForCausalLM", _GROUPED | {"attention_bias": True} | _SOME_SLIDE, _EIGHT, norm=None, **_SLIDE, **_POST),
        Toy("exaone4", "Exaone4ForCausalLM", _GROUPED | {"head_dim": 8} | _SOME_SLIDE, _EIGHT, norm=None, biases=False, **_SLIDE, **_POST),
        Toy("olmo", "OlmoForCausalLM", _GROUPED | {"attention_bias": True}, _EIGHT, **_LAYER_NORM),
        Toy("glm", "GlmForCausalLM", _GROUPED | {"head_dim": 8, "attention_bias": True}, _EIGHT, biases=False),
        Toy(
            "glm4",
            "Glm4ForCausalLM",
            _GROUPED | {"head_dim": 8, "attention_bias": True},
            _EIGHT,
            biases=False,
            post_norm="post_self_attn_layernorm",
        ),
        Toy(
            "apertus",
            "ApertusForCausalLM",
            _GROUPED | {"attention_bias": True, "rope_parameters": _ROTARY},
            _EIGHT,
            norm="attention_layernorm",
        ),
        Toy("cohere", "CohereForCausalLM", _GROUPED | {"attention_bias": True, "use_qk_norm": True}, _EIGHT, **_LAYER_NORM),
        Toy(
            "cohere2",
            "Cohere2ForCausalLM",
            _GROUPED | {"head_dim": 8, "attention_bias": True} | _SOME_SLIDE,
            _EIGHT,
            **_SLIDE,
            **_LAYER_NORM,
        ),
        Toy("nemotron", "NemotronForCausalLM", _WIDE | {"attention_bias": True}, _TWELVE, one_more=True, **_LAYER_NORM),
        Toy(
            "stablelm", "StableLmForCausalLM", _GROUPED | {"use_qkv_bias": True, "qk_layernorm": True}, _EIGHT, biases=False, **_LAYER_NORM
        ),
        Toy("starcoder2", "Starcoder2ForCausalLM", _GROUPED | {"sliding_window": 7}, _EIGHT, **_ALL_SLIDE, **_LAYER_NORM),
    ]


TOYS: dict[str, Toy] = {toy.name: toy for toy in _toys()}
