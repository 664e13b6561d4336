"""Rows of table published_value: what report/published cites, and the run that stands beside each list."""

import duckdb

from report.comparisons import published
from report.statistics import Row

# The same model: its name on the hub and its shape, in a complete run of unquantised weights that has the measure.
BESIDE = (
    "select min(run_id) from runs where kind = 'measured' and status = 'complete' and quantisation is null and model = $model "
    "and layers = $layers and heads_per_layer = $heads and run_id in (select run_id from head_measure where measure = $measure)"
)


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row per published value."""
    found: list[Row] = []
    for model in published.models():
        shape = (model.model, model.name, model.layers, model.heads_per_layer, model.run_file)
        for one in model.lists:
            keys = {"model": model.model, "layers": model.layers, "heads": model.heads_per_layer, "measure": one.measure}
            ((run_id,),) = connection.execute(BESIDE, keys).fetchall()
            told = (one.title, one.kind, one.measure, one.unit, one.source, one.differs)
            for ordinal, value in enumerate(one.values):
                place = (value.layer, value.head, value.first_layer, value.end_layer, value.above)
                found.append((one.id, ordinal, *shape, *told, *place, value.value, run_id))
    return found
