"""Shards that are set aside: one whose sums are not finite is not committed, but counted and named, and the run goes on with the others.

So that nothing is dropped in silence: the row of table quarantine says which windows were at fault and in what, the run ends with exit
code 6 and a line that names its quarantined shards, and they are measured again only when that is asked for."""

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


def rows(loaded: "Loaded", shard: int, means: "Means", refusal: NotFinite, store: Store) -> Rows:
    """The row of a shard that has just been found not to be finite; none where it has one already, from an earlier attempt."""
    from extract.passes import bad_windows

    name, windows = loaded.config.name, loaded.config.windows_of_shard(shard)
    say(f"shard {shard} is quarantined: {refusal.what} ({refusal.where})")
    if any(row["shard"] == shard for row in store.quarantined(name)):
        return {}
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


def refuse(config: RunConfig, store: Store) -> None:
    """Raise NumericRefusal where shards of the run are quarantined: it names the first of them, the windows at fault, and in what."""
    found = store.quarantined(config.name)
    if not found:
        return
    verb = "is" if len(found) == 1 else "are"
    named = "; ".join(f"shard {row['shard']}{_windows(str(row['bad_windows']))}: {row['reason']}" for row in found[:_NAMED])
    more = f"; and {len(found) - _NAMED} more, see table quarantine" if len(found) > _NAMED else ""
    fix = "python -m report build shows the others; measure them again with --retry-quarantined, or start a new run with --dtype float32"
    raise NumericRefusal(f"{len(found)} of {config.shards} shards {verb} quarantined: {named}{more}", config.name, fix)


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
