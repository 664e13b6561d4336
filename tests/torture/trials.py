"""The harness of kills: starts children of the fork server, kills them at a moment or when a file appears, and compares tables."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).parents[2]
# Longer than any child takes on a busy core, so that one that hangs is seen.
LIMIT = 180.0
# Written anew with every run: the day on which it was begun.
DAYS = ("measured_on",)
# Called beside a child, with its process id and a function that waits so many seconds and says whether it has ended.
Kill = Callable[[int, Callable[[float], bool]], None]


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, or minus the signal; what it said that it had committed; its stderr."""

    status: int
    said: tuple[str, ...]
    errors: str
    seconds: float

    @property
    def committed(self) -> set[tuple[str, int]]:
        """(table, number) of every shard or window whose commit had returned."""
        return {(line.split()[1], int(line.split()[2])) for line in self.said if line.startswith("committed ")}

    @property
    def steps(self) -> list[str]:
        """The steps in order, where they were asked for."""
        return [line.removeprefix("step ") for line in self.said if line.startswith("step ")]


@dataclass
class ForkServer:
    """The warm process; `start` one child at a time."""

    folder: Path
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        paths = os.pathsep.join(str(ROOT / part) for part in ("", "tests/torture", "tests/extract"))
        environment = os.environ | {"PYTHONPATH": paths, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HEADCOUNT_CACHE": str(self.folder)}
        command = [sys.executable, str(Path(__file__).with_name("fork_server.py"))]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, bufsize=1
        )
        self._answer()

    def _answer(self) -> dict[str, int]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the fork server has ended"
        return json.loads(line)

    def start(self, program: str, *command: str, kill: Kill | None = None, **more: Any) -> Ended:
        """One child to its end. `kill` is called beside it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        log, errors = self.folder / "log", self.folder / "errors"
        for file in (log, errors):
            file.unlink(missing_ok=True)
        request = {"program": program, "command": command, "log": str(log), "errors": str(errors)} | more
        self.process.stdin.write(json.dumps(request) + "\n")
        pid = self._answer()["pid"]
        # What the server had to load first is no part of it.
        began = time.monotonic()
        answer: list[dict[str, int]] = []

        def ended(seconds: float) -> bool:
            if not answer and select.select([self.process.stdout], [], [], seconds)[0]:
                answer.append(self._answer())
            return bool(answer)

        if kill is not None:
            kill(pid, ended)
        if not ended(LIMIT):
            os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"{program} {' '.join(command)} hangs: {errors.read_text(encoding='utf-8')}")
        said = tuple(log.read_text(encoding="utf-8").splitlines()) if log.exists() else ()
        told = errors.read_text(encoding="utf-8") if errors.exists() else ""
        return Ended(answer[0]["status"], said, told, time.monotonic() - began)

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(LIMIT)
        self.process.stdout.close()


def send(pid: int, number: int) -> None:
    """A signal to a child; nothing where it has ended meanwhile (it is not reaped before its answer is read)."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def after(seconds: float, *signals: int, between: float = 0.01, begun: Path | None = None) -> Kill:
    """A moment: the signals are sent so many seconds after the start, or after there is something in the file `begun`."""

    def kill(pid: int, ended: Callable[[float], bool]) -> None:
        while begun is not None and not (begun.exists() and begun.stat().st_size):
            if ended(0.001):
                return
        wait = seconds
        for number in signals or (signal.SIGKILL,):
            if ended(wait):
                return
            send(pid, number)
            wait = between

    return kill


def when(condition: Callable[[], bool]) -> Kill:
    """The moment at which something is seen from outside, such as a file that appears."""

    def kill(pid: int, ended: Callable[[float], bool]) -> None:
        seen = False
        while not seen:
            if ended(0.0):
                return
            # Between a look and the next, a file may be gone.
            with contextlib.suppress(FileNotFoundError):
                seen = condition()
        send(pid, signal.SIGKILL)

    return kill


