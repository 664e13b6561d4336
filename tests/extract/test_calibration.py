"""`python -m extract calibrate`: a toy run calibrated for real, stopped, continued, and refused."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
import torch
from test_run import ask

from extract.__main__ import main
from extract.calibration import window
from extract.calibration.calibrate import Asked, calibrate
from extract.calibration.predictions import KL_EDGES, Clean
from extract.config import RunConfig
from extract.errors import CorpusRefusal, DatabaseRefusal, NumericRefusal, UsageRefusal
from extract.interrupt import Interrupted
from extract.run import measure
from extract.store import Store

ROOT = Path(__file__).parents[2]
TABLES = ("intervention", "intervention_window", "intervention_kl", "calibration_head", "histogram_bin")
QUICK = Asked(quick=True, windows=3)


@pytest.fixture
def config(make_checkpoint: Callable[..., Path], write_text: Callable[..., Path]) -> RunConfig:
    """Four windows of 24 tokens in two shards and two held out, on a random Llama of 2 x 4 heads, of a text that fills more."""
    size = {"window": 24, "windows": 4, "shards": 2, "repeated_windows": 0, "calibration_windows": 2}
    return RunConfig("Toy", str(make_checkpoint("llama")), str(write_text(120, 300, 20, 9)), **size)


def price(config: RunConfig, out: Path, asked: Asked = QUICK) -> None:
    calibrate(config, out, asked, command="calibrate it", run_command="run it")


def contents(out: Path) -> dict[str, list[tuple[object, ...]]]:
    own = {"calibration": ask(out, "select * exclude (measured_on) from calibration")}
    return {table: ask(out, f"from {table} order by all") for table in TABLES} | own


def test_a_calibration_adds_up(config: RunConfig, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(config, out)
    price(config, out)
    told = capsys.readouterr().err
    assert "below r = 0.5 adds" in told and "(3 windows" in told and told.rstrip().endswith(f"report build {out}")
    planned = ask(out, "select intervention from intervention order by ordinal")
    assert ask(out, 'select distinct "window" from intervention_window order by all') == [(0,), (1,), (2,)]
    assert ask(out, 'select count(*), count(distinct (intervention, "window")) from intervention_window') == [(3 * len(planned),) * 2]
    # 24 tokens: 23 queries of eight heads may be changed, and 22 predictions are scored.
    assert ask(out, "select distinct tokens, all_pairs from intervention_window") == [(22, 8 * 23)]
    assert ask(out, 'select max(abs(n - 22)) from (select sum(n) as n from intervention_kl group by intervention, "window")') == [(0,)]
    assert ask(out, "from intervention_window where pairs > all_pairs or removed_squares > all_squares * 1.0001 or kl < 0") == []
    assert ask(out, "select low from histogram_bin where kind = 'kl' order by bin") == [(edge,) for edge in KL_EDGES[:-1]]
    matched = """
        select count(*) from intervention_window a join intervention using (run_id, calibration, intervention)
        join intervention_window b on b.intervention = intervention.reference and b."window" = a."window"
        where rule in ('random', 'raw_norm', 'sink_mass', 'gradient_output', 'band_random', 'deviation') and a.pairs <> b.pairs"""
    assert ask(out, matched) == [(0,)]
    kinds = ask(
        out, 'select kind, count(distinct (layer, head)), count(distinct "window") from calibration_head group by kind order by kind'
    )
    assert kinds == [("ablation_mean", 8, 1), ("attribution", 8, 3), ("attribution_zero", 8, 3)]
    (row,) = ask(out, "select windows, window_tokens, first_window, quick, threshold, config from calibration")
    assert row[:5] == (3, 24, 6, True, 0.5)
    assert json.loads(str(row[5]))["ablated_heads"] == 30
    assert ask(out, "select count(*) from shard") == [(2,)]


def test_a_calibration_that_was_interrupted_goes_on_to_the_same_rows(
    config: RunConfig, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(config, out)
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(out.read_bytes())
    price(config, out)
    measured = window.measure_window

    def stopped(*args: object) -> object:
        if args[1] == 2:
            raise KeyboardInterrupt
        return measured(*args)

    monkeypatch.setattr(window, "measure_window", stopped)
    with pytest.raises(Interrupted, match=r"2 of 3 windows are kept \(.*\); fix: resume with: calibrate it") as refusal:
        price(config, copy)
    assert refusal.value.exit_code == 130
    # What is committed is published, too.
    assert ask(copy, 'select max("window") from intervention_window') == [(1,)]
    monkeypatch.undo()
    price(config, copy)
    assert contents(copy) == contents(out)


def test_a_complete_calibration_is_left_alone_without_loading_torch(
    config: RunConfig, out: Path, write_run_file: Callable[[RunConfig], Path]
) -> None:
    measure(config, out)
    price(config, out, Asked(quick=True))
    before = out.stat()
    code = f"""
import sys
from extract.__main__ import main
assert main(["calibrate", {str(write_run_file(config))!r}, "--quick", "--out", {str(out)!r}]) == 0
sys.exit(any(name in sys.modules for name in ("torch", "transformers", "report", "altair")))"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "complete already" in done.stderr
    assert out.stat().st_mtime_ns == before.st_mtime_ns


