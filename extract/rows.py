"""What is measured → Arrow tables, one per database table, as `Store.add` takes them."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from extract.errors import DatabaseRefusal
from extract.example_text import AROUND, AROUND_SOURCE
from extract.families import HeadShape
from extract.measures import Measure
from extract.reservoir import KEPT, KINDS
from extract.store import Rows, Store
from extract.sums import HISTOGRAM_EDGES, ShardSums


def run_rows(
    store: Store, run: dict[str, object], shape: HeadShape, measures: Iterable[Measure], worked: Iterable[dict[str, object]]
) -> Rows:
    """What a run adds once: its row, its heads, its `worked` token, and the measures, bins and kinds of example that are not there yet.

    Raises DatabaseRefusal where the file knows a measure, histogram or kind by the same name with another meaning."""
    run_id, measures = run["run_id"], tuple(measures)
    group = shape.heads // shape.kv_heads
    heads = [
        {"run_id": run_id, "layer": layer, "head": head, "kv_head": head // group} for layer, head in np.ndindex(shape.layers, shape.heads)
    ]
    tokens = [{"run_id": run_id, **row} for row in worked]
    rows = {"run": pa.Table.from_pylist([run]), "head": pa.Table.from_pylist(heads)}
    if tokens:
        rows["worked_token"] = pa.Table.from_pylist(tokens)
    edges = {measure.histogram_kind: HISTOGRAM_EDGES for measure in measures if measure.histogram_kind}
    return rows | dict(store.measure_rows(measures)) | bin_rows(store, edges) | _kind_rows(store)


def bin_rows(store: Store, edges: Mapping[str, Sequence[float]]) -> dict[str, pa.Table]:
    """The rows of table histogram_bin that are still to be added for these kinds of histogram, each by the edges of its bins.

    Raises DatabaseRefusal where the file has a kind with other edges."""
    missing = []
    for kind, of_kind in sorted(edges.items()):
        bins = [{"kind": kind, "bin": number, "low": low, "high": high} for number, (low, high) in enumerate(itertools.pairwise(of_kind))]
        there = store.rows("from histogram_bin where kind = ? order by bin", kind)
        if not there:
            missing += bins
        elif there != bins:
            raise DatabaseRefusal(f"histogram {kind!r} is in the file with other edges", store.out.name, "choose another --out")
    return {"histogram_bin": pa.Table.from_pylist(missing)} if missing else {}


def _kind_rows(store: Store) -> dict[str, pa.Table]:
    sizes = {"kept": KEPT, "tokens_around": AROUND, "tokens_around_source": AROUND_SOURCE}
    kinds = [{"kind": kind.name, "ordinal": number, "low": kind.low, "high": kind.high} | sizes for number, kind in enumerate(KINDS)]
    there = store.rows("from example_kind order by ordinal")
    if there and there != kinds:
        raise DatabaseRefusal("the file keeps other kinds of examples", store.out.name, "choose another --out")
    return {} if there else {"example_kind": pa.Table.from_pylist(kinds)}


def shard_rows(run_id: str, shard: int, windows: int, scored_tokens: int, sums: ShardSums) -> Rows:
    """One shard: its row, its sums, and its histograms without their empty bins."""
    row = {"run_id": run_id, "shard": shard, "windows": windows, "scored_tokens": scored_tokens, "status": "committed"}
    layer, head = (index.ravel() for index in np.indices((sums.layers, sums.heads), dtype=np.int32))
    stats = [
        _table(run_id, shard, layer=layer, head=head, measure=name, n=n.ravel(), total=total.ravel(), total_of_squares=squares.ravel())
        for name, (n, total, squares) in sorted(sums.stats.items())
    ]
    histograms = []
    for kind, counts in sorted(sums.histograms.items()):
        places = np.nonzero(counts)
        layer, head, number = (index.astype(np.int32) for index in places)
        histograms.append(_table(run_id, shard, kind=kind, layer=layer, head=head, bin=number, n=counts[places]))
    rows = {"shard": pa.Table.from_pylist([row]), "shard_stat": stats, "shard_histogram": histograms}
    return {table: pa.concat_tables(parts) if isinstance(parts, list) else parts for table, parts in rows.items() if parts}


def _table(run_id: str, shard: int, **columns: np.ndarray | str) -> pa.Table:
    rows = next(len(column) for column in columns.values() if isinstance(column, np.ndarray))
    constant = {"run_id": run_id, "shard": shard} | {name: column for name, column in columns.items() if isinstance(column, str)}
    return pa.table(
        {name: pa.repeat(value, rows) for name, value in constant.items()} | {n: c for n, c in columns.items() if not isinstance(c, str)}
    )
