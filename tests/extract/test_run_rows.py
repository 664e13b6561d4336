"""What stands in the file when a run has ended: what was measured, where the heads fire, and nothing local."""

import getpass
import socket
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
import torch

from extract import measures
from extract.attention import mean_outputs, measure_windows
from extract.checkpoint import load, open_checkpoint
from extract.checkpoint_files import locate
from extract.config import RunConfig
from extract.errors import DatabaseRefusal
from extract.loading import save_windows
from extract.measures import NATURAL, REPEATED, WEIGHTS
from extract.next_command import typed
from extract.repeated import repeated_windows
from extract.run import measure
from extract.store import Store
from extract.sums import ShardSums

ROOT = Path(__file__).parents[2]


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(query).fetchall()


def test_a_run_holds_what_was_measured_shard_by_shard(
    config: RunConfig, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(config, out)
    assert ask(out, "from shard order by shard") == [("Toy", shard, n, n * 31, "committed") for shard, n in enumerate((2, 3, 2, 3))]
    facts = "model, layers, heads_per_layer, window_tokens, windows, shards, dtype, device, corpus, batch_windows, quantisation, revision"
    assert ask(out, f"select {facts} from run") == [("toy-model", 2, 2, 32, 10, 4, "float32", "cpu", "texts", 32, None, None)]
    assert ask(out, "select layer, head, kv_head from head order by all") == [(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 1)]
    whole = "kind in ('relative_norm', 'residual_share')"
    assert ask(out, f"select distinct sum(n) from shard_histogram where {whole} group by kind, layer, head") == [(310,)]
    save_windows(RunConfig(**{**vars(config), "windows": 18}), tmp_path / "windows.npy")
    windows = np.load(tmp_path / "windows.npy")
    assert (windows.dtype, windows.shape) == (np.int64, (18, 32))
    checkpoint = open_checkpoint(locate(config.model), 32)
    sums = ShardSums(2, 2)
    model = load(checkpoint, "float32", "cpu")
    # The windows after the measured ones are those held out.
    means = torch.stack([mean_outputs(model, window[None]) for window in torch.from_numpy(windows[10:])]).mean(0)
    for part in (windows[2:4], windows[4:5]):
        measure_windows(model, torch.from_numpy(part), sums, measures.discover(NATURAL, WEIGHTS), mean_outputs=means)
    # Two windows of text are a pass, so one of 41 repeated tokens is.
    for number in (1, 2):
        repeated = torch.from_numpy(repeated_windows(config, checkpoint, range(number, number + 1)))
        measure_windows(model, repeated, sums, measures.discover(REPEATED))
    for name, (n, total, squares) in sums.stats.items():
        rows = ask(out, f"select n, total, total_of_squares from shard_stat where shard = 1 and measure = '{name}' order by layer, head")
        assert rows == list(zip(n.ravel(), total.ravel(), squares.ravel(), strict=True)), name
    assert {"relative_deviation", "relative_norm", "residual_share"} <= sums.histograms.keys()
    for kind, counts in sums.histograms.items():
        rows = ask(out, f"select layer, head, bin, n from shard_histogram where shard = 1 and kind = '{kind}' order by all")
        assert rows == [(*place, counts[place]) for place in zip(*np.nonzero(counts), strict=True)], kind
    told = capsys.readouterr().err
    assert "Toy: 4 heads on 310 tokens" in told
    assert f"next: {typed('report', 'build', str(out))}\n" in told


def test_llama_heads_know_their_key_value_head(config: RunConfig, out: Path, make_checkpoint: Callable[..., Path]) -> None:
    measure(RunConfig("Toy", str(make_checkpoint("llama", "toy-llama")), config.corpus, window=32, windows=2, shards=1), out)
    assert ask(out, "select head, kv_head from head where layer = 1 order by all") == [(0, 0), (1, 0), (2, 1), (3, 1)]


def test_nothing_local_stands_in_the_published_file(config: RunConfig, out: Path, tmp_path: Path) -> None:
    measure(config, out)
    # A user called root is a word like others.
    user = [getpass.getuser()] if len(getpass.getuser()) > 4 else []
    check_holds_none_of(out, str(tmp_path), str(Path.home()), str(ROOT), socket.gethostname(), *user)


def test_the_name_of_the_home_folder_is_not_published(
    config: RunConfig, out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = Path(config.model).rename(tmp_path / "ada_lovelace")
    monkeypatch.setenv("HOME", str(home))
    (home / "notes.txt").write_text("the city and the river " * 300, encoding="utf-8")
    (tmp_path / "link").symlink_to(home)
    for number, (model, corpus) in enumerate((("~", "~"), (str(home), str(home)), (str(tmp_path / "link"), str(home / "notes.txt")))):
        measure(RunConfig(f"Toy {number}", model, corpus, window=32, windows=2, shards=1), out)
    check_holds_none_of(out, home.name)
    home_folder = "home folder"
    names = [(home_folder, home_folder), (home_folder, home_folder), (home_folder, "notes.txt")]
    assert ask(out, "select model, corpus from run order by run_id") == names


def check_holds_none_of(path: Path, *words: str) -> None:
    """Neither in the bytes, where deleted and older rows would be, nor in any text of any table, which may be compressed there."""
    content = path.read_bytes()
    columns = ask(path, "select table_name, column_name from duckdb_columns() where not internal and data_type in ('VARCHAR', 'JSON')")
    assert len(columns) > 30
    for word in words:
        assert word.encode() not in content
        for table, column in columns:
            assert ask(path, f'select "{column}" from "{table}" where contains("{column}", \'{word}\')') == [], (table, column)


def test_without_repeated_windows_their_measures_are_not_in_the_file(config: RunConfig, out: Path) -> None:
    measure(RunConfig(**{**vars(config), "repeated_windows": 0}), out)
    assert ask(out, "select count(*) from measure where condition = 'repeated random tokens'") == [(0,)]
    # Windows of so few tokens end before the first position of some measures, which are known all the same.
    assert ask(out, "select distinct measure from shard_stat except select id from measure") == []
    measure(RunConfig(**{**vars(config), "name": "Second", "repeated_windows": 2}), out)
    found = "select run_id, shard, sum(n) from shard_stat where measure = 'induction_mass_repeated' group by all order by all"
    # Of 41 positions the 20 of the second copy are scored, in 4 heads; two windows stand in two of the four shards.
    assert ask(out, found) == [("Second", 1, 80), ("Second", 3, 80)]
    assert ask(out, "select distinct scored_tokens from shard where run_id = 'Second' order by all") == [(62,), (93,)]


def test_the_examples_of_a_run_are_scored_tokens_of_its_own_shards(config: RunConfig, out: Path) -> None:
    measure(config, out)
    shards = {window: shard for shard in range(4) for window in config.windows_of_shard(shard)}
    found = ask(
        out, 'select shard, "window", position, source_position, relative_norm, low, high from example join example_kind using (kind)'
    )
    assert len(found) > 4 * 20
    for shard, window, position, source, r, low, high in found:
        assert shards[window] == shard
        assert 1 <= position < 32
        assert 0 <= source <= position
        assert low <= r < high
    assert ask(out, 'select run_id, "window", position from example_token group by all having count(*) > 1') == []
    assert ask(out, "select kept, tokens_around, tokens_around_source, count(*) from example_kind group by all") == [(20, 16, 4, 6)]
    # Titles of text files are their names.
    assert ask(out, "select distinct title from window_document order by all") == [("01",), ("02",)]


def test_a_file_that_keeps_other_kinds_of_examples_is_refused(config: RunConfig, out: Path) -> None:
    with Store(out) as store:
        store.con.execute("insert into work.example_kind values ('largest', 0, 0, 1, 5, 1, 1)")
    with pytest.raises(DatabaseRefusal, match=r"the file keeps other kinds of examples \(counters.duckdb\); fix: choose another --out"):
        measure(config, out)


def test_a_file_holds_several_runs(config: RunConfig, out: Path) -> None:
    measure(config, out)
    measure(RunConfig(**{**vars(config), "name": "Second", "window": 16}), out)
    assert ask(out, "select run_id, count(*) from shard group by all order by all") == [("Second", 4), ("Toy", 4)]
    assert ask(out, "select count(distinct id) = count(*) from measure") == [(True,)]
