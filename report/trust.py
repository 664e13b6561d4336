"""How sure the counts of a figure are: what another text, another half of this text or another threshold would make of them."""

from dataclasses import dataclass

from report.claims import claim
from report.facts import Fact, Ledger

Row = dict[str, Fact]
# More heads near an edge than a reader will look through; the file has them all.
MOST_CROSSING = 12


@dataclass(frozen=True)
class Trust:
    """Sentences and tables on how sure a figure's counts are; empty where the run has no sample of text to tell from."""

    sentences: tuple[str, ...]
    overall: list[Row]
    trends: list[tuple[Row, str]]
    threshold: str | None
    crossing: list[Row]


NOTHING = Trust((), [], [], None, [])


def read(ledger: Ledger, run_id: str, figure: str) -> Trust:
    """Ask what is known of one figure of one run."""
    keys = {"run_id": run_id, "figure": figure}
    intervals = ledger.ask("band_intervals", **keys)
    sentences = (repeated(ledger, keys), sampled(ledger, keys)) if intervals else ()
    return Trust(
        sentences=tuple(text for text in sentences if text),
        overall=[row for row in intervals if row["place"].value == 0],
        trends=[(row, moved(ledger, keys, row)) for row in ledger.ask("band_trends", **keys) if row["adjusted_p"].value is not None],
        threshold=stepped(ledger, keys),
        crossing=ledger.ask("crossing_heads", **keys)[:MOST_CROSSING],
    )


def repeated(ledger: Ledger, keys: dict[str, str]) -> str | None:
    """What half of the text repeats of the other half."""
    row = ledger.one("reliability", **keys)
    if row["reliability"].value is None:
        return None
    found = claim(ledger, "reliability", f"{keys['run_id']}/{keys['figure']}", {}, reliability=row["reliability"])
    return (
        f"**{found.say()}.** Cut at random into two halves, the text gives every head two values. Over {row['heads']} heads they correlate "
        f"at {row['half_correlation']}, which makes the reliability of the whole text {row['reliability']}; from one half to the other, "
        f"{row['flip_pct']} % of heads change band."
    )


def sampled(ledger: Ledger, keys: dict[str, str]) -> str | None:
    """What the intervals rest on."""
    row = ledger.one("interval_check", **keys)
    if row["median_ratio"].value is None:
        return None
    effect = (
        f"Tokens of one text are alike: for the middle head, the variance of its value is {row['median_design_effect']} times what as many "
        f"independent tokens would give ({row['low_design_effect']} to {row['high_design_effect']} over nine heads in ten). "
        if row["median_design_effect"].value is not None
        else ""
    )
    return (
        f"{effect}The intervals allow for that. Drawing whole shards anew {row['draws']} times gives standard errors {row['median_ratio']} "
        f"times the computed ones ({row['low_ratio']} to {row['high_ratio']})."
    )


def moved(ledger: Ledger, keys: dict[str, str], row: Row) -> str:
    """What one band does over depth."""
    place = f"{keys['run_id']}/{keys['figure']}/{row['band_ordinal'].value}"
    return claim(
        ledger, "band_trend", place, {}, effect=row["effect"], p=row["adjusted_p"], shift=row["shift_p"], shifts=row["shifts"]
    ).say()


def stepped(ledger: Ledger, keys: dict[str, str]) -> str | None:
    """What one stored step of the threshold to either side changes; nothing where the figure has no threshold."""
    steps = {row["step"].value: row for row in ledger.ask("threshold_step", **keys)}
    if not {-1, 0, 1} <= steps.keys():
        return None
    below, own, above = (steps[step] for step in (-1, 0, 1))
    leaders = {"below": below["leader_label"], "own": own["leader_label"], "above": above["leader_label"]}
    found = claim(ledger, "threshold", f"{keys['run_id']}/{keys['figure']}", {}, **leaders)
    return (
        f"**{found.say()}.** At {own['threshold']}, {own['leader_label']} holds the most heads, {own['leader_heads']} of {own['heads']}. "
        f"One stored step lower, at {below['threshold']}, {below['leader_label']} does, with {below['leader_heads']}, and "
        f"{below['changed_heads']} heads lie in another band; one step higher, at {above['threshold']}, {above['leader_label']} does, "
        f"with {above['leader_heads']}, and {above['changed_heads']} heads have moved."
    )
