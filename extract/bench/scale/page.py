"""The page on what many workers cost, from a scale.json: prose without a figure of its own, and tables."""

import statistics
from typing import Any

from extract.bench.result_file import measured_on

_BELOW = " Below zero: the workers, Ray included, took less in all than the one process with as many threads."
KEYS = ("machine", "versions", "merging", "workers", "dispatch", "constants", "check", "assumed", "simulation")

_PAGE = """<!-- Generated: python -m extract bench-scale --page {source} > docs/scale-measured.md -->
# At scale: measured, and simulated

What [many workers](scale.md) cost was measured on one machine with two of them; what more would do is a simulation with the constants
that were measured.
{measured_on}
No GPU and no second machine were at hand. `make bench-scale` makes the results anew.

## Two workers beside one process

The embedded model over its text, one window of 512 tokens per shard, {threads} threads in all: the plain loop with all of them, each
worker with its share. What a shard costs is the difference of a run of {many} shards and one of {few}, divided by the shards between; what
is left is the start: processes, Ray, loading and proving the model, the held-out windows, the last publishing. Processor time is that of
every process, Ray's own included.

| measured by | processor time per shard | clock per shard | start, processor time | start, clock |
| --- | --: | --: | --: | --: |
{workers}

**Overhead of the workers: {overhead} of processor time.**{below}

## Merging

Synthetic shards of GPT-2 xl's shape, {heads} heads × {measures} measures, are read, compared with their hashes, and committed in order, a
transaction each. With a histogram, every head has a hundred bins besides, which is more than a real shard has.

| shards | rows of a shard | file | per shard, clock | per shard, processor | all of them | last publishing | memory at most |
| --: | --: | --: | --: | --: | --: | --: | --: |
{merging}

{linear} Publishing copies the whole database for readers; it is done when a minute has passed and ten times what the last one took.

## Simulation

A worker loads the model, takes a shard, measures it for a time drawn from those that were measured, and is killed now and then; it then
comes back, loads again and measures the same shard again. One driver gives out shards and commits them in order, one thing at a time.

Constants, measured: {shard} s per window and worker (median), {loading} s to load the model, {restart} s for all else that comes before
the first shard, {commit} ms per commit of a shard, {dispatch} ms for the driver to learn that a call is answered and to call again
({dispatches}). A killed worker is taken to need as long to come back as the first one to come. Assumed: {storage} s for a bucket to take
a shard's files; kills per worker and hour as in the table.

**Checked:** for the run of {checked} shards on two workers above, from which the constants are, it predicts {predicted} s; it took
{measured} s ({apart}).

Each worker has {per_worker} windows to measure, in shards of one, eight or sixty-four windows.

| workers | windows per shard | kills per worker, hour | shards | hours | efficiency | driver busy | files waiting | kills | given up |
| --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |
{simulation}

*Efficiency*: of the workers' time, the share that went into shards that count, their loading and waiting left out. *Files waiting*: the
most that were there at once and had to wait for an earlier shard.

## What breaks first

- **The driver's commits**, when shards are short. A shard of this model takes {commit} ms to commit, and one of more windows has hardly
  more rows; so {limits} need shards of at least so many seconds each. Take more windows per shard: the file shrinks too.
- **The end of the run**, when shards are long: the last ones are waited for. The more shards per worker, the less that is.
- **Loading the model** costs as much as it takes, once per worker and once per kill: with ten kills an hour and shards of minutes, whole
  shards are lost as well.
- **Requests to a bucket** come to a handful per shard (see [At scale](scale.md)): {requests} shards per second at the most that the
  driver commits, far below what object stores take.
"""


def render(found: dict[str, Any], source: str) -> str:
    """The page in Markdown; `source` is the path that its first line names."""
    two, constants, check = (found[key] for key in ("workers", "constants", "check"))
    commit, merging = constants["commit"], found["merging"]
    limits = " and ".join(f"{workers} workers {workers * commit:.1f} s" for workers in (64, 512))
    dispatches = ", ".join(f"{float(seconds) * 1000:.1f} with {size} calls in flight" for size, seconds in found["dispatch"].items())
    return _PAGE.format(
        source=source,
        measured_on=measured_on(found),
        threads=two["threads"],
        few=two["few"],
        many=two["many"],
        workers="\n".join(_costs(title, two, name) for name, title in (("plain", "plain loop"), ("workers", f"{two['count']} workers"))),
        overhead=f"{100 * two['overhead']:+.1f} %",
        below=_BELOW if two["overhead"] < 0 else "",
        heads=f"{merging[0]['heads']:,}",
        measures=merging[0]["measures"],
        merging="\n".join(map(_merged, merging)),
        linear=_linear(merging[0]),
        shard=f"{statistics.median(constants['shards']):.2f}",
        loading=f"{constants['loading']:.1f}",
        restart=f"{constants['restart']:.1f}",
        commit=f"{1000 * commit:.0f}",
        dispatch=f"{1000 * constants['dispatch']:.1f}",
        dispatches=dispatches,
        storage=found["assumed"]["storage"],
        checked=check["shards"],
        predicted=check["predicted"],
        measured=check["measured"],
        apart=f"{100 * (check['predicted'] / check['measured'] - 1):+.0f} %",
        per_worker=found["windows_per_worker"],
        simulation="\n".join(map(_simulated, found["simulation"])),
        limits=limits,
        requests=f"{1 / commit:,.0f}",
    )


def _costs(title: str, two: dict[str, Any], name: str) -> str:
    cost, start = two[name], two[f"{name}_start"]
    return (
        f"| {title} | {cost['cpu_per_shard']:.2f} s | {cost['seconds_per_shard']:.2f} s | {start['cpu']:.0f} s | {start['seconds']:.0f} s |"
    )


def _merged(row: dict[str, Any]) -> str:
    what = f"{row['heads'] * row['measures']:,}{' and a histogram' if row['histograms'] else ''}"
    seconds, cpu = statistics.mean(row["seconds_per_shard"]), statistics.mean(row["cpu_per_shard"])
    sizes = f"{row['file_bytes'] / 1e6:.2f} MB | {1000 * seconds:.1f} ms | {1000 * cpu:.1f} ms | {seconds * row['shards']:.0f} s"
    return f"| {row['shards']:,} | {what} | {sizes} | {row['publish_seconds']:.0f} s | {row['peak_bytes'] / 1e6:,.0f} MB |"


def _linear(row: dict[str, Any]) -> str:
    seconds = row["seconds_per_shard"]
    if len(seconds) < 4:
        return "Too few shards to say whether the cost is linear."
    quarter = len(seconds) // 4
    first, last = statistics.median(seconds[:quarter]), statistics.median(seconds[-quarter:])
    return f"A shard of the last quarter took {last / first:.2f} times as long as one of the first."


def _simulated(row: dict[str, Any]) -> str:
    load = f"{100 * row['efficiency']:.0f} % | {100 * row['driver']:.0f} % | {row['waiting']:,} | {row['kills']:,} | {row['given_up']:,}"
    ends = f"{row['workers']} | {row['windows_per_shard']} | {row['kills_per_hour']:g} | {row['shards']:,} | {row['seconds'] / 3600:.2f}"
    return f"| {ends} | {load} |"
