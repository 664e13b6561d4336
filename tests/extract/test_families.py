"""Each family file: sizes as configured, a clear refusal of what cannot be measured, and heads that add up to what their layer writes."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, GPT2Config, LlamaConfig, MambaConfig, OPTConfig, PreTrainedConfig, PreTrainedModel, T5Config

from extract import families
from extract.attention import visit_layers
from extract.errors import ModelRefusal
from extract.families import Family, HeadShape
from extract.layer_heads import LayerHeads, layer_weights


def test_sizes_are_those_of_the_configuration() -> None:
    assert families.shape(GPT2Config(n_layer=48, n_head=25, n_embd=1600)) == HeadShape(48, 25, 25, 64, 1600, 1024)
    llama = LlamaConfig(
        num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, hidden_size=576, max_position_embeddings=2048, rms_norm_eps=1e-5
    )
    assert families.shape(llama) == HeadShape(30, 9, 3, 64, 576, 2048)
    llama.head_dim = 80
    assert families.shape(llama).head_dim == 80


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (BertConfig(), "bert is not causal"),
        (T5Config(), "no causal self-attention heads in t5"),
        (MambaConfig(), "no causal self-attention heads in mamba"),
        (OPTConfig(), "no family file for opt"),
    ],
)
def test_a_model_without_a_family_file_is_refused_by_its_type(config: PreTrainedConfig, what: str) -> None:
    with pytest.raises(ModelRefusal, match=rf"error: {what} \(model_type {config.model_type}\); fix: measure a model of type gpt2, llama"):
        families.find(config)


def set_on(config: PreTrainedConfig, **options: object) -> PreTrainedConfig:
    for name, value in options.items():
        setattr(config, name, value)
    return config


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (set_on(LlamaConfig(), sliding_window=256), "sliding_window = 256"),
        (set_on(LlamaConfig(), attention_chunk_size=64), "attention_chunk_size = 64"),
        (set_on(LlamaConfig(), attn_logit_softcapping=50.0), "attn_logit_softcapping = 50.0"),
        (set_on(LlamaConfig(), alibi=True), "alibi = True"),
        (set_on(LlamaConfig(), layer_types=["full_attention", "sliding_attention"]), "layer_types with sliding_attention"),
        (set_on(LlamaConfig(), is_causal=False), "attention to later tokens"),
        (set_on(LlamaConfig(), auto_map={"AutoModel": "code.py"}), r"code shipped with the repository \(auto_map\)"),
        (GPT2Config(add_cross_attention=True), "cross-attention"),
        (GPT2Config(scale_attn_by_inverse_layer_idx=True), "scale_attn_by_inverse_layer_idx"),
        (GPT2Config(reorder_and_upcast_attn=True), "reorder_and_upcast_attn"),
    ],
)
def test_an_option_that_makes_attention_something_else_is_refused_by_name(config: PreTrainedConfig, what: str) -> None:
    with pytest.raises(ModelRefusal, match=rf"error: {what} cannot be measured exactly \(model_type {config.model_type}\); fix: choose"):
        families.find(config)


def test_every_family_file_holds_what_is_asked_of_it() -> None:
    for config in (GPT2Config(), LlamaConfig()):
        family = families.find(config)
        assert isinstance(family, Family) and config.model_type in family.MODEL_TYPES


def test_the_heads_outputs_add_up_to_what_the_layer_writes(toy: PreTrainedModel, windows: Callable) -> None:
    toy = toy.double()
    family = families.find(toy.config)
    blocks = family.blocks(toy)
    parts: list[Tensor] = []
    written: list[Tensor] = []

    def split(heads: LayerHeads) -> None:
        each = torch.einsum("bhqd,hdm->bhqm", heads.z, family.output_projection(blocks[heads.layer]))
        parts.append(each.sum(1) + family.output_bias(blocks[heads.layer]))

    for block in blocks:
        family.attention(block).register_forward_hook(lambda _module, _args, output: written.append(output[0]))
    visit_layers(toy, windows(2, 50), split, last=len(blocks))
    assert len(parts) == len(written) == 3
    for part, whole in zip(parts, written, strict=True):
        assert torch.allclose(part, whole, rtol=0, atol=1e-12)


def test_the_factor_gives_the_norm_of_the_centred_output(toy: PreTrainedModel) -> None:
    toy = toy.double()
    family = families.find(toy.config)
    z = torch.randn(5, family.shape(toy.config).head_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for block in family.blocks(toy):
        weights, projection = layer_weights(family, block), family.output_projection(block)
        for head in range(projection.shape[0]):
            out = z @ projection[head]
            if family.CENTRED:
                out = out - out.mean(-1, keepdim=True)
            assert torch.allclose((z @ weights.norm_factor[head].T).norm(dim=-1), out.norm(dim=-1), rtol=1e-12)


def test_llama_without_biases_has_nothing_to_fold(llama_maker: Callable) -> None:
    model = llama_maker(bias=False)
    block = families.find(model.config).blocks(model)[0]
    weights = layer_weights(families.find(model.config), block)
    assert weights.value_bias.shape == (6, 12) and not weights.value_bias.any()
    assert not families.find(model.config).output_bias(block).any()


def test_the_heads_of_a_group_fold_the_bias_of_their_own_key_value_head(llama_maker: Callable) -> None:
    model = llama_maker()
    block = model.model.layers[0]
    bias = layer_weights(families.find(model.config), block).value_bias
    expected = block.self_attn.v_proj.bias.view(2, 12)
    assert all(torch.equal(bias[head], expected[head // 3]) for head in range(6))


def test_a_quantised_projection_is_refused(gpt2_maker: Callable) -> None:
    model = copy.deepcopy(gpt2_maker())
    projection = model.transformer.h[0].attn.c_proj
    projection.weight = torch.nn.Parameter(projection.weight.detach().to(torch.int8), requires_grad=False)
    with pytest.raises(
        ModelRefusal, match=r"attention weights stored as torch\.int8 \(GPT2Block\); fix: load the model without quantisation"
    ):
        layer_weights(families.find(model.config), model.transformer.h[0])
