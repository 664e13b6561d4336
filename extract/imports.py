"""Imports: tables that somebody else published, brought into the counters database as runs of kind `imported`.

A table of heads (columns layer, head, value) becomes a measure with one value per head, and bands to count it in. A table of
counts (heads per layer range and band) is kept as it is. Needs no model and no torch. Importing the identical table again changes
nothing; another table under the same name is refused."""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from extract import measures
from extract.config import plain_text, run_name
from extract.errors import DatabaseRefusal, UsageRefusal
from extract.measures import MAX, Measure
from extract.store import Store
from extract.tables import band_edges, read_counts, read_heads

# Columns of the tables that hold measures: in the wide table of heads each measure is a column too.
COLUMNS = ("run_id", "layer", "head", "kv_head")


def import_heads(table: Path, into: Path, *, run: str, measure: str, unit: str, source: str, bands: str | None = None) -> bool:
    """Import a value per head, in `unit` ("share" for numbers in [0, 1]), with `bands` as ascending edges "0,.2,1".

    Returns False where it stands already.
    Raises UsageRefusal for a table, a measure's name or band edges that cannot be used, DatabaseRefusal for a name that is taken."""
    name, kind = run_name(run, "--run"), _imported_measure(measure, unit, source)
    values = read_heads(table)
    edges = band_edges(bands, kind.unit, sorted(values.values()))
    told = {"measure": kind.id, "unit": kind.unit, "bands": edges, "table_sha256": _digest(sorted(values.items()))}
    row = {
        "run_id": name,
        "kind": "imported",
        "title": name,
        "layers": max(layer for layer, _ in values) + 1,
        "heads_per_layer": max(head for _, head in values) + 1,
        "shards": 1,
        "source": kind.source,
        "config": json.dumps(told, sort_keys=True),
    }
    with Store(into) as store:
        fresh = not _stands(store, row)
        if fresh:
            _check_case(store, kind.id)
            known = store.measure(kind.id)
            _check_against(known or dataclasses.asdict(kind), kind.unit, values, table)
            new = {} if known else store.measure_rows([kind])
            store.add({"run": pa.Table.from_pylist([row]), **new, **_head_rows(name, kind.id, values, edges)})
        store.publish()
    return fresh


def _imported_measure(measure: str, unit: str, source: str) -> Measure:
    unit, source = plain_text(unit, "unit", "--unit"), plain_text(source, "source", "--source")
    return Measure(
        id=_measure_id(measure),
        title=plain_text(measure, "measure", "--measure"),
        unit=unit,
        low=0.0 if unit in ("share", "%") else -MAX,
        high={"share": 1.0, "%": 100.0}.get(unit, MAX),
        definition=f"Imported values, one per head: {source}",
        source=source,
        condition="as published",
        position_low=0,
    )


def _measure_id(measure: str) -> str:
    """The measure's name, unless it is that of a measure that is computed here, or of a column: DuckDB's names know no case."""
    name = run_name(measure, "--measure")
    taken = {**dict.fromkeys(measures.names(), "is computed by Headcount itself"), **dict.fromkeys(COLUMNS, "is the name of a column")}
    if name.casefold() in taken:
        raise UsageRefusal(f"{name!r} {taken[name.casefold()]}", "--measure", f"name it otherwise, for example {name}_published")
    return name


def _check_case(store: Store, name: str) -> None:
    """Refuse a name that differs from that of a measure in the file only in its case."""
    for row in store.rows("select id from measure order by all"):
        if row["id"] != name and str(row["id"]).casefold() == name.casefold():
            fix = f"write {row['id']}, or name it otherwise"
            raise UsageRefusal(f"measure {name!r} differs from {row['id']!r} in the file only in its case", "--measure", fix)


def _head_rows(name: str, measure: str, values: dict[tuple[int, int], float], edges: Sequence[float]) -> dict[str, pa.Table]:
    places = [{"run_id": name, "layer": layer, "head": head} for layer, head in values]
    stats = [
        place | {"shard": 0, "measure": measure, "n": 1, "total": value, "total_of_squares": value * value}
        for place, value in zip(places, values.values(), strict=True)
    ]
    bands = [
        {"run_id": name, "measure": measure, "band_ordinal": ordinal, "low": low, "high": high}
        for ordinal, (low, high) in enumerate(itertools.pairwise(edges))
    ]
    shard = {"run_id": name, "shard": 0, "windows": 0, "scored_tokens": 0, "status": "committed"}
    tables = {"head": places, "imported_band": bands, "shard": [shard], "shard_stat": stats}
    return {table: pa.Table.from_pylist(rows) for table, rows in tables.items()}


def import_counts(table: Path, into: Path, *, title: str, source: str, model_heads: int | None = None) -> bool:
    """Import heads per layer range and band of one published figure. Returns False where it stands already.

    Raises UsageRefusal for a table that cannot be used, DatabaseRefusal for a figure name that is taken."""
    title, source = plain_text(title, "title", "--title"), plain_text(source, "source", "--source")
    counts = read_counts(table)
    shown = sum(int(str(row["heads"])) for row in counts)
    if model_heads is not None and not shown <= model_heads <= 2**31 - 1:
        raise UsageRefusal(
            f"the table counts {shown} heads, the model has {model_heads}", "--model-heads", "give the heads of the whole model"
        )
    name = str(counts[0]["figure"])
    rows = [row | {"title": title, "source": source, "model_heads": model_heads} for row in counts]
    told = {"model_heads": model_heads, "table_sha256": _digest(counts)}
    run = {"run_id": name, "kind": "imported", "title": title, "shards": 0, "source": source, "config": json.dumps(told, sort_keys=True)}
    with Store(into) as store:
        fresh = not _stands(store, run)
        if fresh:
            store.add({"run": pa.Table.from_pylist([run]), "published_count": pa.Table.from_pylist(rows)})
        store.publish()
    return fresh


def _stands(store: Store, row: dict[str, object]) -> bool:
    """Whether the same import stands in the database already; another run of that name is refused."""
    there = store.run(str(row["run_id"]))
    if there is None:
        return False
    differing = [key for key, value in row.items() if there[key] != value]
    if not differing:
        return True
    named = "another table or other options" if "config" in differing else ", ".join(differing)
    raise DatabaseRefusal(f"{row['run_id']!r} is in the file already and differs in {named}", store.out.name, "choose another name or file")


def _check_against(known: dict[str, object], unit: str, values: dict[tuple[int, int], float], table: Path) -> None:
    """Refuse values that a measure, such as one that is in the database already, cannot take."""
    if known["unit"] != unit:
        what = f"measure {known['id']!r} is in the file with unit {known['unit']!r}, not {unit!r}"
        raise DatabaseRefusal(what, "--unit", "give that unit, or name the measure otherwise")
    if known["histogram_kind"] is not None:
        raise DatabaseRefusal(f"measure {known['id']!r} is computed from a histogram", "--measure", "name the measure otherwise")
    low, high = float(str(known["low"])), float(str(known["high"]))
    if min(values.values()) < low or max(values.values()) > high:
        what = f"values from {min(values.values()):g} to {max(values.values()):g}, the measure {known['id']!r} has {low:g} to {high:g}"
        raise UsageRefusal(what, table.name, "name the measure otherwise")


def _digest(rows: object) -> str:
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
