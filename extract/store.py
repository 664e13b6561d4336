"""The only writer of the counters database.

Two files, one writer each. Rows are committed to the working file beside the counters file, `<out>.work`, which DuckDB locks;
readers only ever open the counters file, a snapshot that is replaced whole. The working file is made from the counters file where
there is none. A working file and a counters file that have parted company (somebody put another file in place) are refused, so that
no rows are ever lost by publishing.

Nothing is updated or deleted: the schema is created once, then rows are only inserted, one transaction at a time (schema.sql says why)."""

import contextlib
import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from extract.database_file import check_is_duckdb, check_writable, connect, quoted, remove_empty, sync, told
from extract.errors import DatabaseRefusal, EnvironmentRefusal
from extract.measures import Measure
from extract.migrate import can_migrate, migrate, migrating
from extract.progress import say
from extract.schema import SCHEMA, SCHEMA_VERSION, check_schema, tables_of
from extract.wal import attach, attach_work, log_of

# DuckDB 2.0's own format cannot be opened by 1.x clients nor in the browser; this one can.
STORAGE_VERSION = "v1.0.0"

Rows = Mapping[str, pa.Table]


class Store:
    """The working file of one counters database, open for writing: `with Store(path) as store`.

    With `salvage`, a log of the working file that cannot be replayed is set aside: `salvaged` is then its new place. A file of an older
    schema gives its place to a new one, and is kept. Raises EnvironmentRefusal where the folder cannot be written or another process
    writes, DatabaseRefusal where a file is no counters database, or damaged."""

    def __init__(self, out: Path, salvage: bool = False) -> None:
        self.out = out
        # First, for a folder such as "." has no name.
        check_writable(out)
        self.work = out.with_name(out.name + ".work")
        self.snapshot = out.with_name(out.name + ".snapshot")
        self.published_at = time.monotonic()
        # Seconds that the last snapshot took.
        self._took = 0.0
        remove_empty(self.work)
        for path in (self.work, out):
            check_is_duckdb(path)
        migrated = (migrating(self.work), migrating(out))
        # What does not fit into memory is put beside the file, not in the folder that the user happens to be in.
        self.con = connect(self.work, out, self.snapshot, *migrated, spill=self.work.with_name(self.work.name + ".tmp"))
        try:
            self.salvaged = self._open(salvage)
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

    def _open(self, salvage: bool) -> Path | None:
        salvaged = attach(self.con, self.work, salvage)
        with told(self.work):
            if can_migrate(self.con, "work"):
                # Detached and attached under the other name: what its log held is in the file then.
                self.con.execute("detach work")
                self.con.execute(f"attach {quoted(self.work)} as older")
                self._say_migrated(self.work, migrate(self.con, self.work))
                attach_work(self.con, self.work)
            tables = tables_of(self.con, "work")
        # Under the working file's lock: of two processes that come at once, only one may put another file in the counters file's place.
        self._migrate_published()
        if tables:
            check_schema(self.con, "work", self.work)
            if salvaged:
                # Refuses where the counters file holds shards that went with the log: they need not be measured again.
                self.unpublished()
            return salvaged
        # One transaction, so that a process killed here leaves a working file that is still empty and is made again.
        with told(self.work), self._published() as there, self._transaction():
            self.con.execute(SCHEMA.read_text(encoding="utf-8"))
            if there:
                for table in tables_of(self.con, "work"):
                    self.con.execute(f"insert into work.{table} by name from published.{table}")
            else:
                self.con.execute("insert into work.schema_version values (?)", [SCHEMA_VERSION])
        self.con.execute("checkpoint work")
        return salvaged

    def _migrate_published(self) -> None:
        """Bring a counters file of an older schema to today's."""
        if not self.out.exists():
            return
        try:
            with told(self.out):
                self.con.execute(f"attach {quoted(self.out)} as older (read_only)")
        except EnvironmentRefusal:
            # Somebody has it open for writing, which matters only when it is published.
            return
        with told(self.out):
            self._check_no_log()
            if can_migrate(self.con, "older"):
                self._say_migrated(self.out, migrate(self.con, self.out, STORAGE_VERSION))
            else:
                self.con.execute("detach older")

    def _check_no_log(self) -> None:
        """Refuse a counters file with a log, once it is attached and so nobody writes it: DuckDB would play that log into the next one."""
        log = log_of(self.out)
        if log.exists():
            fix = f"open and close it with duckdb, which puts the log into the file, or move {log.name} away"
            raise DatabaseRefusal(f"another program wrote to it and was stopped: {log.name} is there", self.out.name, fix)

    def _say_migrated(self, path: Path, kept: Path) -> None:
        say(f"{path.name} was of an older schema: it is of version {SCHEMA_VERSION} now, and the old file is kept as {kept.name}")

    @contextlib.contextmanager
    def _published(self) -> Iterator[bool]:
        """Attach the counters file as `published`, read-only; gives False where there is none."""
        if not self.out.exists():
            yield False
            return
        with told(self.out):
            self.con.execute(f"attach {quoted(self.out)} as published (read_only)")
        try:
            self._check_no_log()
            check_schema(self.con, "published", self.out)
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
        with told(self.work):
            self.con.execute("use work")
            answer = self.con.execute(query, list(parameters))
            names = [column[0] for column in answer.description]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def table(self, query: str, *parameters: str) -> pa.Table:
        """The rows of a query over the working file, as an Arrow table."""
        with told(self.work):
            self.con.execute("use work")
            return self.con.sql(query, params=list(parameters)).to_arrow_table()

    def run(self, run_id: str) -> dict[str, object] | None:
        """The row of table run, or None."""
        found = self.rows("from run where run_id = ?", run_id)
        return found[0] if found else None

    def shards(self, run_id: str) -> set[int]:
        """The shards of a run that are committed."""
        return {int(str(row["shard"])) for row in self.rows("select shard from shard where run_id = ?", run_id)}

    def quarantined(self, run_id: str) -> list[dict[str, object]]:
        """The rows of table quarantine for the shards of a run that are set aside, in their order."""
        return self.rows("from quarantine anti join shard using (run_id, shard) where run_id = ? order by shard", run_id)

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
            return not there or self._is_ahead()

    def _is_ahead(self) -> bool:
        """The same, of the counters file that is attached as `published`."""
        with told(self.out):
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
            union select run_id from (select run_id, shard from {here}.quarantine except select run_id, shard from {there}.quarantine)
            union select run_id from ({windows} from {here}.intervention_window except {windows} from {there}.intervention_window)
            union select 'planted heads' from (select version from {here}.planted_score except select version from {there}.planted_score)
            order by all"""
        return [row[0] for row in self.con.execute(query).fetchall()]

    def publish(self, every: float = 0.0) -> None:
        """Replace the counters file by a snapshot of the working file, unless it is up to date or younger than `every` seconds.

        With `every`, also not before the last one's time has passed ten times: a file of gigabytes is not copied each minute.
        Raises EnvironmentRefusal where another process has the counters file open for writing: the committed rows stay in the
        working file."""
        if time.monotonic() - self.published_at < (max(every, 10 * self._took) if every else 0.0):
            return
        # Attached until it is replaced: its lock keeps away who would write to it meanwhile, and lose what they wrote.
        with self._published() as there:
            if there and not self._is_ahead():
                return
            started = time.monotonic()
            self._replace_published()
            self.published_at = time.monotonic()
            self._took = self.published_at - started

    def _replace_published(self) -> None:
        snapshot = self.snapshot
        # Only the holder of the lock comes here, so a file of this name is what a killed process left.
        _remove(snapshot)
        try:
            with told(snapshot, source=self.work):
                self.con.execute(f"attach {quoted(snapshot)} as snapshot (storage_version '{STORAGE_VERSION}')")
                try:
                    self.con.execute("copy from database work to snapshot")
                finally:
                    self.con.execute("detach snapshot")
            sync(snapshot)
            snapshot.replace(self.out)
            sync(self.out.parent)
        finally:
            _remove(snapshot)


def _remove(snapshot: Path) -> None:
    """Remove a snapshot that came to nothing, with the log that DuckDB keeps of one that it could not finish."""
    for path in (snapshot, snapshot.with_name(snapshot.name + ".wal")):
        path.unlink(missing_ok=True)