class Difference(AssertionError):
    """What a trial has found: rows lost, torn or changed, processes left behind."""


def attempt(record: Callable[[str, str], None], what: str, trial: Callable[[], str]) -> str | None:
    """One trial, counted; gives what it found, where it found something."""
    try:
        record(what, trial())
    except Difference as found:
        record(what, "LOST, torn or left behind")
        return f"{what}: {found}"
    return None


def check_told(ended: Ended, where: str) -> None:
    """Exit 130 and one line, the last one, that says how to go on."""
    lines = ended.errors.splitlines()
    if ended.status != 130 or sum(line.startswith("error: ") for line in lines) != 1 or "Traceback" in ended.errors:
        raise Difference(f"{where}: ended with {ended.status}: {ended.errors}")
    if not lines[-1].startswith("error: interrupted") or not ("resume with: " in lines[-1] or "run the same command again" in lines[-1]):
        raise Difference(f"{where}: told {lines[-1]}")


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    query = "select table_name, column_name from duckdb_columns() where database_name = 'whole' and not internal order by all"
    found: dict[str, list[str]] = {}
    for table, column in connection.execute(query).fetchall():
        if column not in DAYS:
            found.setdefault(table, []).append(f'"{column}"')
    return found


def compare(whole: Path, part: Path, scratch: Path, *, complete: bool) -> set[tuple[str, int]]:
    """Hold a file against that of the uninterrupted run; gives the shards and calibrated windows that it holds.

    Each must have all its rows and no other; what belongs to no shard must be there as soon as there is one. With `complete` every
    table must be equal. Looks at copies, with the log of uncommitted pages beside them, as looking must mend nothing. Raises Difference."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for file in (part, part.with_name(part.name + ".wal")):
        if file.exists():
            shutil.copy(file, scratch / file.name)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{whole}' as whole (read_only)")
        connection.execute(f"attach '{scratch / part.name}' as part")
        columns = _columns(connection)
        there = {row[0] for row in connection.execute("select table_name from duckdb_tables() where database_name = 'part'").fetchall()}
        if not there and not complete:
            return set()
        if there != set(columns):
            raise Difference(f"the tables are {sorted(there)}")
        numbers = {
            table: {row[0] for row in connection.execute(f'select distinct "{key}" from part.{table}').fetchall()}
            for table, key in (("shard", "shard"), ("intervention_window", "window"))
        }
        imported = connection.execute("from part.published_count limit 1").fetchall()
        begun = {"run": bool(numbers["shard"] or imported), "calibration": bool(numbers["intervention_window"])}
        for table, names in columns.items():
            for query in _differences(table, names, complete, begun):
                if found := connection.execute(query).fetchall():
                    raise Difference(f"{table}: {query.split()[0]} {found[:2]}")
    return {(table, number) for table, found in numbers.items() for number in found}


def _differences(table: str, names: list[str], complete: bool, begun: dict[str, bool]) -> list[str]:
    """Queries that find nothing where a table is whole, as far as it goes."""
    listed = ", ".join(names)
    mine, theirs = f"select {listed} from part.{table}", f"select {listed} from whole.{table}"
    if not complete:
        if '"calibration"' in names and '"window"' in names:
            theirs += ' where (calibration, "window") in (select (calibration, "window") from part.intervention_window)'
        elif table in ("calibration", "intervention"):
            theirs += "" if begun["calibration"] else " limit 0"
        elif '"shard"' in names:
            theirs += " where shard in (select shard from part.shard)"
        elif '"window"' in names and table != "worked_token":
            # A shard of these trials is one window.
            theirs += ' where "window" in (select shard from part.shard)'
        elif table == "histogram_bin":
            theirs += f" where {begun['calibration']} or kind <> 'kl'" if begun["run"] else " limit 0"
        elif table != "schema_version" and not begun["run"]:
            theirs += " limit 0"
    return [f"({mine}) except all ({theirs})", f"({theirs}) except all ({mine})"]
