"""Every family against its model's own eager attention in float64; docs/families.md is written from what these tests show.

`HEADCOUNT_WRITE_FAMILIES=1 python -m pytest -n 0 tests/extract/test_family_proofs.py` writes the page again."""

import os
from pathlib import Path

import pytest
from family_page import page
from family_proofs import prove
from family_toys import TOYS, Toy

EVERY = pytest.mark.parametrize("toy", TOYS.values(), ids=TOYS)
PAGE = Path(__file__).parents[2] / "docs" / "families.md"


@EVERY
def test_the_whole_pattern_is_the_models_own(toy: Toy) -> None:
    proof = prove(toy.name)
    assert proof.pattern < 1e-12
    # Eager attention rounds its softmax, and some families their scores, to float32.
    assert proof.eager < 1e-5 and proof.mixed < 1e-5


@EVERY
def test_values_and_what_each_head_writes_are_those_of_the_models_own_projections(toy: Toy) -> None:
    proof = prove(toy.name)
    assert proof.values < 1e-12 and proof.written < 1e-12


@EVERY
def test_the_heads_add_up_to_what_the_layer_writes(toy: Toy) -> None:
    proof = prove(toy.name)
    assert proof.total < 1e-12
    # A norm by the root mean square works in float32 whatever it is given.
    assert proof.joined < 1e-5


@EVERY
def test_the_measured_forward_ends_where_the_models_own_does(toy: Toy) -> None:
    assert prove(toy.name).stream < 1e-5


def test_the_page_of_families_says_what_these_tests_show() -> None:
    shown = page()
    if os.environ.get("HEADCOUNT_WRITE_FAMILIES"):
        PAGE.write_text(shown, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == shown, (
        "run: HEADCOUNT_WRITE_FAMILIES=1 python -m pytest -n 0 tests/extract/test_family_proofs.py"
    )
