"""The published definitions against an eager account, and the comparisons on tables small enough to do by hand."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor
from transformers import PreTrainedModel

from extract.__main__ import main
from extract.acceptance import check, comparisons, definitions, published
from extract.errors import UsageRefusal

ROOT = Path(__file__).parents[2]


def uniform(window: int) -> Tensor:
    """A head that attends evenly to everything it sees."""
    return torch.ones(1, 1, window, window).tril().div(torch.arange(1, window + 1)[:, None])


def eager_patterns(model: PreTrainedModel, tokens: Tensor) -> np.ndarray:
    """[window, layer, head, query, key], from the model's own eager attention in float64."""
    model = model.double()
    model.set_attn_implementation("eager")
    with torch.no_grad():
        attentions = model(input_ids=tokens, output_attentions=True).attentions
    model.set_attn_implementation("sdpa")
    return torch.stack(list(attentions), 1).numpy()


def test_query_0_is_counted_by_the_share_of_the_first_key() -> None:
    assert definitions.first_key_share(uniform(4)).item() == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_an_even_head_gives_each_key_but_the_first_its_part() -> None:
    # Without key 0, query i sees i keys evenly; previous-token scores begin with query 2, whose previous key is 1.
    expected = np.mean([1 / i for i in range(2, 6)])
    assert definitions.previous_token(uniform(6)).item() == pytest.approx(expected, rel=1e-4)
    assert definitions.induction(uniform(6), 3).item() == pytest.approx(np.mean([1 / 3, 1 / 4, 1 / 5]), rel=1e-4)
    assert definitions.duplicate_token(uniform(6), 3).item() == pytest.approx(np.mean([1 / 4, 1 / 5]), rel=1e-4)


def test_a_head_that_looks_at_the_token_after_the_first_copy_has_an_induction_score_of_one_and_no_other() -> None:
    segment = 4
    pattern = torch.zeros(1, 1, 2 * segment, 2 * segment)
    for query in range(2 * segment):
        pattern[0, 0, query, query - segment + 1 if query >= segment else 0] = 1
    assert definitions.induction(pattern, segment).item() == pytest.approx(1, abs=1e-4)
    assert definitions.previous_token(pattern).item() == 0
    assert definitions.duplicate_token(pattern, segment).item() == 0


def test_the_first_key_is_left_out_and_the_rest_renormalised() -> None:
    pattern = torch.zeros(1, 1, 4, 4)
    pattern[0, 0, :, 0] = 1.0
    pattern[0, 0, 2] = torch.tensor([0.9, 0.08, 0.02, 0])
    pattern[0, 0, 3] = torch.tensor([0.9, 0.0, 0.025, 0.075])
    assert definitions.previous_token(pattern).item() == pytest.approx((0.8 + 0.25) / 2, rel=1e-3)


def test_every_formula_through_the_engine_is_that_of_an_eager_account(toy: PreTrainedModel) -> None:
    segment = 9
    tokens = torch.randint(0, 101, (5, segment), generator=torch.Generator().manual_seed(0)).repeat(1, 2)
    formulas: dict[str, Callable[[Tensor], Tensor]] = {
        "first": definitions.first_key_share,
        "previous": definitions.previous_token,
        "induction": lambda pattern: definitions.induction(pattern, segment),
        "duplicate": lambda pattern: definitions.duplicate_token(pattern, segment),
    }
    ours = definitions.per_head(toy.double(), tokens, formulas, batch=2)
    whole = eager_patterns(toy, tokens)
    kept = np.zeros_like(whole)
    kept[..., 1:, 1:] = whole[..., 1:, 1:] / (whole[..., 1:, 1:] + 1e-6).sum(-1, keepdims=True)
    theirs = {
        "first": whole[..., 0].mean(-1),
        "previous": np.mean([kept[..., i, i - 1] for i in range(2, 18)], 0),
        "induction": np.mean([kept[..., i, i - 8] for i in range(9, 18)], 0),
        "duplicate": np.mean([kept[..., i, i - 9] for i in range(10, 18)], 0),
    }
    for name, expected in theirs.items():
        np.testing.assert_allclose(ours[name].numpy(), expected, rtol=1e-6, atol=1e-9, err_msg=name)


