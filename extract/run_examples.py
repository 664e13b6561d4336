"""The examples of a run: of what each shard found for itself, that which is kept once it meets what the shards before it found."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import torch
from jaxtyping import Int64
from torch import Tensor

from extract.reservoir import ATTENTION, KEPT, KEY, KINDS, PLACE, SOURCE, Reservoirs, Rows, rows_of

_KINDS = pa.array([kind.name for kind in KINDS])


class RunExamples:
    """The 20 of each head and kind so far, on the host."""

    def __init__(self, layers: int, heads: int) -> None:
        self._kept = Reservoirs.empty(layers, heads, "cpu")

    def take(self, found: pa.Table) -> pa.Table:
        """Take in rows of table `example`; gives those of them that are kept, in their order.

        Shards must come in the order in which they are committed: a row that an earlier shard has turned out is not given."""
        if not found.num_rows:
            return found
        cells, rows = _cells(found), _rows(found)
        possible = self._among(cells, rows)
        for layer in torch.unique(cells[possible, 0]).tolist():
            here = possible & (cells[:, 0] == layer)
            self._kept.insert(layer, cells[here, 1], cells[here, 2], rows[here])
        return found.filter(pa.array((possible & self._among(cells, rows)).numpy()))

    def _among(self, cells: Int64[Tensor, "n 3"], rows: Rows) -> Tensor:
        """Whether each row comes no later than the last one that its head and kind keep."""
        last = torch.stack([layer[:, :, KEPT - 1] for layer in self._kept.rows])[cells[:, 0], cells[:, 1], cells[:, 2]]
        earlier: Tensor = rows[:, KEY] < last[:, KEY]
        return earlier | ((rows[:, KEY] == last[:, KEY]) & (rows[:, PLACE] <= last[:, PLACE]))

    @property
    def rows(self) -> Sequence[Int64[Tensor, "head kind kept field"]]:
        """What is kept, as in `Reservoirs`."""
        return self._kept.rows


def _cells(table: pa.Table) -> Int64[Tensor, "n 3"]:
    kind = pc.index_in(table.column("kind"), value_set=_KINDS)
    return torch.stack([_column(column) for column in (table.column("layer"), table.column("head"), kind)], -1)


def _rows(table: pa.Table) -> Rows:
    kind = _column(pc.index_in(table.column("kind"), value_set=_KINDS))
    window, position, draw, source = (_column(table.column(name)) for name in ("window", "position", "draw", "source_position"))
    norm, attention = (torch.tensor(table.column(name).to_numpy()) for name in ("relative_norm", "source_attention"))
    rows = rows_of(kind, window, position, draw, norm)
    rows[:, SOURCE], rows[:, ATTENTION] = source, attention.view(torch.int64)
    return rows


def _column(column: pa.ChunkedArray) -> Int64[Tensor, " n"]:
    return torch.tensor(column.cast(pa.int64()).to_numpy())
