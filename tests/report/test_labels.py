"""The page of labels: its numbers are the file's, and a file without detectors has a page that says what is missing."""

import re
from pathlib import Path

import duckdb
import numpy as np
import pytest
from labelled_heads import HEADS, answer, published
from planting import write_counters

from report import claims, figures, labels, publish
from report.facts import Ledger
from report.pages import Pages, plain

BANNED = ("cause", "learn", "responsible", "capture", "decide", "focus", "useless", "inactive", "dispensable")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(tmp_path_factory.mktemp("labelled"))


def page_of(published: Path, folder: Path) -> tuple[str, Ledger]:
    """The page's Markdown, and the ledger of its facts and claims."""
    with duckdb.connect(str(published), read_only=True) as connection:
        ledger = Ledger(connection)
        labels.write(Pages(ledger, folder))
    return (folder / "labels.md").read_text(encoding="utf-8"), ledger


def test_the_page_says_how_many_heads_get_a_label_and_how_many_none(labelled: Path, tmp_path: Path) -> None:
    page, ledger = page_of(labelled, tmp_path)
    text = plain(page)
    for phrase in (
        "Half of the heads stay unclassified. A label goes to six of 12 heads (50.0 %), none to six (50.0 %).",
        "Some detectors find no head. Without a head: duplicate token on repeated tokens.",
        "Induction on repeated tokens shows in the text itself for some heads only. Where random tokens repeat, the count is three; in the "
        "text itself, two; in both, one.",
        "Fewer than half of the heads are sinks. Two of 12 (16.7 %)",
        "Of these, one has a label too",
        "Labelled heads are missing from part of the depth.",
        "Three heads pass more than one detector.",
        "by their excess alone, test apart, seven of the 12 heads lie above some label's margin, and eight above half of one.",
        "| induction on repeated tokens | what followed earlier copies of the token, where random tokens repeat | 3 | 25.0 | 3 | 1 |",
        "| L0H2 | induction on repeated tokens | 88.0 | 87 to 89 | induction on repeated tokens; induction | 2.0 |",
    ):
        assert phrase in text, phrase
    assert [word for word in BANNED if word in text.lower().split("query")[0]] == []
    generated = "".join(re.findall(r"<div[^>]* data-generated.*?</div>", page, re.DOTALL))
    assert re.findall(r"\d", re.sub(r"<a [^>]*><data [^>]*>.*?</data></a>|<span data-claim=[^>]*>", "", generated)) == []
    used = set(re.findall(r'data-claim="([^"]*)"', page))
    assert used == {f"toy/labels/{kind}" for kind in ("unclassified", "silence", "carry_over", "sinks", "label_spread")} == {*ledger.claims}


def test_labels_by_range_sum_to_the_heads_of_the_range(labelled: Path) -> None:
    rows = [row for row in answer(labelled, "label_heads_by_range") if not row["apart"]]
    for name in {row["range_label"] for row in rows}:
        cells = [row for row in rows if row["range_label"] == name]
        assert sum(row["heads"] for row in cells) == cells[0]["range_heads"] == HEADS


def test_of_a_label_with_many_heads_the_page_lists_the_strongest(labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ranked = [row["head_name"] for row in answer(labelled, "labelled_heads") if row["label"] == "induction on repeated tokens"]
    assert ranked == ["L0H2", "L1H1", "L2H1"]
    assert "shows its strongest only" not in page_of(labelled, tmp_path)[0]
    monkeypatch.setattr(labels, "MOST_LISTED", 2)
    page = plain(page_of(labelled, tmp_path)[0])
    assert [name for name in ranked if f"| {name} |" in page] == ranked[:2]
    assert "shows its strongest only" in page


def test_a_file_without_detectors_has_a_page_that_says_what_is_missing(tmp_path: Path) -> None:
    publish.publish(write_counters(tmp_path / "c.duckdb", np.full((4, 3), 50)), tmp_path / "h.duckdb", figures.load())
    page, ledger = page_of(tmp_path / "h.duckdb", tmp_path)
    assert "This file holds no run that can be labelled" in page
    assert (ledger.facts, re.findall(r"<data|\|", page)) == ({}, [])


@pytest.mark.parametrize(
    ("kind", "facts", "decision"),
    [
        ("unclassified", {"unclassified": 0, "heads": 10}, "none"),
        ("unclassified", {"unclassified": 4, "heads": 10}, "some"),
        ("unclassified", {"unclassified": 5, "heads": 10}, "half"),
        ("unclassified", {"unclassified": 6, "heads": 10}, "most"),
        ("unclassified", {"unclassified": 10, "heads": 10}, "all"),
        ("sinks", {"sinks": 0, "heads": 10}, "none"),
        ("sinks", {"sinks": 4, "heads": 10}, "minority"),
        ("sinks", {"sinks": 5, "heads": 10}, "half"),
        ("sinks", {"sinks": 6, "heads": 10}, "most"),
        ("silence", {"silent": 0, "detectors": 6}, "none"),
        ("silence", {"silent": 1, "detectors": 6}, "some"),
        ("silence", {"silent": 6, "detectors": 6}, "all"),
        ("label_spread", {"met": 0, "ranges": 4}, "nowhere"),
        ("label_spread", {"met": 1, "ranges": 4}, "single"),
        ("label_spread", {"met": 3, "ranges": 4}, "some"),
        ("label_spread", {"met": 4, "ranges": 4}, "everywhere"),
        ("label_spread", {"met": 1, "ranges": 1}, "one range"),
        ("carry_over", {"repeated": 0, "both": 0}, "no heads"),
        ("carry_over", {"repeated": 7, "both": 0}, "none"),
        ("carry_over", {"repeated": 7, "both": 6}, "some"),
        ("carry_over", {"repeated": 7, "both": 7}, "all"),
    ],
)
def test_the_pages_judging_words_change_at_their_edges(kind: str, facts: dict[str, int], decision: str) -> None:
    assert claims.RULES[kind](facts) == decision
