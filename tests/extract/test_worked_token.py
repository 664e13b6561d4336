"""The worked token: a whole word in the second half of a window, and what each head of the middle layer writes there."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from extract import families
from extract.attention import visit_layers
from extract.worked_token import WorkedRow, work_token

WORDS = ["<s>", " the", " cat", " of", " 1984", " don't", " harbour", ",", " élan"]


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}))
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=inner, clean_up_tokenization_spaces=False)


def window(*words: str, length: int = 40) -> Tensor:
    """A start token, then " the" up to the middle, then these words, then " of"."""
    ids = [0] + [1] * (length // 2 - 1) + [WORDS.index(word) for word in words]
    return torch.tensor(ids + [3] * (length - len(ids)))


def test_the_first_word_of_four_letters_in_the_second_half_is_worked(toy: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    tokens = window(" cat", ",", " 1984", " don't", " élan", " harbour")
    rows = work_token(toy, tokenizer, tokens, 7)
    assert {(row.layer, row.window, row.position, row.token) for row in rows} == {(1, 7, 24, " élan")}
    assert [row.head for row in rows] == list(range(toy.config.num_attention_heads))
    assert rows[0].text_before == " the" * 8 + " cat, 1984 don't"
    assert rows[0].text_after == " harbour" + " of" * 11


def test_a_word_before_the_middle_is_not_worked(toy: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    tokens = window()
    tokens[19] = WORDS.index(" harbour")
    assert {row.position for row in work_token(toy, tokenizer, tokens, 0)} == {20}
    tokens[20] = WORDS.index(" harbour")
    assert {row.token for row in work_token(toy, tokenizer, tokens, 0)} == {" harbour"}


def test_without_a_whole_word_the_middle_of_the_window_is_worked(toy: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    assert {(row.position, row.token) for row in work_token(toy, tokenizer, window(length=21), 0)} == {(10, " of")}


def test_the_start_token_is_no_part_of_the_text(toy: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    assert work_token(toy, tokenizer, window(" harbour", length=10), 0)[0].text_before == " the" * 4


def test_norms_are_those_of_the_measure_at_that_position(toy: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    tokens, layers = window(" harbour"), []
    rows = work_token(toy, tokenizer, tokens, 0)
    visit_layers(toy, tokens[None], lambda heads: layers.append(heads.output_norm))
    # Queries are scored from 1 on, so position 20 is entry 19.
    assert [row.output_norm for row in rows] == layers[1][0, :, 19].tolist()
    assert rows[0].layer_mean_norm == pytest.approx(layers[1].double().mean().item(), rel=1e-12)
    assert all(isinstance(row, WorkedRow) for row in rows)


def test_no_layer_beyond_the_middle_is_run(toy: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    blocks = families.find(toy.config).blocks(toy)
    calls: list[torch.nn.Module] = []
    blocks[2].register_forward_pre_hook(lambda *_: calls.append(_[0]))
    work_token(toy, tokenizer, window(" harbour"), 0)
    assert not calls