def test_a_full_calibration_stands_beside_a_quick_one(config: RunConfig, out: Path) -> None:
    measure(config, out)
    price(config, out)
    price(config, out, Asked(windows=1, tokens=8))
    rows = ask(out, "select calibration, quick, window_tokens from calibration order by calibration")
    assert rows == [(0, True, 24), (1, False, 8)]
    assert ask(out, "select distinct kind from calibration_head where calibration = 1 order by all")[:2] == [
        ("ablation_mean",),
        ("ablation_zero",),
    ]
    with pytest.raises(DatabaseRefusal, match=r"calibrated with other tokens \(8, now 24\)"):
        price(config, out, Asked(windows=1))
    price(config, out, Asked(windows=1, again=True))
    assert ask(out, "select max(calibration) from calibration") == [(2,)]


def test_the_run_must_be_there_complete_and_the_same(config: RunConfig, out: Path, write_text: Callable[..., Path]) -> None:
    with pytest.raises(DatabaseRefusal, match=r"there is no run 'Toy' to calibrate .*; fix: measure it: run it"):
        price(config, out)
    measure(config, out)
    other = replace(config, corpus=str(write_text(120, 300, 21, name="other")))
    with pytest.raises((CorpusRefusal, DatabaseRefusal), match=r"the text has changed|differs in corpus"):
        price(other, out)
    with pytest.raises(CorpusRefusal, match=r"fills \d+ windows of 24, .*; fix: ask for fewer windows with calibrate --windows"):
        price(config, out, Asked(windows=1000))
    with pytest.raises(UsageRefusal, match="25 tokens of each window"):
        price(config, out, Asked(tokens=25))
    assert ask(out, "from calibration") == []
    with Store(out) as store:
        store.con.execute("delete from work.shard where shard = 1")
        with pytest.raises(DatabaseRefusal, match=r"holds rows of 'Toy'"):
            store.publish()
    with pytest.raises(DatabaseRefusal, match=r"run 'Toy' has 1 of 2 shards .*; fix: measure the rest: run it$"):
        price(config, out)
    with Store(out) as store:
        store.con.execute("insert into work.quarantine values ('Toy', 1, 2, 2, '2', 'entropy', 'entropy is not finite (L0H0)')")
    with pytest.raises(DatabaseRefusal, match=r"run 'Toy' has 1 of 2 shards .*; fix: measure the rest: run it --retry-quarantined$"):
        price(config, out)


def test_the_command_names_the_command_that_measures_the_run(
    config: RunConfig, out: Path, write_run_file: Callable[[RunConfig], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run_file(config)
    assert main(["calibrate", str(path), "--out", str(out), "--name", "Other"]) == 7
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].endswith(f"-m extract run {path} --out {out} --name Other")
    assert main(["calibrate", str(path), "--windows", "x"]) == 2


def test_calibrated_windows_are_rows_that_publishing_may_not_lose(config: RunConfig, out: Path) -> None:
    measure(config, out)
    price(config, out)
    with Store(out) as store:
        assert not store.unpublished()
        store.con.execute('delete from work.intervention_window where "window" = 2')
        with pytest.raises(DatabaseRefusal, match=r"holds rows of 'Toy' that counters.duckdb.work does not"):
            store.publish()


def test_divergence_by_hand() -> None:
    """Two predictions over two tokens: KL((1/2, 1/2) || (3/4, 1/4)) = ln 2 − ln 3 / 2; the second prediction stays as it was."""
    logits = torch.log(torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.8, 0.2], [0.3, 0.7]]))
    tokens = torch.tensor([0, 1, 0, 1])
    clean = Clean(logits, tokens)
    assert clean.tokens == 2
    assert clean.cross_entropy == pytest.approx(-math.log(0.5) - math.log(0.2), abs=1e-6)
    changed = logits.clone()
    changed[1] = torch.log(torch.tensor([0.25, 0.75]))
    effect = clean.effect(changed)
    assert effect.kl == pytest.approx(math.log(2) - math.log(3) / 2, abs=1e-6)
    assert effect.cross_entropy == pytest.approx(-math.log(0.25) - math.log(0.2), abs=1e-6)
    assert effect.top_changed == 1
    place = effect.bins.nonzero()[0]
    assert effect.bins[place].tolist() == [1, 1]
    assert place[0] == 0 and KL_EDGES[place[1]] <= effect.kl < KL_EDGES[place[1] + 1]
    with pytest.raises(NumericRefusal):
        clean.effect(changed * math.nan)


def test_every_column_of_the_new_tables_has_a_comment_and_rejects_nan(out: Path) -> None:
    with Store(out) as store:
        query = "select table_name, column_name from duckdb_columns() where database_name = 'work' and comment is null"
        assert store.rows(query) == []
        with pytest.raises(duckdb.ConstraintException):
            store.con.execute("insert into work.calibration_head values ('r', 0, 0, 0, 0, 'attribution', 1, 'nan'::double)")
