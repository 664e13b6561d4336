"""Workers on the command line: what is told of them, without Ray, and where there is no cluster."""

import re
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from shards import tables

from extract.__main__ import main
from extract.cluster import Cluster
from extract.cluster.progress import speeds_told
from extract.config import RunConfig
from extract.run import measure


def test_speeds_are_told_of_each_worker_or_of_many_as_a_range() -> None:
    def speeds(*each: list[tuple[int, float]]) -> dict[int, deque[tuple[int, float]]]:
        return {number: deque(latest) for number, latest in enumerate(each)}

    assert speeds_told({}) == "0 workers"
    assert speeds_told(speeds([], [])) == "2 workers"
    # 3,000 tokens in 2 s, and 500 in 1 s; of one that has measured nothing yet, nothing is said.
    assert speeds_told(speeds([(1000, 0.5), (2000, 1.5)], [(500, 1.0)], [])) == "2 workers, 2,000 tokens/s (1,500 + 500)"
    assert speeds_told(speeds(*([(100 * n, 1.0)] for n in range(1, 10)))) == "9 workers, 4,500 tokens/s (100 to 900 each)"


def test_without_ray_this_process_measures_alone_and_says_what_to_install(
    config: RunConfig, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(config, tmp_path / "plain.duckdb")
    capsys.readouterr()
    # What Python finds where there is none.
    monkeypatch.setitem(sys.modules, "ray", None)
    measure(config, out, cluster=Cluster(2))
    told = [line for line in capsys.readouterr().err.splitlines() if "Ray" in line]
    assert told == ["Ray is not installed, so this process measures alone; for workers: pip install 'headcount[cluster]', or make cluster"]
    assert tables(out) == tables(tmp_path / "plain.duckdb")


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (("{file}", "--name", "X"), "--name 'X' is one name for 2 runs"),
        (("{file}",), "two runs are called 'Toy'"),
        (("--shards", "s"), "--shards is where workers leave their shards"),
        (("--workers", "0"), "--workers"),
    ],
)
def test_flags_that_make_no_sense_are_refused_before_anything_is_done(
    config: RunConfig,
    out: Path,
    write_run_file: Callable[[RunConfig], Path],
    capsys: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    what: str,
) -> None:
    file = str(write_run_file(config))
    assert main(["run", file, "--out", str(out), *(flag.format(file=file) for flag in flags)]) == 2
    told = capsys.readouterr().err
    assert re.fullmatch(r"error: .+ \(.+\); fix: .+\n", told) and what in told
    assert not out.parent.exists()


def test_where_there_is_no_cluster_one_line_says_so_at_once(
    config: RunConfig, out: Path, write_run_file: Callable[[RunConfig], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    file, began = str(write_run_file(config)), time.monotonic()
    capfd.readouterr()
    assert main(["run", file, "--out", str(out), "--ray", "127.0.0.1:1"]) == 5
    told = capfd.readouterr()
    assert told.out == ""
    assert re.fullmatch(r"error: no Ray cluster at '127.0.0.1:1' \(.+\) \(--ray\); fix: .+\n", told.err), told.err
    # Ray tries for two minutes.
    assert time.monotonic() - began < 60
