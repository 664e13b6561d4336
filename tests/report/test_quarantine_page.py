"""A run with a quarantined shard: the site is built, and says on the figure and data pages what is set aside."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from labelled_heads import add_detectors
from planted_pairs import write_pair
from planting import PLANTED, ROOT, figures_of, write_counters

from report.build import build
from report.check import check
from report.comparisons.diff import diff


@pytest.fixture
def set_aside(tmp_path: Path, change: Callable[[Path, str], None]) -> Path:
    """Planted counters of which shard 7, the last of eight, is quarantined."""
    path = write_counters(tmp_path / "counters.duckdb", PLANTED, shards_done=7)
    change(path, "insert into quarantine values ('toy', 7, 1, 7, '7', 'entropy', 'entropy is not finite (L2H1)')")
    return path


def words(page: Path) -> str:
    """The text of a page without its markup."""
    return " ".join(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")).replace("&#40;", "(").replace("&#41;", ")").split())


def test_the_pages_name_the_quarantined_shard_and_the_check_agrees(set_aside: Path, tmp_path: Path) -> None:
    site, published = tmp_path / "site", tmp_path / "headcount.duckdb"
    command = [sys.executable, "-m", "report", "build", str(set_aside), "--out", str(site), "--publish", str(published)]
    done = subprocess.run([*command, "--figures", str(figures_of(tmp_path))], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figure = words(site / "figures" / "toy" / "activation" / "index.html")
    told = "shard 7 (window 7), because entropy is not finite (L2H1); windows at fault: 7"
    assert f"1 of 8 shards is quarantined: {told}. No number here counts them." in figure
    assert "The run is unfinished" not in figure
    data = words(site / "data" / "index.html")
    assert f"1 of 8 shards is quarantined, windows in all: 1: {told}" in data
    assert check(published, site) == []
    with duckdb.connect(str(published)) as connection:
        row = connection.execute("select status, shards_done, shards_quarantined, windows_quarantined, scored_tokens from runs").fetchall()
        assert row == [("complete minus quarantined", 7, 1, 1, 700)]
        connection.execute("update quarantine set bad_windows = '6'")
    assert any("quarantined" in difference for difference in check(published, site))


def test_ten_quarantined_shards_are_named_and_the_others_counted(tmp_path: Path, change: Callable[[Path, str], None]) -> None:
    path = write_counters(tmp_path / "counters.duckdb", PLANTED, shards=20, shards_done=8)
    change(path, "insert into quarantine select 'toy', range, 1, range, range, 'entropy', 'entropy is not finite' from range(8, 20)")
    site, published = tmp_path / "site", tmp_path / "headcount.duckdb"
    build(path, site, published, figures_of(tmp_path))
    for page in ("figures/toy/activation", "data"):
        told = words(site / page / "index.html")
        assert "12 of 20 shards are quarantined" in told
        assert [int(shard) for shard in re.findall(r"shard (\d+) \(window", told)] == list(range(8, 18))
        assert "because entropy is not finite; windows at fault: 17; further shards, in the table quarantine: 2" in told
    with duckdb.connect(str(published)) as connection:
        connection.execute("delete from quarantine where shard = 19")
    differences = check(published, site)
    assert any("further_shards" in difference for difference in differences), differences


def test_pages_of_labels_pairs_maps_and_heads_say_that_shards_are_quarantined(tmp_path: Path, change: Callable[[Path, str], None]) -> None:
    path = add_detectors(write_pair(tmp_path / "counters.duckdb"))
    for table in ("shard", "shard_stat", "shard_histogram"):
        change(path, f"delete from {table} where run_id = 'toy' and shard = 7")
    change(path, "insert into quarantine values ('toy', 7, 1, 7, '7', 'entropy', 'entropy is not finite')")
    site = tmp_path / "site"
    build(path, site, tmp_path / "headcount.duckdb", figures_of(tmp_path))
    told = "has quarantined shards, which no number here counts; the data page names them."
    pages = {"labels": "The run", "comparisons/toy-toy-on-code": "The run toy", "maps/toy": "The run", "heads/toy": "A run of these heads"}
    for page, whose in pages.items():
        text = words(site / page / "index.html")
        assert f" {whose} {told}" in text, page
        assert text.count(told) == 1, page


def test_a_shard_that_was_measured_again_is_no_longer_counted_as_quarantined(set_aside: Path, change: Callable[[Path, str], None]) -> None:
    change(set_aside, "delete from quarantine; insert into quarantine values ('toy', 3, 1, 3, '3', 'entropy', 'entropy is not finite')")
    write_counters(set_aside, PLANTED, run_id="other", shards_done=8)
    change(set_aside, "insert into quarantine values ('other', 3, 1, 3, '3', 'entropy', 'entropy is not finite')")
    from report import queries

    (runs,) = [view for view in queries.views() if view.id == "runs"]
    with duckdb.connect(str(set_aside)) as connection:
        connection.execute(f"create temp view runs as {runs.sql}")
        found = connection.execute("select run_id, status, shards_quarantined from runs order by run_id").fetchall()
        assert found == [("other", "complete", 0), ("toy", "unfinished", 0)]
        assert connection.execute(queries.question("quarantined").sql, {"run_id": "other"}).fetchall() == []


def test_a_run_with_a_quarantined_shard_is_compared_as_one_of_other_shards(set_aside: Path) -> None:
    write_counters(set_aside, PLANTED + 1, run_id="whole", title="whole")
    assert "toy" in diff(set_aside, "toy", "whole")
