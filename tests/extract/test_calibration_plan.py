"""The list of interventions: its rules, the heads of a band, and what stands beside them; which calibration a command goes on with."""

import pytest

from extract.calibration import settings
from extract.calibration.calibrations import Known, goes_on
from extract.calibration.plan import Counted, Intervention, interventions
from extract.calibration.settings import Settings, choose
from extract.calibration.single_heads import stratified
from extract.config import RunConfig
from extract.errors import DatabaseRefusal, UsageRefusal
from extract.sums import HISTOGRAM_EDGES

# Six layers of four heads: in each layer one at 5 %, one at 30 %, and two that are always active.
ACTIVATION = {(layer, head): (5.0, 30.0, 100.0, 100.0)[head] for layer in range(6) for head in range(4)}
RUN = Counted(ACTIVATION, 0.06)
CONFIG = RunConfig("Toy", "m", "c", window=512)


def planned(quick: bool) -> tuple[Intervention, ...]:
    return interventions(choose(CONFIG, quick=quick, windows=None, tokens=None), RUN)


def test_the_quick_list() -> None:
    names = [each.intervention for each in planned(True)]
    own = "relative_norm-0.5"
    assert names[:9] == [
        "relative_norm-0.3333",
        "random_matched-relative_norm-0.3333-0",
        own,
        f"{own}-mean",
        f"random-{own}-0",
        f"random_matched-{own}-0",
        f"shrink-{own}",
        "relative_norm-0.75",
        "random_matched-relative_norm-0.75-0",
    ]
    rivals = ("raw_norm", "residual_share", "deviation", "sink_mass", "gradient_output")
    assert names[9:14] == [f"{rule}-as-{own}" for rule in rivals]
    # Half a layer is rounded up: 6 layers in four ranges begin at 0, 2, 3 and 5.
    bands = [f"band-0-20-layers-{first}-{end}" for first, end in ((0, 2), (2, 3), (3, 5), (5, 6))]
    assert names[14:] == [name for band in bands for name in (band, f"random-{band}-0")]


def test_the_full_list_has_every_stored_edge_every_band_and_two_draws() -> None:
    plan = planned(False)
    own = [each.threshold for each in plan if each.rule == "relative_norm" and each.treatment == "zero"]
    assert own == [edge for edge in HISTOGRAM_EDGES if 0.25 <= edge <= 1]
    assert len(own) == 19
    assert [each.intervention for each in plan if each.treatment == "mean"] == ["relative_norm-0.5-mean"]
    assert len([each for each in plan if each.rule == "random" and each.copied == "relative_norm"]) == 2 * 19
    # Of the twin, the stored edge nearest to half the mean share, .03, and an octave to both sides.
    shares = [each.threshold for each in plan if each.rule == "residual_share" and each.reference is None]
    middle = 2**-5
    assert (shares[0], shares[-1]) == (middle / 2, middle * 2)
    assert {each.threshold for each in plan if each.copied == "residual_share"} == {2 ** (-40 / 8)}
    bands = [each for each in plan if each.rule == "band" and each.first_layer == 0]
    assert [(each.band_low, each.band_high, each.heads) for each in bands] == [(0, 20, 2), (20, 40, 2), (80, 100, 4)]


@pytest.mark.parametrize("quick", [True, False])
def test_every_intervention_has_its_own_name_and_follows_what_it_copies(quick: bool) -> None:
    plan = planned(quick)
    names = [each.intervention for each in plan]
    assert len(set(names)) == len(names)
    for place, each in enumerate(plan):
        assert each.reference is None or each.reference in names[:place]
        assert (each.seed is None) == (each.draw is None) == (each.rule not in ("random", "random_matched", "band_random"))
        assert "members" not in each.row() and "copied" not in each.row()


def test_random_heads_are_others_of_the_same_layers_where_there_are_enough() -> None:
    by_name = {each.intervention: each for each in planned(False)}
    for each in by_name.values():
        if each.rule != "band_random":
            continue
        band = by_name[str(each.reference)]
        assert sorted(layer for layer, _ in each.members) == sorted(layer for layer, _ in band.members)
        assert len(set(each.members)) == each.heads == len(band.members)
        assert not set(each.members) & set(band.members)
    # Three of four heads in the band: the one other head is not enough, so all four are drawn from.
    crowded = Counted({(0, head): 5.0 if head < 3 else 90.0 for head in range(4)}, 0.06)
    drawn = next(each for each in interventions(Settings(True, 1, 8, 0), crowded) if each.rule == "band_random")
    assert len(set(drawn.members)) == 3


def test_a_band_is_closed_below_and_open_above_but_the_last() -> None:
    edges = Counted({(0, 0): 20.0, (0, 1): 100.0, (0, 2): 0.0}, 0.06)
    bands = [each for each in interventions(Settings(False, 1, 8, 0), edges) if each.rule == "band"]
    assert [(each.band_low, each.members) for each in bands] == [(0, ((0, 2),)), (20, ((0, 0),)), (80, ((0, 1),))]


def test_heads_to_be_ablated_are_spread_over_depth_and_over_attribution() -> None:
    attributed = {(layer, head): (-1) ** head * float(10 * layer + head) for layer in range(6) for head in range(4)}
    # Of each third, two layers of four heads, three heads at even ranks of the magnitude: ranks 0, 4 and 7 of eight.
    assert stratified(attributed, 6, 9) == ((0, 0), (1, 0), (1, 3), (2, 0), (3, 0), (3, 3), (4, 0), (5, 0), (5, 3))
    assert stratified({(0, 0): 1.0}, 1, 30) == ((0, 0),)


def test_numbers_out_of_bounds_are_refused() -> None:
    for wrong in ({"windows": 0, "tokens": None}, {"windows": None, "tokens": 3}, {"windows": None, "tokens": 513}):
        with pytest.raises(UsageRefusal):
            choose(CONFIG, quick=False, **wrong)
    assert choose(CONFIG, quick=False, windows=3, tokens=None).tokens == 512
    assert choose(CONFIG, quick=True, windows=None, tokens=None).tokens == settings.QUICK_TOKENS


def known(number: int, asked: Settings, done: int) -> Known:
    import json

    return Known(number, asked.quick, asked.windows, json.loads(asked.to_json()), "cpu", frozenset(range(done)), {})


def test_the_same_settings_go_on_and_others_are_refused_unless_asked_for_again() -> None:
    quick, full, other = Settings(True, 4, 8, 0), Settings(False, 4, 8, 0), Settings(False, 5, 8, 0)

    def decide(there: list[Known], asked: Settings, again: bool = False, chosen: bool = False) -> int:
        found = goes_on(there, asked, "counters.duckdb", again=again, chosen=chosen)
        return found if isinstance(found, int) else 100 + found.number

    assert decide([], quick) == 0
    assert decide([known(0, quick, 4)], full) == 1
    assert decide([known(0, quick, 4), known(1, full, 2)], full) == 101
    assert decide([known(0, full, 4)], quick) == 100
    assert decide([known(0, full, 3)], quick) == 1
    assert decide([known(0, full, 4)], other, again=True) == 1
    with pytest.raises(DatabaseRefusal, match=r"calibrated with other windows \(4, now 5\).*--again"):
        decide([known(0, full, 4)], other)
    assert decide([known(0, full, 4)], Settings(True, 2, 8, 0), chosen=True) == 1
