"""A toy run; toy models with random weights that attend sharply, and an independent eager account in float64 of what their heads do."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from stores import gcs, open_place, place, s3  # noqa: F401
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from extract import families, measures
from extract.attention import mean_outputs, measure_windows, visit_layers
from extract.config import RunConfig
from extract.layer_heads import LayerHeads
from extract.sums import ShardSums

VOCABULARY = 101


@pytest.fixture
def config(make_checkpoint: Callable[..., Path], write_text: Callable[..., Path]) -> RunConfig:
    """Ten windows of 32 tokens and six of repeated tokens in four shards, on a random GPT-2 of 2 x 2 heads."""
    size = {"window": 32, "windows": 10, "shards": 4, "repeated_windows": 6, "repeated_tokens": 20}
    return RunConfig("Toy", str(make_checkpoint()), str(write_text(120, 300, 20, 9)), **size)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results" / "counters.duckdb"


@pytest.fixture
def write_run_file(tmp_path: Path) -> Callable[[RunConfig], Path]:
    """Writes a run file that says all that the configuration does."""

    def write(config: RunConfig) -> Path:
        path = tmp_path / "toy.toml"
        given = {key: value for key, value in vars(config).items() if value is not None}
        # A text, a number, true and false are written alike in JSON and in TOML.
        path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items()), encoding="utf-8")
        return path

    return write


def _randomise(model: PreTrainedModel, seed: int) -> PreTrainedModel:
    """Weights, norms and biases that all matter: fresh models have none of the last two and attend almost evenly."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            if parameter.ndim == 2:
                fan_in = parameter.shape[0] if "attn.c_" in name or "mlp.c_" in name else parameter.shape[1]
                sharpness = 1.5 if any(part in name for part in ("c_attn", "q_proj", "k_proj")) else 1.0
                parameter.copy_(noise if "wte" in name or "embed" in name else sharpness * noise / math.sqrt(fan_in))
            else:
                parameter.copy_(0.3 * noise + (0.0 if name.endswith("bias") else 1.0))
    return model.eval()


def make_gpt2(layers: int = 3, heads: int = 4, width: int = 32, context: int = 320, seed: int = 0) -> PreTrainedModel:
    """A random GPT-2; head_dim is width / heads."""
    config = GPT2Config(
        n_layer=layers, n_head=heads, n_embd=width, n_positions=context, vocab_size=VOCABULARY, bos_token_id=None, eos_token_id=None
    )
    return _randomise(GPT2LMHeadModel(config), seed)


def make_llama(layers: int = 3, heads: int = 6, kv_heads: int = 2, head_dim: int = 12, bias: bool = True, seed: int = 0) -> PreTrainedModel:
    """A random Llama with grouped queries; heads x head_dim is not its width."""
    config = LlamaConfig(
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        hidden_size=48,
        intermediate_size=64,
        vocab_size=VOCABULARY,
        max_position_embeddings=320,
        attention_bias=bias,
        bos_token_id=None,
        eos_token_id=None,
    )
    return _randomise(LlamaForCausalLM(config), seed)


MAKERS: dict[str, Callable[..., PreTrainedModel]] = {"gpt2": make_gpt2, "llama": make_llama}


@pytest.fixture(params=sorted(MAKERS))
def toy(request: pytest.FixtureRequest) -> PreTrainedModel:
    """One small random model of each family, float32."""
    return MAKERS[request.param]()


@pytest.fixture
def gpt2_maker() -> Callable[..., PreTrainedModel]:
    return make_gpt2


@pytest.fixture
def llama_maker() -> Callable[..., PreTrainedModel]:
    return make_llama


@pytest.fixture(scope="session")
def values_of() -> Callable[[PreTrainedModel, Tensor], list[dict[str, Tensor]]]:
    """Every measure's values on this text, layer by layer; deviations are from the means over the same text."""
    modules = measures.discover(measures.NATURAL, measures.HELD_OUT, measures.WEIGHTS)

    def compute(model: PreTrainedModel, tokens: Tensor) -> list[dict[str, Tensor]]:
        layers: list[dict[str, Tensor]] = []

        def keep(heads: LayerHeads) -> None:
            layers.append({module.MEASURE.id: module.compute(heads) for module in modules})

        visit_layers(model, tokens, keep, mean_outputs=mean_outputs(model, tokens))
        return layers

    return compute


