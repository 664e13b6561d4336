"""Shards whose sums are not finite: set aside, counted and named, and the run goes on with the others."""

import dataclasses
from pathlib import Path

import duckdb
import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from extract.config import RunConfig
from extract.errors import NumericRefusal
from extract.loading import save_windows
from extract.run import measure
from extract.store import Store

RARE = "\x07"


@pytest.fixture
def overflowing(config: RunConfig, tmp_path: Path) -> RunConfig:
    """The toy run with a character in window 6, of shard 2, whose embedding is so long that its squares are infinite."""
    return plant(config, tmp_path, window=6)


def plant(config: RunConfig, tmp_path: Path, window: int) -> RunConfig:
    """Put the character into a window that is cut from the run's text, and its embedding into the weights."""
    tokenizer = AutoTokenizer.from_pretrained(config.model)
    (rare,) = tokenizer(RARE, add_special_tokens=False)["input_ids"]
    # The windows of the run, and those that are held out after them.
    everything = dataclasses.replace(config, windows=config.windows + config.calibration_windows)
    save_windows(everything, tmp_path / "windows.npy")
    text = tokenizer.decode(np.load(tmp_path / "windows.npy")[window][1:])[10:60]
    for file in Path(config.corpus).iterdir():
        whole = file.read_text(encoding="utf-8")
        file.write_text(whole.replace(text, text[:25] + RARE + text[26:]), encoding="utf-8")
    save_windows(everything, tmp_path / "windows.npy")
    assert {int(number) for number in np.nonzero(np.load(tmp_path / "windows.npy") == rare)[0]} == {window}
    weights = Path(config.model) / "model.safetensors"
    tensors = load_file(weights)
    tensors["transformer.wte.weight"][rare] = 3e38
    save_file(tensors, weights, metadata={"format": "pt"})
    return config


def tables(path: Path, *left_out: str) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(path), read_only=True) as con:
        names = [name for (name,) in con.execute("select table_name from duckdb_tables() order by all").fetchall()]
        return {name: con.execute(f"from {name} order by all").fetchall() for name in names if name not in left_out}


def test_a_shard_with_an_infinite_value_is_set_aside_and_the_others_are_measured(overflowing: RunConfig, out: Path) -> None:
    told = r"1 of 4 shards is quarantined: shard 2, windows 6: \w+ is not finite \(L\dH\d\) \(Toy\); fix: .*--retry-quarantined"
    with pytest.raises(NumericRefusal, match=told):
        measure(overflowing, out)
    found = tables(out)
    assert [row[1:3] for row in found["shard"]] == [(0, 2), (1, 3), (3, 3)]
    ((run, shard, windows, first, bad, measured, reason),) = found["quarantine"]
    assert (run, shard, windows, first, bad) == ("Toy", 2, 2, 5, "6")
    assert reason.startswith(f"{measured} is not finite (L")
    for table in ("shard_stat", "shard_histogram", "example"):
        assert {row[1] for row in found[table]} == {0, 1, 3}, table


def test_a_quarantined_shard_is_not_measured_again_unless_that_is_asked(
    overflowing: RunConfig, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NumericRefusal):
        measure(overflowing, out)
    before = tables(out)
    capsys.readouterr()
    with pytest.raises(NumericRefusal, match="1 of 4 shards is quarantined"):
        measure(overflowing, out, must_resume=True)
    assert "complete already" in capsys.readouterr().err
    with pytest.raises(NumericRefusal, match="1 of 4 shards is quarantined"):
        measure(overflowing, out, retry_quarantined=True)
    told = capsys.readouterr().err
    assert "measuring Toy, windows: 8 of 10 done" in told
    assert "complete already" not in told
    # It has its row already.
    assert tables(out) == before


def test_a_quarantined_shard_that_is_finite_when_measured_again_is_committed_as_if_nothing_had_been(config: RunConfig, out: Path) -> None:
    measure(config, out)
    whole = tables(out, "quarantine")
    # As after a fault of the machine that has passed: shard 3, the last, is in no table but that of quarantined shards.
    out.with_name(out.name + ".work").unlink()
    with duckdb.connect(str(out)) as con:
        for table in ("shard", "shard_stat", "shard_histogram", "example"):
            con.execute(f"delete from {table} where shard = 3")
        for table in ("example_token", "window_document"):
            con.execute(f'delete from {table} where "window" >= 7')
        con.execute("insert into quarantine values ('Toy', 3, 3, 7, '8', 'entropy', 'entropy is not finite (L0H0)')")
    with pytest.raises(NumericRefusal, match="shard 3, windows 8: entropy is not finite"):
        measure(config, out)
    measure(config, out, retry_quarantined=True)
    assert tables(out, "quarantine") == whole
    with Store(out) as store:
        assert store.quarantined("Toy") == []
    measure(config, out)


def test_a_run_whose_held_out_windows_are_not_finite_is_refused_before_anything_is_measured(
    config: RunConfig, out: Path, tmp_path: Path
) -> None:
    plant(config, tmp_path, window=config.windows + 1)
    with pytest.raises(NumericRefusal, match="window 11, which is held out for the mean outputs, is not finite"):
        measure(config, out)
    assert not out.exists()