def test_a_pattern_is_whole_when_it_takes_several_blocks(toy: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from extract import blocked

    tokens = torch.randint(0, 101, (2, 50), generator=torch.Generator().manual_seed(1))
    formulas = {"all": lambda pattern: pattern.flatten(2).cumsum(-1).mean(-1)}
    at_once = definitions.per_head(toy.double(), tokens, formulas, batch=2)["all"]
    monkeypatch.setattr(blocked, "BLOCK_BYTES", {"cpu": 1})
    torch.testing.assert_close(definitions.per_head(toy, tokens, formulas, batch=1)["all"], at_once, rtol=1e-12, atol=0)


def test_a_sink_is_a_window_whose_mean_exceeds_the_threshold(toy: PreTrainedModel) -> None:
    tokens = torch.randint(0, 101, (7, 20), generator=torch.Generator().manual_seed(2))
    shares = eager_patterns(toy, tokens)[..., 0].mean(-1)
    np.testing.assert_array_equal(check.sinks(toy, tokens), 100 * (shares > 0.3).mean(0))
    assert 0 < check.sinks(toy, tokens).mean() < 100


def test_segments_are_drawn_as_the_released_code_draws_them_and_stand_twice() -> None:
    windows = check.repeated_segments(50257)
    assert windows.shape == (50, 50)
    assert torch.equal(windows[:, :25], windows[:, 25:])
    np.random.seed(2024)
    assert windows[0, :25].tolist() == np.random.randint(low=0, high=50257, size=1250)[:25].tolist()


def test_numbers_agree_within_their_tolerance_and_never_when_one_is_none() -> None:
    assert comparisons.within("x", 1.03, 1.0, 0.031, "m", "s").verdict == "agrees"
    assert comparisons.within("x", 1.04, 1.0, 0.031, "m", "s").verdict == "differs"
    for made in (comparisons.within, comparisons.at_least, comparisons.below):
        arguments = ("x", float("nan"), 1.0, 1.0)[: 4 if made is comparisons.within else 3]
        assert made(*arguments, model="m", source="s").verdict == "differs"
    assert comparisons.below("x", 0.0, 0.0, "m", "s").verdict == "differs"
    assert comparisons.at_least("x", 2.0, 2.0, "m", "s").verdict == "agrees"


def test_the_highest_heads_and_their_places() -> None:
    table = np.array([[0.1, 0.9], [0.5, 0.9], [0.2, 0.3]])
    assert comparisons.highest(table, 3) == [(0, 1), (1, 1), (1, 0)]
    lines = comparisons.heads_among("x", table, [(1, 0), (2, 1)], 3, "m", "s")
    assert [(line.ours, line.verdict) for line in lines] == [(3.0, "agrees"), (4.0, "differs")]
    assert comparisons.top_shared(table, table, 3) == 3
    assert comparisons.top_shared(table, -table, 3) == 0


def test_the_rank_correlation_is_spearmans_with_equals_too() -> None:
    random = np.random.default_rng(0)
    first = random.integers(0, 5, (6, 4)).astype(float)
    second = first + random.normal(size=(6, 4))
    assert comparisons.rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel()).statistic)
    assert np.isnan(comparisons.rank_correlation(first, np.zeros((6, 4))))


def test_counts_fall_into_ranges_of_the_depth() -> None:
    table = np.zeros((48, 25))
    table[[0, 11, 12, 24, 47], 0] = 0.6
    assert comparisons.counts_per_range(table, 0.5, 4) == [2, 1, 1, 1]
    assert comparisons.counts_per_range(table, 0.6, 4) == [0, 0, 0, 0]
    lines = comparisons.counts_within(table, {0.5: (0, 1, 4, 1)}, 2.0, "m", "s")
    assert [line.verdict for line in lines] == ["agrees", "agrees", "differs", "agrees"]


