"""Shards for the tests of files and of those who gather them: of a real run, or made up; and the tables that they come to."""

from pathlib import Path

import duckdb
import pyarrow as pa

from extract.config import RunConfig
from extract.families import HeadShape
from extract.job import Job, plan
from extract.loading import load
from extract.replica import Findings, Measured, Replica
from extract.store import Store

FINDINGS = Findings(HeadShape(2, 2, 2, 8, 16, 64), None, "kernel", "machine", 2, ({"window": 0, "position": 1, "token": "\ud7ff é"},))


def planned(config: RunConfig, out: Path) -> Job:
    with Store(out) as store:
        return plan(config, store)


def measured_shards(config: RunConfig, out: Path) -> tuple[Job, list[Measured]]:
    """Every shard of a run, measured and not committed."""
    job = planned(config, out)
    replica = Replica(load(config, job.located, job.row), job.batch)
    return job, [replica.measure(shard) for shard in job.missing]


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(path), read_only=True) as con:
        names = [name for (name,) in con.execute("select table_name from duckdb_tables() order by all").fetchall()]
        return {name: con.execute(f"select * from {name} order by all").fetchall() for name in names}


def shard_of(n: int, shard: int = 0) -> Measured:
    return Measured(
        shard, 1, 0.5, FINDINGS, {"shard": pa.table({"shard": [shard], "n": [n]}), "example": pa.table({"n": pa.array([], "int64")})}
    )
