"""Facts and claims: two independent spellings agree, and rules decide at their edges as they say."""

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report import claims
from report.check import spelling
from report.facts import STYLES, inert, script_safe, style_of, text_of

COLUMNS = [ending for ending, _ in STYLES] + ["heads", "range_label", "shift_p", "widest_pct", "step_points", "threshold"]


@given(
    st.sampled_from(COLUMNS),
    st.one_of(st.none(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False, width=32), st.text()),
)
def test_the_renderer_and_the_check_spell_every_value_alike(column: str, value: object) -> None:
    assert text_of(value, style_of(column)) == spelling(column, value)


def test_shares_are_rounded_once_as_python_rounds_them() -> None:
    assert text_of(6.25, style_of("pct")) == "6.2"
    assert text_of(68.75, style_of("pct")) == "68.8"
    assert text_of(-0.166, style_of("effect")) == "−0.17"
    assert text_of(0.0171, style_of("p")) == "= .017"
    assert text_of(0.0004, style_of("p")) == "< .001"
    assert text_of(1200, style_of("heads")) == "1,200"


@given(st.text())
def test_inert_text_holds_no_character_that_markdown_or_html_reads(text: str) -> None:
    assert not set(inert(text)) & set("<>[]()*_`~\"'|\\{}!:/@\n\t")


def test_json_in_a_page_cannot_end_its_element() -> None:
    assert "<" not in script_safe({"</script>": "&<!--"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_safe(float("nan"))


@pytest.mark.parametrize(
    ("effect", "p", "heads", "decision"),
    [
        (-0.3, 0.01, 270, "fall"),
        (0.3, 0.049, 270, "rise"),
        (0.3, 0.05, 270, "hint of rise"),
        (-0.3, 0.19, 270, "hint of fall"),
        (-0.3, 0.2, 270, "none"),
        (0.05, 0.001, 270, "none"),
        (0.9, 0.001, 19, "few"),
        (0.0, None, 270, "none"),
    ],
)
def test_a_trend_needs_heads_effect_and_evidence(effect: float, p: float | None, heads: int, decision: str) -> None:
    assert claims.RULES["trend"]({"effect": effect, "p": p, "heads": heads}) == decision


@pytest.mark.parametrize(
    ("shift", "decision"), [(0.03, "fall"), (0.049, "fall"), (0.05, "hint of fall"), (0.5, "hint of fall"), (None, "fall")]
)
def test_a_trend_that_the_shifts_do_not_support_is_a_hint(shift: float | None, decision: str) -> None:
    assert claims.RULES["trend"]({"effect": -0.3, "p": 0.01, "heads": 270, "shift": shift}) == decision


def test_where_so_few_layers_allow_no_smaller_p_the_most_extreme_of_all_shifts_is_support_enough() -> None:
    trend = {"effect": -0.3, "p": 0.01, "heads": 270, "shifts": 12}
    assert claims.RULES["trend"](trend | {"shift": 1 / 12}) == "fall"
    assert claims.RULES["trend"](trend | {"shift": 2 / 12}) == "hint of fall"


def test_half_of_the_heads_is_no_majority() -> None:
    assert claims.RULES["majority"]({"base": 5, "far": 1, "all": 10}) == "none"
    assert claims.RULES["majority"]({"base": 6, "far": 1, "all": 10}) == "base"
    assert claims.RULES["majority"]({"base": 1, "far": 6, "all": 10}) == "far"


NUMBERS = st.one_of(st.none(), st.integers(0, 300), st.floats(-1, 1), st.floats(0, 100), st.sampled_from([0, 1, 0.05, 0.2]))


@pytest.mark.parametrize("kind", sorted(claims.RULES))
@given(st.data())
def test_whatever_the_facts_a_rule_decides_for_something_that_has_words(kind: str, data: st.DataObject) -> None:
    names = sorted(set(re.findall(r'values, "(\w+)"', inspect.getsource(claims.RULES[kind]))))
    assert claims.RULES[kind]({name: data.draw(NUMBERS, label=name) for name in names}) in claims.PHRASES[kind]


def test_every_decision_has_words_of_its_own() -> None:
    assert claims.RULES.keys() == claims.PHRASES.keys()
    for kind, phrases in claims.PHRASES.items():
        assert all(wording.strip() for wordings in phrases.values() for wording in wordings), kind


BANNED = ("cause", "learn", "responsible", "capture", "decide", "focus", "useless", "because of", "in order to", "tries to", "wants")


def test_no_phrase_speaks_of_causes_or_functions() -> None:
    spoken = " ".join(phrase for phrases in claims.PHRASES.values() for wordings in phrases.values() for phrase in wordings).lower()
    assert [word for word in BANNED if word in spoken] == []
