"""The page on torture, from what its last run recorded: python tests/torture/page.py docs/data/torture > docs/torture.md"""

import json
import sys
from pathlib import Path
from typing import Any

_TOP = """<!-- Generated: python tests/torture/page.py {source} > docs/torture.md -->
# Torture: what was done to it

A run may take hours on a machine that somebody else pays for, and a published site is read by strangers. So processes are killed, disks
filled, bits flipped, and everything that comes from outside is made hostile; the tables below say how often, and how each trial ended.
`make torture` does all of it again, on two cores, and this page is written from its counts; continuous integration runs a few trials of
each. Moments, bits and inputs are drawn with a fixed seed.

A trial fails where something that was committed is lost or torn, where a wrong number goes unnoticed, or where something from outside runs,
is fetched or is written elsewhere. **{trials} trials; failures: {failures}.**
"""


def _table(told: dict[str, Any]) -> str:
    lines = [f"## {told['title']}", "", "| What was done | Trials | How it ended |", "|---|--:|---|"]
    for row in told["rows"]:
        ended = "; ".join(f"{outcome}: {count:,}" if len(row["outcomes"]) > 1 else outcome for outcome, count in row["outcomes"].items())
        lines.append(f"| {row['what']} | {sum(row['outcomes'].values()):,} | {ended} |")
    return "\n".join(lines) + "\n"


def _summary(parts: list[dict[str, Any]]) -> str:
    lines = ["| Harness | Trials | Failures | Minutes of one core |", "|---|--:|--:|--:|"]
    for part in parts:
        trials, failures = _counted(part)
        lines.append(f"| {part['title']} | {trials:,} | {failures} | {part['seconds'] / 60:.1f} |")
    return "\n".join(lines) + "\n"


def _counted(part: dict[str, Any]) -> tuple[int, int]:
    """Trials of a harness, and failures among them."""
    outcomes = [(outcome, count) for row in part["rows"] for outcome, count in row["outcomes"].items()]
    return sum(count for _, count in outcomes), sum(count for outcome, count in outcomes if failed(outcome))


def failed(outcome: str) -> bool:
    """Whether a trial that ended so is a failure."""
    return outcome.startswith(("LOST", "LET IN"))


def page(source: Path) -> str:
    """The Markdown of the page; the same records give the same page."""
    parts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(source.glob("*.json"))]
    trials, failures = map(sum, zip(*map(_counted, parts), strict=True))
    top = _TOP.format(source=source.as_posix(), trials=f"{trials:,}", failures=failures or "none")
    return "\n".join([top, _summary(parts), *map(_table, parts)])


if __name__ == "__main__":
    print(page(Path(sys.argv[1])), end="")
