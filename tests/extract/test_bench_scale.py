"""What many workers cost: merging synthetic shards for real, the simulation against what can be worked out by hand, and the page."""

import dataclasses
import json
import re
import statistics
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract.bench import result_file
from extract.bench.scale import merging, page
from extract.bench.scale.simulation import Constants, of_windows, simulate, table
from extract.errors import UsageRefusal

ROOT = Path(__file__).parents[2]
FREE = Constants(shards=(2.0,), loading=0.0, dispatch=0.0, commit=0.0, restart=0.0, storage=0.0, kills=0.0)


def test_synthetic_shards_are_really_merged_in_order() -> None:
    found = merging.measure(3, histograms=True)
    assert (found["shards"], found["heads"], found["measures"]) == (3, 1200, 20)
    # Of 24,000 rows of two random doubles each, nothing can be made smaller than those.
    assert found["file_bytes"] > 24_000 * 16
    assert found["database_bytes"] > found["file_bytes"]
    assert len(found["seconds_per_shard"]) == 1
    assert 0 < found["seconds_per_shard"][0] < 10


@given(st.integers(1, 40), st.integers(1, 60), st.floats(0.1, 100))
@settings(max_examples=30, deadline=None)
def test_without_costs_a_cluster_takes_as_many_rounds_as_its_shards_need(workers: int, shards: int, seconds: float) -> None:
    found = simulate(workers, shards, dataclasses.replace(FREE, shards=(seconds,)))
    assert found.seconds == pytest.approx(-(-shards // workers) * seconds)
    assert found.efficiency == pytest.approx(shards / (-(-shards // workers) * workers))
    assert (found.driver, found.kills, found.given_up) == (0, 0, 0)


def test_where_commits_take_longer_than_measuring_the_driver_is_what_is_waited_for() -> None:
    found = simulate(64, 640, dataclasses.replace(FREE, commit=0.1))
    # The first commit waits for the first shard; from then on the driver is never idle.
    assert found.seconds == pytest.approx(2 + 640 * 0.1, abs=0.2)
    assert found.driver > 0.95
    assert found.waiting > 300
    assert simulate(8, 640, dataclasses.replace(FREE, commit=0.1)).driver == pytest.approx(8 * 0.1 / 2, abs=0.01)


def test_loading_and_starting_are_paid_once_per_worker_and_once_per_kill() -> None:
    start = dataclasses.replace(FREE, loading=5.0, restart=3.0, storage=0.5)
    assert simulate(4, 4, start).seconds == pytest.approx(5 + 3 + 2 + 0.5)
    killed = simulate(8, 800, dataclasses.replace(start, kills=60.0))
    calm = simulate(8, 800, start)
    assert killed.kills > 20
    assert calm.kills == 0
    # Each kill loses a part of a shard, a start and a loading, on one of eight workers.
    lost = (killed.seconds - calm.seconds) * 8 / killed.kills
    assert 8 <= lost <= 8 + 2.5 + 8


def test_a_shard_that_takes_longer_than_processes_live_is_given_up() -> None:
    found = simulate(2, 6, dataclasses.replace(FREE, shards=(3600.0,), kills=20.0))
    assert found.given_up == 6
    assert found.kills == 6 * 4


def test_a_table_has_a_row_for_each_number_of_workers_and_size_of_shards() -> None:
    rows = table(FREE, (2, 4), (1, 8), 16)
    assert [(row["workers"], row["windows_per_shard"], row["shards"]) for row in rows] == [(2, 1, 32), (2, 8, 4), (4, 1, 64), (4, 8, 8)]
    assert {row["seconds"] for row in rows} == {32.0}
    assert of_windows(FREE, 8).shards == (16.0,)


def test_the_page_in_the_docs_is_that_of_the_committed_results() -> None:
    source = Path("docs/data/scale.json")
    shown = (ROOT / "docs" / "scale-measured.md").read_text(encoding="utf-8")
    assert shown == page.render(result_file.read(ROOT / source, page.KEYS, "make bench-scale"), source.as_posix())


def test_figures_of_the_page_are_those_of_the_results_and_the_simulation_is_what_the_code_gives() -> None:
    found = result_file.read(ROOT / "docs" / "data" / "scale.json", page.KEYS, "make bench-scale")
    shown = page.render(found, "x.json")
    assert f"**Overhead of the workers: {100 * found['workers']['overhead']:+.1f} % of processor time.**" in shown
    assert f"{1000 * statistics.mean(found['merging'][0]['seconds_per_shard']):.1f} ms" in shown
    constants = Constants(**{k: tuple(v) if isinstance(v, list) else v for k, v in found["constants"].items()})
    again = simulate(found["workers"]["count"], found["check"]["shards"], constants)
    assert found["check"]["predicted"] == round(again.seconds, 1)
    row = found["simulation"][-1]
    told = dataclasses.replace(constants, storage=found["assumed"]["storage"], kills=row["kills_per_hour"])
    once = simulate(row["workers"], row["shards"], of_windows(told, row["windows_per_shard"]))
    assert row["seconds"] == round(once.seconds, 4)
    assert len(re.findall(r"^\| \d+ \| \d+ \| ", shown, re.MULTILINE)) == len(found["simulation"])


def test_another_file_is_no_result(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    for text in ("{", json.dumps({"machine": {}}), "[]"):
        other.write_text(text, encoding="utf-8")
        with pytest.raises(UsageRefusal, match=r"--page"):
            result_file.read(other, page.KEYS, "make bench-scale")
