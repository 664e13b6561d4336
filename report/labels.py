"""The page of labels: which heads exceed chance on what a detector looks for, run by run, and how many stay unclassified."""

from itertools import groupby

from report.claims import Claim, claim
from report.facts import Fact, Ledger
from report.pages import Pages
from report.wording import listed

Row = dict[str, Fact]
# Heads of a label that the page lists.
MOST_LISTED = 5


def write(pages: Pages) -> None:
    """Write the page; where no run has been measured on two shards by a detector, one that says what is missing."""
    runs = pages.ledger.connection.execute("select distinct run_id from head_label order by run_id").fetchall()
    pages.write("labels.md", "labels.md.j2", runs=[run(pages.ledger, run_id) for (run_id,) in runs])


def run(ledger: Ledger, run_id: str) -> dict[str, object]:
    """What the page says of one run."""
    coverage = ledger.one("label_coverage", run_id=run_id)
    both = ledger.one("induction_on_both", run_id=run_id)
    detectors = ledger.ask("detectors", run_id=run_id)
    labels = ledger.ask("labels", run_id=run_id)
    heads = ledger.ask("labelled_heads", run_id=run_id)
    top = [row for row in heads if row["rank"].value in range(1, MOST_LISTED + 1)]
    giving = [row for row in detectors if not row["apart"].value]
    silent = [f"*{row['label']}*" for row in labels if row["passing_heads"].value == 0]
    extremes = [coverage[name].value for name in ("richest_ranges", "poorest_ranges")]
    return {
        "lead": lead_of(ledger, run_id),
        "coverage": coverage,
        "quarantined": ledger.ask("quarantined", run_id=run_id),
        "both": both,
        "claims": claims(ledger, run_id, coverage, both),
        "labels": labels,
        # Where none finds a head, the claim has said it.
        "silent": listed(silent) if 0 < len(silent) < len(giving) else "",
        "has_extremes": extremes == [1, 1] and coverage["ranges"].value != 1,
        "one_labelled_sink": coverage["labelled_sink_heads"].value == 1,
        "one_several": coverage["several_heads"].value == 1,
        "by_range": by_label(ledger.ask("label_heads_by_range", run_id=run_id)),
        "top": top,
        "cut": len(top) < len(heads),
        "detectors": giving,
        "apart": [row for row in detectors if row["apart"].value],
        "has_planted": all(row["own_points"].value is not None for row in detectors),
    }


def lead_of(ledger: Ledger, run_id: str) -> str:
    """How many heads get a label: the page's first sentences, and the home page's."""
    coverage = ledger.one("label_coverage", run_id=run_id)
    facts = {"unclassified": coverage["unclassified_heads"], "heads": coverage["heads"]}
    found = claim(ledger, "unclassified", f"{run_id}/labels", {}, **facts)
    return (
        f"**{found.say()}.** A label goes to {coverage['labelled_heads'].word} of {coverage['heads']} heads "
        f"({coverage['labelled_pct']} %), none to {coverage['unclassified_heads'].word} ({coverage['unclassified_pct']} %)."
    )


def claims(ledger: Ledger, run_id: str, coverage: Row, both: Row) -> dict[str, Claim]:
    """The judging phrases of one run, by kind; none of what the run does not measure."""
    facts = {
        "unclassified": {"unclassified": coverage["unclassified_heads"], "heads": coverage["heads"]},
        "silence": {"silent": coverage["silent_detectors"], "detectors": coverage["detectors"]},
        "label_spread": {"met": coverage["ranges_with_labels"], "ranges": coverage["ranges"]},
    }
    if coverage["sink_heads"].value is not None:
        facts["sinks"] = {"sinks": coverage["sink_heads"], "heads": coverage["heads"]}
    if both["heads"].value:
        facts["carry_over"] = {"repeated": both["repeated_heads"], "both": both["both_heads"]}
    return {kind: claim(ledger, kind, f"{run_id}/labels", {}, **known) for kind, known in facts.items()}


def by_label(rows: list[Row]) -> list[list[Row]]:
    """The cells of each label that any head gets, the ranges in their order; rows come label by label."""
    grouped = [list(cells) for _, cells in groupby(rows, key=lambda row: row["label"].value)]
    return [cells for cells in grouped if any(row["heads"].value for row in cells)]
