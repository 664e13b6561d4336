"""The only place in the report that opens DuckDB: every connection is locked down before it runs anything.

SQL that came from elsewhere – a view in a file that somebody sent, a question that a pull request adds – can then read the tables of
its own file and nothing else: no other file or database, no extension, no variable of this process; and it cannot unlock itself.

DuckDB starts no thread of its own: one of them has ended a build (docs/log.md), and what is asked is small."""

from pathlib import Path

import duckdb

LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "lock_configuration": True,
    "threads": 1,
    # Those that read ahead; DuckDB 1 knows neither them nor the setting.
    **({"async_threads": 0} if int(duckdb.__version__.partition(".")[0]) >= 2 else {}),
}
# DuckDB writes these beside a database while it has it open.
COMPANIONS = ("", ".wal", ".wal.checkpoint", ".wal.recovery")


def read(path: Path) -> duckdb.DuckDBPyConnection:
    """A database file, read-only. Raises duckdb.Error where it cannot be opened."""
    return duckdb.connect(str(path), read_only=True, config=LOCKED)


def write(path: Path) -> duckdb.DuckDBPyConnection:
    """A database file that this process made. Raises duckdb.Error where it cannot be opened."""
    return duckdb.connect(str(path), config=LOCKED)


def in_memory(*files: Path) -> duckdb.DuckDBPyConnection:
    """No file yet, but these may be attached, by the path given here, and no other."""
    # What does not fit into memory is put beside the last of them, not in the folder that the user happens to be in.
    spill = {"temp_directory": f"{files[-1]}.tmp"}
    connection = duckdb.connect(config=spill | {name: value for name, value in LOCKED.items() if name not in LATE})
    connection.execute("set allowed_paths = $1", [[f"{file}{ending}" for file in files for ending in COMPANIONS]])
    for name, value in LATE.items():
        connection.execute(f"set {name} = {value}")
    return connection


# Files can be allowed only while access is still open, and settings changed only while they are not locked.
LATE = {"enable_external_access": "false", "lock_configuration": "true"}


def identifier(name: str) -> str:
    """A name quoted as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
