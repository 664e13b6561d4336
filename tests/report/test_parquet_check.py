"""A Parquet file with any one bit flipped is read to the end or told of, and never ends the check."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from report.check.downloads import compare_parquet, rows_of
from report.check.package import compare_fields

FIELDS = {"schema": {"fields": [{"name": "run_id", "type": "string"}, {"name": "layer", "type": "integer"}]}}


def test_no_flipped_bit_ends_the_check_of_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table({"run_id": ["a", "b"], "layer": pa.array([0, 1], pa.int32())})
    pq.write_table(table, path, store_schema=False)
    assert list(compare_parquet(path, table, "t")) == [] and rows_of(path) == 2 and list(compare_fields(path, FIELDS, {})) == []
    content = path.read_bytes()
    told, counted = [], set()
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        told += [*compare_parquet(path, table, "t"), *compare_fields(path, FIELDS, {})]
        counted.add(rows_of(path))
    # A bit in a page that nobody reads, such as its statistics, changes nothing: the checksum of the file finds that one.
    assert len(told) > len(content) and counted >= {-1, 2}
