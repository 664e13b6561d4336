"""The one maker of toy checkpoints: random weights of four architectures and a byte-level BPE of 300 tokens, in hub layout.

Loads torch and transformers only when it is asked for one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

# The start token has id 0.
START = "<|endoftext|>"
VOCABULARY = 300
_DEEP = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32, "max_position_embeddings": 64}
# Names of the classes of configuration and model, and their sizes.
KINDS: dict[str, tuple[str, str, dict[str, int]]] = {
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", {"n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": 64}),
    "llama": ("LlamaConfig", "LlamaForCausalLM", _DEEP | {"num_key_value_heads": 2}),
    "bert": ("BertConfig", "BertForMaskedLM", _DEEP),
    "t5": ("T5Config", "T5ForConditionalGeneration", {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}),
}


def save_tokenizer(path: Path, words: Sequence[str]) -> Path:
    """Train tokenizer.json on these words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[START], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([" ".join(words)] * 5, trainer)
    tokenizer.save(str(path))
    return path


def save_checkpoint(folder: Path, tokenizer_file: Path, kind: str = "gpt2", **settings: Any) -> Path:
    """Seeded random weights of one of KINDS, with any setting of its configuration, and the tokenizer."""
    import torch
    import transformers

    torch.manual_seed(0)
    config, model, sizes = KINDS[kind]
    made = getattr(transformers, config)(**{"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 0} | sizes | settings)
    getattr(transformers, model)(made).save_pretrained(folder)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file), bos_token=START, eos_token=START)
    tokenizer.save_pretrained(folder)
    return folder
