"""Run files of toy models, and the rows that a run leaves."""

import json
from pathlib import Path

import duckdb
import pytest
from warm import start

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


@pytest.fixture(scope="module", name="checkpoint")
def warm_checkpoint(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Path:
    """A toy, made by a warm process: this one need not load what makes it. Under another name, as an argument would hide the import."""
    folder = tmp_path_factory.mktemp("checkpoint")
    made = start(folder / "said", "checkpoint", folder / "toy-model", tokenizer_file)
    assert made.ended() == 0, made.text
    return folder / "toy-model"