@pytest.fixture(scope="session")
def sums_of() -> Callable[[PreTrainedModel, Tensor], ShardSums]:
    """The sums of one forward, of every measure of text and weights."""

    def measure(model: PreTrainedModel, tokens: Tensor) -> ShardSums:
        sums = ShardSums(model.config.num_hidden_layers, model.config.num_attention_heads)
        modules = measures.discover(measures.NATURAL, measures.HELD_OUT, measures.WEIGHTS)
        measure_windows(model, tokens, sums, modules, mean_outputs=mean_outputs(model, tokens))
        return sums

    return measure


@pytest.fixture
def ask_blocks_for() -> Callable[..., None]:
    """Makes a model pass its attention one more option."""

    def ask(model: PreTrainedModel, **options: object) -> None:
        for block in families.find(model.config).blocks(model):
            block.register_forward_pre_hook(lambda _module, args, given: (args, given | options), with_kwargs=True)

    return ask


@pytest.fixture
def windows() -> Callable[[int, int], Tensor]:
    """Seeded random token windows."""

    def make(batch: int, length: int) -> Tensor:
        return torch.randint(0, VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(batch * 1000 + length))

    return make


@dataclass(frozen=True)
class EagerLayer:
    """p [batch, head, query, key], written [batch, head, query, d_model] without its constant part, stream [batch, query, d_model].

    alone: what each head would write if it saw key j alone, [batch, head, key, d_model]."""

    p: Tensor
    written: Tensor
    stream: Tensor
    alone: Tensor


@pytest.fixture
def eager() -> Callable[[PreTrainedModel, Tensor], list[EagerLayer]]:
    """Whole patterns from the model's own eager attention in float64, values and outputs by plain matrix products."""

    def account(model: PreTrainedModel, tokens: Tensor) -> list[EagerLayer]:
        exact = copy.deepcopy(model).double()
        exact.set_attn_implementation("eager")
        with torch.no_grad():
            out = exact.base_model(input_ids=tokens, use_cache=False, output_attentions=True, output_hidden_states=True)
            layers = zip(out.attentions, out.hidden_states, strict=False)
            if model.config.model_type == "gpt2":
                return [_gpt2_layer(block, *layer) for block, layer in zip(exact.base_model.h, layers, strict=True)]
            rotations = exact.base_model.rotary_emb(out.hidden_states[0], torch.arange(tokens.shape[1])[None])
            return [_llama_layer(block, *layer, rotations) for block, layer in zip(exact.base_model.layers, layers, strict=True)]

    return account


def _gpt2_layer(block: torch.nn.Module, p: Tensor, x: Tensor) -> EagerLayer:
    """LayerNorm without its bias, value projection without its bias, rows of the output projection centred."""
    width, heads = x.shape[-1], p.shape[1]
    values = (block.ln_1(x) - block.ln_1.bias) @ block.attn.c_attn.weight[:, 2 * width :]
    projection = block.attn.c_proj.weight - block.attn.c_proj.weight.mean(1, keepdim=True)
    alone = _alone(values, projection, heads)
    return EagerLayer(p, p @ alone, x - x.mean(-1, keepdim=True), alone)


def _llama_layer(block: torch.nn.Module, p: Tensor, x: Tensor, rotations: tuple[Tensor, Tensor]) -> EagerLayer:
    """Value projection without its bias, each key-value head once per query head of its group.

    Llama's eager softmax rounds to float32, so the pattern is worked out again in float64 and held against it."""
    attention, heads, normed = block.self_attn, p.shape[1], block.input_layernorm(x)
    q, k = (
        projection(normed).unflatten(-1, (-1, attention.head_dim)).transpose(1, 2) for projection in (attention.q_proj, attention.k_proj)
    )
    q, k = apply_rotary_pos_emb(q, k, *rotations)
    scores = q @ k.repeat_interleave(attention.num_key_value_groups, 1).mT / math.sqrt(attention.head_dim)
    exact = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf).softmax(-1)
    assert torch.allclose(exact, p, rtol=0, atol=5e-7)
    values = normed @ attention.v_proj.weight.T
    values = values.unflatten(-1, (-1, attention.head_dim)).repeat_interleave(attention.num_key_value_groups, 2).flatten(2)
    alone = _alone(values, attention.o_proj.weight.T, heads)
    return EagerLayer(exact, exact @ alone, x, alone)


def _alone(values: Tensor, projection: Tensor, heads: int) -> Tensor:
    return values.unflatten(-1, (heads, -1)).transpose(1, 2) @ projection.unflatten(0, (heads, -1))
