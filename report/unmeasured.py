"""Values that are no numbers. Today's schema lets none in; a file that something else has written may hold some all the same."""

import sys

import duckdb

ODD = "not (isfinite(total) and isfinite(total_of_squares))"


def stand_in(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether an attached database of this name holds such values."""
    return bool(connection.execute(f"select 1 from {name}.shard_stat where {ODD} limit 1").fetchall())


def leave_out(connection: duckdb.DuckDBPyConnection) -> int:
    """Take every head's measure that holds a value that is not finite out of the copy, and say so on stderr; gives how many values.

    The whole head's measure goes, for a mean over what is left of it would be another number without a word."""
    (values, measures) = connection.execute(
        f"select count(*), count(distinct (run_id, layer, head, measure)) from shard_stat where {ODD}"
    ).fetchall()[0]
    if values:
        keys = "run_id, layer, head, measure"
        connection.execute(f"delete from shard_stat where ({keys}) in (select ({keys}) from shard_stat where {ODD})")
        what = f"{values} values are not finite: {measures} measures of single heads are left out"
        print(f"warning: {what}", file=sys.stderr)
    return int(values)
