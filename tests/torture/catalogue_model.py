"""Rows 1 to 19 of the catalogue: models and their files."""

import numpy as np
from catalogue import model_case
from conditions import PORT, TOKEN, both, data, hub_that_says, json_of, remove, weights, write

_INDEX = '{"weight_map": {"transformer.wte.weight": "model-00001-of-00002.safetensors"}}'
_ONLINE = (("HF_HUB_OFFLINE", "0"), ("HF_ENDPOINT", f"http://127.0.0.1:{PORT + 1}"), ("HF_TOKEN", TOKEN))
_QUANTISED = "refused, not warned and recorded: none of its backends can be had here, so that no result could be proved"


def _quantised(method: str) -> object:
    return json_of("toy/config.json", quantization_config={"quant_method": method, "bits": 4})


def _spoiled(value: float) -> object:
    return weights(lambda tensors: tensors["transformer.h.1.attn.c_attn.weight"].ravel().__setitem__(7, np.float32(value)))


# fmt: off
CASES = (
    model_case("01-model-missing", "no such model folder", 3, r"no model at \./nope \(not a directory, not a Hub id\)", model="./nope"),
    model_case("01-model-a-file", "a file where a model is asked for", 3, r"no model at toy\.toml", model="toy.toml"),
    model_case("02-hub-offline", "a hub model that is not cached, offline", 5, "not cached", "download it first",
               model="some/model-of-nobody"),
    model_case("02-hub-unreachable", "a hub that nobody answers for", 5, "the hub cannot be reached", "or pass a directory",
               model="some/model-of-nobody", env=_ONLINE, never=(TOKEN,), fresh=True),
    model_case("03-gated-model", "a gated model", 3, "the model is gated", "accept its licence", "HF_TOKEN", model="some/gated",
               prepare=hub_that_says(403, "GatedRepo"), env=_ONLINE, never=(TOKEN,), fresh=True),
    model_case("03-bad-token", "a token that the hub refuses", 3, "no model at some/private", "private models need HF_TOKEN",
               model="some/private", prepare=hub_that_says(401, "RepoNotFound"), env=_ONLINE, never=(TOKEN,), fresh=True),
    model_case("04-encoder-only", "an encoder", 3, "bert is not causal", "docs/families.md", model="./bert"),
    model_case("04-attends-to-later-tokens", "a configuration that attends both ways", 3, "attention to later tokens", model="./llama",
               prepare=json_of("llama/config.json", use_bidirectional_attention=True)),
    model_case("05-encoder-decoder", "an encoder and decoder", 3, "no causal self-attention heads in t5", model="./t5"),
    model_case("05-no-attention-heads", "a state-space model", 3, "no causal self-attention heads in mamba",
               prepare=json_of("toy/config.json", model_type="mamba", architectures=["MambaForCausalLM"])),
    model_case("06-unknown-model-type", "an architecture that nobody knows", 3, "does not know wxyz", "pip install -U transformers",
               prepare=json_of("toy/config.json", model_type="wxyz")),
    model_case("07-code-in-config", "a repository that ships code", 3, "ships code", "refused",
               prepare=json_of("toy/config.json", auto_map={"AutoConfig": "evil.Config"})),
    model_case("07-code-in-tokenizer", "a tokenizer that ships code", 3, "ships code", "refused",
               prepare=json_of("toy/tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Tokenizer", None]})),
    model_case("08-only-pickles", "only pickled weights", 3, "only pickled weights, such as pytorch_model.bin", "save_pretrained",
               prepare=both(remove("toy/model.safetensors"), write("toy/pytorch_model.bin", b"\x80\x04cos\nsystem\n"))),
    model_case("09-gguf-file", "another GGUF file", 3, "only the embedded model is read as GGUF", model="./m.gguf", prepare=write("m.gguf",
               "GGUF")),
    model_case("09-gguf-folder", "a folder with a GGUF file", 3, "weights in GGUF", "use the safetensors repository", model="./other",
               prepare=write("other/m.gguf", "GGUF")),
    *(
        model_case(f"10-quantised-{method}", f"weights quantised by {method}", 3, rf"quantised weights \({method}\)", "full weights",
                   prepare=_quantised(method), today=_QUANTISED)
        for method in ("gptq", "awq", "bitsandbytes")
    ),
    model_case("11-weight-file-missing", "an index that names a file that is not there", 3, "model-00001-of-00002.safetensors is missing",
               "download it again", prepare=both(remove("toy/model.safetensors"), write("toy/model.safetensors.index.json", _INDEX))),
    model_case("12-weights-truncated", "weights that are cut off", 3, r"\d+ bytes, \d+ expected \(model\.safetensors\)",
               "download it again",
               prepare=data("toy/model.safetensors", lambda whole: whole[:-100])),
    model_case("12-weights-cut-in-header", "weights cut off in their header", 3, "cut off in its header", "download it again",
               prepare=data("toy/model.safetensors", lambda whole: whole[:300])),
    model_case("12-weights-garbage", "weights that are something else", 3, "no safetensors file", prepare=write("toy/model.safetensors",
               b"\xff" * 999)),
    model_case("12-weights-lfs-pointer", "a pointer in place of weights", 3, "a Git LFS pointer, not weights", "git lfs pull",
               prepare=write("toy/model.safetensors", "version https://git-lfs.github.com/spec/v1\n")),
    model_case("13-config-deeper", "a configuration deeper than the weights", 3, "24 weights missing, e.g. transformer.h.2", "refused",
               prepare=json_of("toy/config.json", n_layer=4)),
    model_case("13-config-shallower", "weights deeper than the configuration", 3, "more layers than the 1 configured",
               prepare=json_of("toy/config.json", n_layer=1)),
    model_case("14-shape-mismatch", "configuration and weights of other shapes", 3, "config and weights disagree", "transformer.wpe.weight",
               prepare=json_of("toy/config.json", n_positions=128)),
    model_case("15-weights-nan", "a weight that is no number", 3, r"non-finite weights in transformer\.h\.1\.attn\.c_attn",
               prepare=_spoiled(np.nan)),
    model_case("15-weights-infinite", "an infinite weight", 3, r"non-finite weights in transformer\.h\.1\.attn\.c_attn",
               prepare=_spoiled(np.inf)),
    model_case("16-tokenizer-of-another-model", "a tokenizer with more ids than embeddings", 3, "ids up to 299, the model 200 embeddings",
               "the model's own tokenizer", prepare=json_of("toy/config.json", vocab_size=200)),
    model_case("17-no-tokenizer", "no tokenizer", 3, "no tokenizer", "tokenizer.json", prepare=remove("toy/tokenizer.json")),
    model_case("17-no-pad-token", "a tokenizer without a padding token", 0, "4 heads on 60 tokens",
               prepare=json_of("toy/tokenizer_config.json", pad_token=None)),
    model_case("18-attention-implementation", "a configuration that asks for an attention without weights", 0, "4 heads on 60 tokens",
               prepare=json_of("toy/config.json", _attn_implementation="sdpa", attn_implementation="flash_attention_2")),
    model_case("19-grouped-queries", "heads that share keys", 0, "8 heads on 60 tokens", model="./llama"),
    model_case("19-sliding-window", "a window that slides", 0, "8 heads on 60 tokens", model="./llama", prepare=json_of(
        "llama/config.json", model_type="mistral", architectures=["MistralForCausalLM"], sliding_window=8)),
    model_case("19-sliding-window-unknown", "a sliding window in a family that has none", 3,
               "sliding_window = 8 cannot be measured exactly",
               model="./llama", prepare=json_of("llama/config.json", sliding_window=8)),
    model_case("19-soft-cap", "capped scores in a family that has none", 3, "attn_logit_softcapping = 50.0 cannot be measured exactly",
               model="./llama", prepare=json_of("llama/config.json", attn_logit_softcapping=50.0)),
)
# fmt: on
