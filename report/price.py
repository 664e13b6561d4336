"""The page of the price of the threshold: what the model loses when the pairs that a figure calls quiet are silenced."""

from dataclasses import dataclass

from report import price_chart
from report.claims import Claim, claim
from report.facts import Fact, Ledger
from report.pages import Chart, Pages, plain, slug

Row = dict[str, Fact]


@dataclass(frozen=True)
class Priced:
    """One calibrated run: its facts, its claims in words, its chart."""

    title: Fact
    summary: Row
    lead: str
    observations: list[str]
    chart: str
    curve: list[Row]
    rivals: list[Row]
    sets: list[Row]
    checks: list[str]
    counts: Row
    heads: list[Row]


def write(pages: Pages) -> None:
    """Write the page; where no run was calibrated, one that says how it is done."""
    runs = pages.ledger.connection.execute("select run_id from calibrations order by run_id").fetchall()
    pages.write("price.md", "price.md.j2", runs=[priced(pages, run_id) for (run_id,) in runs])


def priced(pages: Pages, run_id: str) -> Priced:
    """What one calibration says."""
    ledger = pages.ledger
    summary, rivals, curve = (
        ledger.one("price_summary", run_id=run_id),
        ledger.ask("price_rivals", run_id=run_id),
        ledger.ask("price_curve", run_id=run_id),
    )
    title = ledger.one("run_summary", run_id=run_id)["title"]
    lead = lead_of(ledger, run_id, summary)
    address = f"price/{slug(run_id)}"
    drawn = Chart(address, price_chart.price_curve(str(title.value), curve, summary, plain(lead)), plain(lead), curve)
    pages.write_chart(drawn)
    observations = [
        by_norm(ledger, run_id, rivals),
        best_rule(ledger, run_id, rivals),
        reach(summary),
        by_mean(summary),
        beyond_the_mean(summary),
    ]
    return Priced(
        title=title,
        summary=summary,
        lead=lead,
        observations=[text for text in observations if text],
        chart=pages.chart(drawn, "../"),
        curve=curve,
        rivals=rivals,
        sets=ledger.ask("price_sets", run_id=run_id),
        checks=[checked(ledger, run_id, row) for row in ledger.ask("effect_check", run_id=run_id)],
        counts=ledger.one("effect_counts", run_id=run_id),
        heads=ledger.ask("effect_heads", run_id=run_id),
    )


def verdict(ledger: Ledger, run_id: str, summary: Row) -> Claim:
    """Whether the price of the figure's threshold is within the budget; what other pages say of quiet heads hangs on it."""
    return claim(
        ledger, "price", f"{run_id}/price", {}, low=summary["rise_low_nats"], high=summary["rise_high_nats"], budget=summary["budget_nats"]
    )


def lead_of(ledger: Ledger, run_id: str, summary: Row) -> str:
    """The answer in one sentence, and the numbers behind it."""
    found = verdict(ledger, run_id, summary)
    return (
        f"**{found.say()}.** With the {summary['silenced_pct']} % of head–token pairs below the threshold silenced all at once, "
        f"cross-entropy goes from {summary['clean_nats']} nats per prediction up by {summary['rise_nats']} ({summary['rise_low_nats']} "
        f"to {summary['rise_high_nats']}). {found.say(1)} of {summary['budget_nats']}, {found.say(2)}."
    )


def by_norm(ledger: Ledger, run_id: str, rivals: list[Row]) -> str | None:
    """The figure's rule beside random pairs from which as much was removed."""
    row = next((row for row in rivals if row["rule"].value == "random_matched"), None)
    if row is None:
        return None
    found = claim(ledger, "dearer", f"{run_id}/price/matched", {}, low=row["more_low_nats"], high=row["more_high_nats"])
    return (
        f"**Random pairs of the same length {found.say()}.** Small vectors are cheap to remove, whatever they do; so random pairs were "
        f"silenced until as much norm was gone. That takes {row['silenced_pct']} % of pairs and adds {row['rise_nats']} nats, "
        f"{row['more_nats']} more than the quiet ones ({row['more_low_nats']} to {row['more_high_nats']})."
    )


def best_rule(ledger: Ledger, run_id: str, rivals: list[Row]) -> str:
    """Rules chosen on one half of the windows, reported on the other."""
    row = ledger.one("price_choice", run_id=run_id)
    found = claim(ledger, "choice", f"{run_id}/price", {}, own=row["own_chosen"])
    compared = (
        f"**{found.say()}.** Of {row['rules'].word} rules, compared on {row['choosing_windows'].word} windows at the same number of pairs "
        f"per layer, "
    )
    others = f"on the other {row['reporting_windows'].word}"
    if found.decision == "own":
        return f"{compared}it adds least; {others} it adds {row['own_rise_nats']} nats."
    chosen = next(rival for rival in rivals if rival["rule"].value == row["chosen_rule"].value and rival["treatment"].value == "zero")
    told = claim(ledger, "dearer", f"{run_id}/price/chosen", {}, low=row["more_low_nats"], high=row["more_high_nats"])
    return (
        f"{compared}the pairs with {chosen['rule_name']} add least; {others} they add {row['chosen_rise_nats']} nats, those of the "
        f"figure's rule {row['own_rise_nats']}. There they {told.say()}: the difference is {row['more_nats']} ({row['more_low_nats']} to "
        f"{row['more_high_nats']})."
    )


def reach(summary: Row) -> str:
    """The largest threshold that stays within the budget; the figure's own never moves by itself."""
    if summary["largest_threshold"].value is None:
        return f"**No threshold that was tried stays within the budget**, not even {summary['least_tried_threshold']}."
    return (
        f"**Up to a threshold of {summary['largest_threshold']} the rise stays within the budget**: there "
        f"{summary['largest_pair_share_pct']} % of pairs are silenced. The figure's threshold, {summary['threshold']}, does not follow."
    )


def by_mean(summary: Row) -> str | None:
    """The same pairs replaced by the head's mean."""
    if summary["mean_rise_nats"].value is None:
        return None
    return (
        f"**Replaced instead of silenced**, each quiet pair by its head's mean output, the same pairs add {summary['mean_rise_nats']} "
        f"nats, and move the predictions by {summary['mean_kl_nats']} nats of KL divergence."
    )


def beyond_the_mean(summary: Row) -> str:
    """Cross-entropy is an average of rises and falls; the divergence sees both."""
    return (
        f"**The average hides changes.** Silencing moves the predicted distribution by {summary['kl_nats']} nats of KL divergence "
        f"({summary['kl_low_nats']} to {summary['kl_high_nats']}), and the most likely next token in {summary['changed_pct']} % of places."
    )


def checked(ledger: Ledger, run_id: str, row: Row) -> str:
    """The first-order prediction beside the ablation."""
    found = claim(ledger, "prediction", f"{run_id}/price/{row['kind'].value}", {}, low=row["low_correlation"])
    how = "replaced by their means" if row["kind"].value == "ablation_mean" else "silenced"
    return (
        f"**{found.say()}**, where {row['heads']} heads were {how} one by one: rank correlation {row['rank_correlation']} "
        f"({row['low_correlation']} to {row['high_correlation']})."
    )
