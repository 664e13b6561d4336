"""Shards that are set aside: one whose sums are not finite, or that every process was killed over, is not committed, but counted and
named, and the run goes on with the others.

So that nothing is dropped in silence: the row of table quarantine says which windows were at fault and in what, the run ends with exit
code 6 and a line that names its quarantined shards, and they are measured again only when that is asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from extract.config import RunConfig
from extract.errors import NotFinite, NumericRefusal
from extract.progress import say
from extract.store import Rows, Store

if TYPE_CHECKING:
    from extract.loading import Loaded
    from extract.passes import Means

# More than a reader looks through; the table has them all.
_NAMED = 10
_NONE = "none"
KILLED = "killed"
"""The measure of a shard that no worker came to the end of."""


def rows(loaded: "Loaded", shard: int, means: "Means", refusal: NotFinite) -> Rows:
    """The row of a shard that has just been found not to be finite."""
    from extract.passes import bad_windows

    name, windows = loaded.config.name, loaded.config.windows_of_shard(shard)
    row = {
        "run_id": name,
        "shard": shard,
        "windows": len(windows),
        "first_window": windows.start,
        "bad_windows": ", ".join(map(str, bad_windows(loaded, shard, means))) or _NONE,
        "measure": refusal.measure,
        "reason": f"{refusal.what} ({refusal.where})",
    }
    return {"quarantine": pa.Table.from_pylist([row])}


def killed(config: RunConfig, shard: int, times: int) -> Rows:
    """The row of a shard that no worker came to the end of."""
    windows = config.windows_of_shard(shard)
    row = {"run_id": config.name, "shard": shard, "windows": len(windows), "first_window": windows.start, "bad_windows": _NONE}
    reason = f"the process that measured it was killed {times} times"
    return {"quarantine": pa.Table.from_pylist([row | {"measure": KILLED, "reason": reason}])}


def refuse(configs: Sequence[RunConfig], store: Store) -> None:
    """Raise NumericRefusal where shards of the runs are quarantined: it names the first of them, the windows at fault, and in what."""
    found = [row for config in configs for row in store.quarantined(config.name)]
    if not found:
        return
    shards, names = sum(config.shards for config in configs), list(dict.fromkeys(str(row["run_id"]) for row in found))
    several = len(configs) > 1
    verb = "is" if len(found) == 1 else "are"
    named = "; ".join(f"{_named(row, several)}" for row in found[:_NAMED])
    more = f"; and {len(found) - _NAMED} more, see table quarantine" if len(found) > _NAMED else ""
    anew = "" if all(row["measure"] == KILLED for row in found) else ", or start a new run with --dtype float32"
    fix = f"python -m report build shows the others; measure them again with --retry-quarantined{anew}"
    raise NumericRefusal(f"{len(found)} of {shards} shards {verb} quarantined: {named}{more}", ", ".join(names), fix)


def _named(row: dict[str, object], several: bool) -> str:
    run = f"{row['run_id']}, " if several else ""
    return f"{run}shard {row['shard']}{_windows(str(row['bad_windows']))}: {row['reason']}"


def _windows(bad: str) -> str:
    # None of them where only the repeated random tokens of a shard were at fault.
    return "" if bad == _NONE else f", windows {bad}"


def say_lost(store: Store) -> None:
    """Where the working file's log was set aside: which shards of which runs are not in the file."""
    if store.salvaged is None:
        return
    say(f"warning: the log could not be replayed and is kept as {store.salvaged.name}")
    for run in store.rows("from run where kind = 'measured' order by run_id"):
        name, asked = str(run["run_id"]), int(str(run["shards"]))
        there = store.shards(name) | {int(str(row["shard"])) for row in store.quarantined(name)}
        missing = sorted(set(range(asked)) - there)
        say(f"{name}: {len(missing)} of {asked} shards are not in the file: {', '.join(map(str, missing)) or 'none'}")
