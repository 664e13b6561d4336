"""Run files of toy models, and the rows that a run leaves."""

import json
from pathlib import Path

import duckdb

Tables = dict[str, list[tuple[object, ...]]]


def write_run(folder: Path, checkpoint: Path, texts: Path, **settings: object) -> Path:
    """A run file in the folder: windows of 32 tokens, as many repeated ones as of text, a shard per window."""
    windows = settings.get("windows", 8)
    given = {"name": "Toy", "model": str(checkpoint), "corpus": str(texts), "window": 32, "windows": windows}
    given |= {"repeated_windows": windows, "repeated_tokens": 20} | settings
    path = folder / "toy.toml"
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items()), encoding="utf-8")
    return path


def tables(path: Path) -> Tables:
    """Every row of every table, in order; without the day on which the run was begun."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [
            name for (name,) in connection.execute("select table_name from duckdb_tables() where not internal order by all").fetchall()
        ]
        return {
            name: connection.execute(f"select {'* exclude (measured_on)' if name == 'run' else '*'} from {name} order by all").fetchall()
            for name in names
        }


def shards(path: Path) -> int:
    """Shards that are committed in a file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return int(connection.execute("select count(*) from shard").fetchall()[0][0])
