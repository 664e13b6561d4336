"""Figure files: what is read, and the one line a mistake gets."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from planting import ROOT

from report import figures, theme
from report.errors import UsageRefusal

ACTIVATION = (ROOT / "report" / "figures" / "activation.toml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("edges = [0, 20, 40, 60, 80, 100]", "edges = [0, 20, 40, 30, 80, 100]", "do not ascend: 40, 30"),
        ("edges = [0, 20, 40, 60, 80, 100]", "edges = [0, 20, 20, 60, 80, 100]", "do not ascend: 20, 20"),
        ("edges = [0, 20, 40, 60, 80, 100]", "edges = [0, 20, 40, 60, 100]", "4 bands but 5 colours"),
        ("edges = [0, 20, 40, 60, 80, 100]", 'edges = "all"', "must be a list"),
        ("threshold = 0.5", "threshold = -1", "give a positive number"),
        ("threshold = 0.5", "threshold = nan", "give a positive number"),
        ("threshold = 0.5", "threshold = inf", "give a positive number"),
        ("ordinal = 1", "ranges = 0\nordinal = 1", "from 1 to 12"),
        ("ordinal = 1", "range_edges = [0, 12, 6]\nordinal = 1", "do not ascend: 12, 6"),
        ("ordinal = 1", "range_edges = [0, 1.5]\nordinal = 1", "whole layers"),
        ("ordinal = 1", "treshold = 1\nordinal = 1", "unknown key treshold"),
        ("ordinal = 1", "ordinal = = 1", "not a TOML file"),
        ("ordinal = 1", 'ordinal = "one"', "give a whole number"),
        ("threshold = 0.5", 'threshold = 0.5\nthreshold_half_mean_of = "residual_share"', "exclude each other"),
        ('low = "quietest"', "", "missing words.low"),
        ('measure = "activation_pct"', "", "missing measure"),
    ],
)
def test_a_mistake_in_a_figure_file_names_the_place_and_the_remedy(folder: Path, before: str, after: str, message: str) -> None:
    assert before in ACTIVATION
    (folder / "mine.toml").write_text(ACTIVATION.replace(before, after))
    with pytest.raises(UsageRefusal, match=message) as refusal:
        figures.load(folder)
    assert refusal.value.exit_code == 2
    assert "mine.toml" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_range_edges_must_cover_the_model() -> None:
    figure = figures.load()[0]
    with pytest.raises(UsageRefusal, match="end at 30"):
        replace(figure, range_edges=(0, 12, 24)).edges_of_ranges(30)


def test_two_figures_cannot_share_a_place(folder: Path) -> None:
    for name in ("one", "two"):
        (folder / f"{name}.toml").write_text(ACTIVATION)
    with pytest.raises(UsageRefusal, match="share ordinal 1"):
        figures.load(folder)


def test_neighbouring_bands_differ_in_lightness_in_both_palettes() -> None:
    for names in (figures.COLOURS, ("red", "orange", "yellow", "green")):
        for safe in (False, True):
            steps = [
                abs(theme.lightness(theme.fill(one, safe)) - theme.lightness(theme.fill(other, safe))) for one, other in pairwise(names)
            ]
            assert min(steps) >= 12


def test_text_on_every_fill_has_the_contrast_that_small_text_needs() -> None:
    for palette in (theme.PALETTE, theme.SAFE_PALETTE):
        for colour in palette.values():
            lights = sorted((theme.luminance(colour), theme.luminance(theme.ink_on(colour))))
            assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5


def test_every_figure_has_its_measure_and_its_words() -> None:
    shown = figures.load()
    assert [figure.id for figure in shown][:2] == ["activation", "residual_activation"]
    for figure in shown:
        assert not any(letter.isdigit() for text in figure.words.values() for letter in text), figure.id


def test_lines_and_points_stand_out_from_a_light_and_from_a_dark_page() -> None:
    for colour in (*theme.LINES.values(), *theme.DEPTH, *theme.SAFE_DEPTH, theme.MIDDLE):
        assert min(theme.contrast(colour, ground) for ground in theme.GROUND.values()) >= 3, colour


def test_text_in_charts_is_read_on_its_page() -> None:
    for scheme, ground in theme.GROUND.items():
        assert min(theme.contrast(ink, ground) for ink in (theme.INK[scheme], theme.QUIET[scheme])) >= 4.5
