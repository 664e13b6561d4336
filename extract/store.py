"""The only writer of the counters database.

Two files, one writer each. Rows are committed to the working file beside the counters file, `<out>.work`, which DuckDB locks;
readers only ever open the counters file, a snapshot that is replaced whole. The working file is made from the counters file where
there is none. A working file and a counters file that have parted company (somebody put another file in place) are refused, so that
no rows are ever lost by publishing.

Nothing is updated or deleted: the schema is created once, then rows are only inserted, one transaction at a time (schema.sql says why)."""

import contextlib
import dataclasses
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from extract.database_file import check_is_duckdb, check_writable, connect, quoted, remove_empty, sync, told
from extract.errors import DatabaseRefusal
from extract.measures import Measure

SCHEMA_VERSION = 3
# DuckDB 2.0's own format cannot be opened by 1.x clients nor in the browser; this one can.
STORAGE_VERSION = "v1.0.0"

Rows = Mapping[str, pa.Table]


class Store:
    """The working file of one counters database, open for writing: `with Store(path) as store`.

    Raises EnvironmentRefusal where the folder cannot be written or another process writes, DatabaseRefusal where a file is no
    counters database."""

    def __init__(self, out: Path) -> None:
        self.out = out
        # First, for a folder such as "." has no name.
        check_writable(out)
        self.work = out.with_name(out.name + ".work")
        self.snapshot = out.with_name(out.name + ".snapshot")
        self.published_at = time.monotonic()
        remove_empty(self.work)
        for path in (self.work, out):
            check_is_duckdb(path)
        self.con = connect(self.work, out, self.snapshot)
        try:
            self._open()
        except BaseException:
            self.con.close()
            raise

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the lock back."""
        self.con.close()

    def _open(self) -> None:
        with told(self.work):
            self.con.execute(f"attach {quoted(self.work)} as work")
        tables = self._tables("work")
        if tables:
            self._check_schema("work", self.work)
            return
        # One transaction, so that a process killed here leaves a working file that is still empty and is made again.
        with told(self.work), self._published() as there, self._transaction():
            self.con.execute(Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"))
            if there:
                for table in self._tables("work"):
                    self.con.execute(f"insert into work.{table} by name from published.{table}")
            else:
                self.con.execute("insert into work.schema_version values (?)", [SCHEMA_VERSION])
        self.con.execute("checkpoint work")

    def _tables(self, database: str) -> list[str]:
        rows = self.con.execute("select table_name from duckdb_tables() where database_name = ? order by all", [database]).fetchall()
        return [row[0] for row in rows]

    def _check_schema(self, database: str, path: Path) -> None:
        """Refuse a database that is not a counters database, or one of another version, whose tables need not be ours."""
        ours = set(re.findall(r"^create table (\w+)", Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"), re.MULTILINE))
        theirs = set(self._tables(database))
        if "schema_version" in theirs:
            self._check_version(database, path)
        views = self.con.execute("select count(*) from duckdb_views() where not internal and database_name = ?", [database]).fetchall()[0][
            0
        ]
        if theirs != ours or views:
            what = (
                "a published Headcount database, not a counters file"
                if ours < theirs
                else "a DuckDB database, but not Headcount's counters"
            )
            raise DatabaseRefusal(what, path.name, "choose another file")

    def _check_version(self, database: str, path: Path) -> None:
        found = self.con.execute(f"select coalesce(max(version), 0) from {database}.schema_version").fetchall()[0][0]
        if found > SCHEMA_VERSION:
            raise DatabaseRefusal(f"schema version {found}, newer than {SCHEMA_VERSION}", path.name, "update Headcount")
        if found < SCHEMA_VERSION:
            raise DatabaseRefusal(
                f"schema version {found}, older than {SCHEMA_VERSION}", path.name, "choose another file and measure again"
            )

    @contextlib.contextmanager
    def _published(self) -> Iterator[bool]:
        """Attach the counters file as `published`, read-only; gives False where there is none."""
        if not self.out.exists():
            yield False
            return
        with told(self.out):
            self.con.execute(f"attach {quoted(self.out)} as published (read_only)")
        try:
            self._check_schema("published", self.out)
            self.con.execute("use work")
            yield True
        finally:
            self.con.execute("detach published")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self.con.execute("use work")
        self.con.execute("begin")
        try:
            yield
        except BaseException:
            self.con.execute("rollback")
            raise
        self.con.execute("commit")

    def add(self, rows: Rows) -> None:
        """Insert rows, table by table, in one transaction: all of them are there afterwards, or none."""
        with told(self.work), contextlib.ExitStack() as registered:
            for table, values in rows.items():
                self.con.register(f"new_{table}", values)
                registered.callback(self.con.unregister, f"new_{table}")
            with self._transaction():
                for table in rows:
                    self.con.execute(f"insert into work.{table} by name from new_{table}")

    def rows(self, query: str, *parameters: str) -> list[dict[str, object]]:
        """The rows of a query over the working file, as dictionaries."""
        self.con.execute("use work")
        answer = self.con.execute(query, list(parameters))
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def table(self, query: str, *parameters: str) -> pa.Table:
        """The rows of a query over the working file, as an Arrow table."""
        self.con.execute("use work")
        return self.con.sql(query, params=list(parameters)).to_arrow_table()

    def run(self, run_id: str) -> dict[str, object] | None:
        """The row of table run, or None."""
        found = self.rows("from run where run_id = ?", run_id)
        return found[0] if found else None

    def shards(self, run_id: str) -> set[int]:
        """The shards of a run that are committed."""
        return {int(str(row["shard"])) for row in self.rows("select shard from shard where run_id = ?", run_id)}

    def measure(self, measure_id: str) -> dict[str, object] | None:
        """The row of table measure, or None."""
        found = self.rows("from measure where id = ?", measure_id)
        return found[0] if found else None

    def measure_rows(self, measures: Iterable[Measure]) -> Rows:
        """The rows of table measure that are still to be added for these measures.

        Raises DatabaseRefusal where a measure of the same id has another meaning; a wording may differ."""
        missing = []
        for row in map(dataclasses.asdict, measures):
            there = self.measure(row["id"])
            if there is None:
                missing.append(row)
                continue
            differing = [key for key in row if key not in ("title", "definition", "source") and row[key] != there[key]]
            if differing:
                raise DatabaseRefusal(
                    f"measure {row['id']!r} is in the file with another {differing[0]}", self.out.name, "choose another --out"
                )
        return {"measure": pa.Table.from_pylist(missing)} if missing else {}

    def unpublished(self) -> bool:
        """Whether the working file holds runs, shards or calibrated windows that the counters file lacks.

        Raises DatabaseRefusal where the counters file holds some that the working file lacks: publishing would lose them."""
        with self._published() as there:
            if not there:
                return True
            lost = self._lacking("published", "work")
            if lost:
                fix = f"move {self.work.name} away (it is made again from {self.out.name}), or choose another --out"
                raise DatabaseRefusal(f"holds rows of {lost[0]!r} that {self.work.name} does not", self.out.name, fix)
            return bool(self._lacking("work", "published"))

    def _lacking(self, here: str, there: str) -> list[str]:
        """The runs of which one database holds rows that the other does not."""
        windows = 'select run_id, calibration, "window"'
        query = f"""
            select run_id from (from {here}.run except from {there}.run)
            union select run_id from (select run_id, shard from {here}.shard except select run_id, shard from {there}.shard)
            union select run_id from ({windows} from {here}.intervention_window except {windows} from {there}.intervention_window)
            union select 'planted heads' from (select version from {here}.planted_score except select version from {there}.planted_score)
            order by all"""
        return [row[0] for row in self.con.execute(query).fetchall()]

    def publish(self, every: float = 0.0) -> None:
        """Replace the counters file by a snapshot of the working file, unless it is up to date or younger than `every` seconds.

        Raises EnvironmentRefusal where another process has the counters file open for writing: the committed rows stay in the
        working file."""
        if time.monotonic() - self.published_at < every or not self.unpublished():
            return
        self.published_at = time.monotonic()
        snapshot = self.snapshot
        # Only the holder of the lock comes here, so a file of this name is what a killed process left.
        snapshot.unlink(missing_ok=True)
        try:
            with told(snapshot):
                self.con.execute(f"attach {quoted(snapshot)} as snapshot (storage_version '{STORAGE_VERSION}')")
                try:
                    self.con.execute("copy from database work to snapshot")
                finally:
                    self.con.execute("detach snapshot")
            sync(snapshot)
            snapshot.replace(self.out)
            sync(self.out.parent)
        finally:
            snapshot.unlink(missing_ok=True)
