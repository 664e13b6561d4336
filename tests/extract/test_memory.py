"""How much memory a large model takes: the count itself, by hand and against a real process; the committed figures, and their page."""

import json
from pathlib import Path

import pytest
import torch

from extract import blocked
from extract.bench import memory, memory_check, memory_page
from extract.bench.live_bytes import LiveBytes
from extract.bench.memory import LLAMA_70B, SMALL, counted

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scale.md"


@pytest.fixture(scope="module")
def found() -> dict[str, object]:
    return json.loads((ROOT / memory.DATA).read_text(encoding="utf-8"))


def test_what_is_live_is_counted_once_and_no_longer_when_it_is_gone() -> None:
    before = torch.empty(1000, device="meta")
    with LiveBytes(rows=1) as bytes_:
        grown = before[:500] + 1
        assert (bytes_.live, bytes_.peak) == (2000, 2000)
        view = grown.view(50, 10).T
        assert bytes_.live == 2000
        wide = view.double()
        assert bytes_.live == 6000
        del wide
        assert (bytes_.live, bytes_.peak) == (2000, 6000)
        del grown
        # A view keeps what it looks at.
        assert bytes_.live == 2000
        bytes_.forget_peak()
        del view
        assert (bytes_.live, bytes_.peak) == (0, 2000)


def test_a_layers_factors_are_what_their_shapes_say() -> None:
    two = counted(LLAMA_70B, 1, 2**28, 2)
    factor, bias = 64 * 128 * 128 * 4, 64 * 128 * 4
    assert two["factorise keeps"] == 2 * (factor + bias)
    # The output projection in float64, and at least what is read of it.
    assert two["factorise"] >= 8192 * 8192 * 8
    assert two["circuit keeps"] == 8192 * 8192 * 4


def test_three_layers_stand_for_any_number_more_add_to_a_forward_their_examples_and_sums_alone() -> None:
    three, six = (counted(SMALL, 2, 2**27, layers) for layers in (3, 6))
    assert 2 * (three["forward keeps"] + three["forward sums"]) == six["forward keeps"] + six["forward sums"]
    assert six["forward"] - three["forward"] == six["forward keeps"] - three["forward keeps"] + six["forward sums"] - three["forward sums"]
    assert six["held_out"] - three["held_out"] == six["held_out sums"] - three["held_out sums"]


def test_blocks_on_the_meta_device_are_there_for_the_count_alone() -> None:
    counted(SMALL, 1, 2**27, 2)
    assert "meta" not in blocked.BLOCK_BYTES


@pytest.mark.slow
def test_the_committed_figures_are_what_the_code_takes(found: dict[str, object]) -> None:
    checked = found["checked"]
    assert json.loads(json.dumps(memory.count() | {"checked": checked})) == found
    said = {batch: memory_check.counted_small(batch) for batch in memory_check.BATCHES}
    assert [(row["batch"], row["step"], row["counted"]) for row in checked] == [
        (batch, step, said[batch][step]) for batch in said for step in memory.STEPS
    ]


def test_the_page_is_that_of_the_committed_figures(found: dict[str, object]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert memory_page.render(found) in page
    other = json.loads(json.dumps(found))
    other["parts"]["8"]["a forward over text"] += 10**6
    assert memory_page.render(other) not in page


def test_what_was_counted_of_a_forward_became_resident(found: dict[str, object]) -> None:
    for row in found["checked"]:
        if row["step"] != "factorise":
            assert 0.9 < row["resident"] / row["counted"] < 1.15, row


@pytest.mark.slow
def test_what_is_counted_becomes_resident_here_too() -> None:
    for row in memory_check.check():
        # QR has a copy of its input within one operation.
        most = 2 if row["step"] == "factorise" else 1.3
        assert 0.8 < row["resident"] / row["counted"] < most, row