def write_reference(path: Path, table: np.ndarray) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["layer", "head", "value"])
        writer.writerows([layer, head, repr(float(value))] for (layer, head), value in np.ndenumerate(table))
    return path


def test_a_reference_table_is_read_whole_or_refused(tmp_path: Path) -> None:
    table = np.arange(6.0).reshape(3, 2)
    path = write_reference(tmp_path / "table.csv", table)
    np.testing.assert_array_equal(check.read_reference(path), table)
    lines = path.read_text().splitlines()
    for broken in (lines[:-1], [*lines, lines[-1]], ["a,b,c", *lines[1:]], [*lines[:-1], "2,1,nan"], lines[:1]):
        path.write_text("\n".join(broken))
        with pytest.raises(UsageRefusal, match=r"table\.csv is no table of every layer, head and value"):
            check.read_reference(path)


@pytest.mark.parametrize("models", ["small", pytest.param("both", marks=pytest.mark.slow)])
def test_random_weights_of_the_right_shape_differ_from_what_was_published(
    models: str, make_checkpoint: Callable[..., Path], write_text: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = make_checkpoint(name="small", n_layer=12, n_head=12, n_embd=24)
    text, out = write_text(*[70] * 110), tmp_path / "acceptance.json"
    arguments = ["acceptance", "--device", "cpu", "--small", str(small), "--corpus", str(text), "--out", str(out)]
    if models == "small":
        arguments += ["--only", "small"]
    else:
        arguments += ["--xl", str(make_checkpoint(name="xl", n_layer=48, n_head=25, n_embd=50))]
    assert main(arguments) == 6
    printed = capsys.readouterr()
    assert "differ (acceptance)" in printed.err
    found = json.loads(out.read_text())
    verdicts = [line["verdict"] for line in found["comparisons"]]
    assert printed.out.count("| differs |") == verdicts.count("differs") > 9
    heads = {published.SMALL: 144} | ({published.XL: 1200} if models == "both" else {})
    assert {name: sum(row["model"] == name for row in found["scores"]) for name in heads} == heads
    assert verdicts.count("not compared") == (2 if models == "both" else 0)


def test_without_the_weights_it_says_what_to_download(tmp_path: Path) -> None:
    # Whatever lies in the hub cache of this machine.
    empty = os.environ | {"HF_HUB_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "extract", "acceptance"], capture_output=True, text=True, check=False, cwd=ROOT, env=empty)
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1
    assert "gpt2-xl are not in the hub cache" in done.stderr
    assert "hf download openai-community/gpt2-xl --revision 15ea56dee5df4983c59b2538573817e1667135e2" in done.stderr


def made_scores(induction: np.ndarray) -> dict[str, np.ndarray]:
    """What a measurement of GPT-2 xl gives, every score but induction 0."""
    return {name: np.zeros((48, 25)) for name in ("previous", *published.SINKS.theirs)} | {"induction": induction}


def test_the_published_table_agrees_with_itself_and_not_with_its_mirror() -> None:
    scores = np.random.default_rng(0).random((48, 25))
    lines = check._xl(made_scores(scores), scores)[-2:]
    assert [(line.ours, line.verdict) for line in lines] == [(12, "agrees"), (pytest.approx(1), "agrees")]
    mirrored = check._xl(made_scores(scores), scores[:, ::-1].copy())[-2:]
    assert [line.verdict for line in mirrored] == ["differs", "differs"]


def test_a_table_of_another_model_is_refused() -> None:
    with pytest.raises(UsageRefusal, match="the table has"):
        check._xl(made_scores(np.zeros((48, 25))), np.zeros((3, 2)))
