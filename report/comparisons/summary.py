"""The plain-text summary of two runs: what they share, in what they differ, and how their heads do; numbers as the pages print them."""

import textwrap
from collections.abc import Sequence

from report.claims import PHRASES, RULES
from report.comparisons.pairs import Pair
from report.facts import Ledger
from report.wording import Row

# What is told of both runs, in this order: a run's field and its name in the text.
TOLD = (
    ("model", "model"),
    ("revision", "revision"),
    ("weights_sha256", "weights"),
    ("quantisation", "quantised"),
    ("dtype", "number type"),
    ("device", "device"),
    ("corpus", "text"),
    ("corpus_sha256", "text's hash"),
    ("window_tokens", "window"),
    ("windows_done", "windows"),
    ("scored_tokens", "tokens"),
    ("shards_done", "shards"),
    ("seed", "seed"),
)
WIDTH = 110
SAMPLING = {
    "independent": "independent samples of text: variances add, degrees of freedom by Welch and Satterthwaite",
    "paired": "the same shards of text in both runs: differences are taken shard by shard",
    "fixed": "the first is a table without intervals: the intervals are those of the second run alone",
    "none": "too few shards for intervals and tests",
}


def text(ledger: Ledger, pair: Pair, figure: str) -> str:
    """The whole summary; `figure` is shown head by head, the others in one line each."""
    names = {"run_a": pair.a.run_id, "run_b": pair.b.run_id}
    rows = ledger.ask("compare_figures", **names)
    main = next(row for row in rows if row["figure"].value == figure)
    keys = names | {"figure": figure}
    parts = [
        [f"{pair.a.run_id}  →  {pair.b.run_id}   (differences are second minus first)"],
        [*runs_side_by_side(pair), f"Samples: {SAMPLING[pair.sampling]}.", *warnings(pair)],
        headline(main),
        ["Heads by band, first run down, second across", *band_table(ledger.ask("compare_bands", **keys))],
        ["Range by range", *range_table(ledger.ask("compare_ranges", **keys), tested(main))],
        ["Largest differences", *head_table(ledger.ask("compare_heads", **keys), tested(main))],
        asleep(ledger, keys) if tested(main) else [],
        ["All figures (shares in %)", *figure_table(rows)],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def tested(row: Row) -> bool:
    """True where differences have intervals."""
    return bool(row["tested_heads"].value)


def runs_side_by_side(pair: Pair) -> list[str]:
    """What the runs have in common, then in what they differ."""
    told = [(name, value(getattr(pair.a, field)), value(getattr(pair.b, field))) for field, name in TOLD]
    same = [f"{name} {a}" for name, a, b in told if a == b and a != "–"]
    rows = [[name, a, b] for name, a, b in told if a != b]
    shared = ", ".join([f"{pair.b.layers} layers of {pair.b.heads_per_layer} heads", *same])
    return [*textwrap.wrap(f"In common: {shared}.", WIDTH), *(["They differ in", *columns(rows)] if rows else [])]


def value(found: str | int | None) -> str:
    """A run's property; long hashes by their beginning, a dash for what is not known."""
    if found is None:
        return "–"
    written = f"{found:,}" if isinstance(found, int) else found
    is_hash = len(written) in (40, 64) and set(written) <= set("0123456789abcdef")
    return f"{written[:12]}…" if is_hash else written


def warnings(pair: Pair) -> list[str]:
    """What a reader must know before the numbers."""
    found = []
    if pair.a.kind == "measured" and pair.a.model != pair.b.model:
        found.append("Note: heads are matched by layer and number; between models that were trained apart, that match means nothing.")
    for topic in pair.topics:
        if topic.threshold_b is not None and topic.threshold != topic.threshold_b:
            found.append(
                f"Note: {topic.figure} is counted at the first run's threshold in both, {topic.threshold:.3g}; "
                f"the second run's own is {topic.threshold_b:.3g}."
            )
    return found


def headline(row: Row) -> list[str]:
    """The main figure in three lines."""
    facts = {"heads": row["heads"], "tested": row["tested_heads"], "differing": row["differing_heads"], "moved": row["clearly_moved_heads"]}
    change = say("texts_change", facts, 1)
    shift = say("texts_shift", {"low": row["difference_low"], "high": row["difference_high"]})
    lines = [f"{row['figure_title'].text}: {change}; {shift}."]
    lines.append(f"  mean {row['a_value'].text} → {row['b_value'].text} {row['unit'].text}, difference {with_interval(row)}")
    if tested(row):
        lines.append(f"  {row['differing_heads'].text} of {row['heads'].text} heads differ (false-discovery rate below 5 %)")
    lines.append(
        f"  {row['stayed_heads'].text} stay in their band, {row['risen_heads'].text} rise, {row['fallen_heads'].text} fall; "
        f"rank correlation {row['correlation_effect'].text}"
    )
    together = say("layers_together", {"p": row["layer_p"], "up": row["layers_up"], "down": row["layers_down"]})
    lines.append(
        f"  {together}: {row['layers_up'].text} up, {row['layers_down'].text} down (random signs of layers, p {row['layer_p'].text})"
    )
    return lines


def say(kind: str, facts: Row, wording: int = 0) -> str:
    """The words that a claim's rule allows for these facts."""
    phrases = PHRASES[kind][RULES[kind]({name: fact.value for name, fact in facts.items()})]
    return phrases[min(wording, len(phrases) - 1)]


def with_interval(row: Row, name: str = "difference") -> str:
    """A value with its 95 % interval in brackets, where it has one."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    shown = row[f"{name}_value"].text
    return shown if low.value is None else f"{shown} [{low.text}, {high.text}]"


def band_table(cells: list[Row]) -> list[str]:
    """Heads from band to band."""
    labels = list(dict.fromkeys(cell["b_label"].text for cell in cells))
    rows = [["", *labels, "all"]]
    for label in labels:
        own = [cell for cell in cells if cell["a_label"].text == label]
        rows.append([label, *(cell["heads"].text for cell in own), own[0]["a_heads"].text])
    last = [cell for cell in cells if cell["a_label"].text == labels[0]]
    rows.append(["all", *(cell["b_heads"].text for cell in last), ""])
    return columns(rows, right=True)


def range_table(ranges: list[Row], is_tested: bool) -> list[str]:
    """Moves and means by layer range."""
    names = ["heads", "stayed_heads", "risen_heads", "fallen_heads", *(["differing_heads"] if is_tested else [])]
    head = ["layers", "heads", "stay", "rise", "fall", *(["differ"] if is_tested else []), "mean a", "mean b", "b − a"]
    values = [*names, "a_value", "b_value", "difference_value"]
    return columns([head, *([row["range_label"].text, *(row[name].text for name in values)] for row in ranges)], right=True)


def head_table(heads: list[Row], is_tested: bool) -> list[str]:
    """The heads that differ most; nothing differs where there is none."""
    if not heads:
        return ["  no head differs at all"]
    p = ["corrected p"] if is_tested else []
    rows = [["head", "a", "b", "b − a, 95 % interval" if is_tested else "b − a", "bands", *p]]
    for row in heads:
        labels = f"{row['a_band_label'].text} → {row['b_band_label'].text}" if row["moved"].value else row["a_band_label"].text
        rows.append([row["head_label"].text, row["a_value"].text, row["b_value"].text, with_interval(row), labels])
        rows[-1] += [row["corrected_p"].text] if is_tested else []
    return columns(rows)


def asleep(ledger: Ledger, keys: dict[str, str]) -> list[str]:
    """Heads whose interval lies in the lowest band on one side and in the two highest on the other."""
    count = ledger.one("compare_sleeper_count", **keys)
    limits = f"below {count['asleep_below'].text} in one run, from {count['working_from'].text} in the other, intervals included"
    names = [row["head_label"].text for row in ledger.ask("compare_sleepers", **keys)]
    return [f"From one end to the other ({limits}): {', '.join(names) or 'no head'}."]


def figure_table(rows: list[Row]) -> list[str]:
    """Every figure that both runs have, in one line each."""
    table = [["figure", "mean a", "mean b", "b − a, 95 % interval", "differ", "change band", "rank corr."]]
    for row in rows:
        differ = row["differing_heads"].text if tested(row) else "–"
        table.append([row["figure"].text, row["a_value"].text, row["b_value"].text, with_interval(row), differ])
        table[-1] += [row["moved_heads"].text, row["correlation_effect"].text]
    return columns(table)


def columns(rows: Sequence[Sequence[str]], right: bool = False) -> list[str]:
    """Rows as aligned columns, two spaces in; all but the first to the right where asked."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    written = []
    for row in rows:
        cells = [
            cell.rjust(width) if right and place else cell.ljust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        written.append(("  " + "  ".join(cells)).rstrip())
    return written
