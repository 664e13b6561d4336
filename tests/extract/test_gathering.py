"""How shards are gathered: what workers leave comes to the tables of the plain loop, in whatever order, damaged or not at all."""

import dataclasses
import itertools
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shards import measured_shards, planned, tables
from toy_checkpoint import save_checkpoint

from extract import quarantine
from extract.cluster import Cluster
from extract.cluster.gathering import Gathering
from extract.cluster.session import RETRIES
from extract.cluster.shard_files import leave, run_key, shard_key
from extract.cluster.storage import Storage, storage
from extract.config import RunConfig
from extract.errors import EnvironmentRefusal
from extract.job import Job
from extract.merging import Merger
from extract.replica import Measured
from extract.run import measure
from extract.store import Store

ROOT = Path(__file__).parents[2]
Gathered = tuple[Job, list[Measured], Path]


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Gathered:
    """The shards of a toy run, measured; and its tables from the plain loop."""
    folder = tmp_path_factory.mktemp("gathered")
    (folder / "text.txt").write_text(" ".join(random.Random(0).choices(["the", "river", "and", "of", "12"], k=900)), encoding="utf-8")
    size = {"window": 32, "windows": 10, "shards": 4, "repeated_windows": 6, "repeated_tokens": 20}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADCOUNT_CACHE", str(folder / "cache"))
        config = RunConfig("Toy", str(save_checkpoint(folder / "toy-model", tokenizer_file)), str(folder / "text.txt"), **size)
        measure(config, folder / "plain.duckdb")
        return *measured_shards(config, folder / "planned.duckdb"), folder / "plain.duckdb"


@pytest.fixture
def left(gathered: Gathered, tmp_path: Path) -> Storage:
    """Where workers leave the shards of the toy run."""
    return storage(str(tmp_path / "shards"), run_key(gathered[0])[:16])


def test_shards_are_committed_in_order_whatever_the_order_in_which_they_come(gathered: Gathered, tmp_path: Path) -> None:
    job, shards, plain = gathered
    numbers, expected = itertools.count(), tables(plain)

    @settings(max_examples=6)
    @given(order=st.permutations(range(4)), twice=st.lists(st.integers(0, 3)), before=st.integers(0, 4), eager=st.booleans())
    def arrive(order: list[int], twice: list[int], before: int, eager: bool) -> None:
        where = tmp_path / f"trial-{next(numbers)}"
        left = storage(str(where / "shards"), run_key(job)[:16])
        # Some lie there from an earlier driver, some come, and some of those come again.
        for shard in order[:before]:
            leave(left, shard_key(job, shard), shards[shard])
        with Store(where / "c.duckdb") as store:
            run = Gathering(job, str(where / "shards"), store)
            assert run.found_before == before and set(run.waiting) == set(order[before:])
            for shard in [*order[before:], *twice]:
                run.arrived(leave(left, shard_key(job, shard), shards[shard]))
                while eager and run.mergeable:
                    run.merge_next()
                    assert store.shards("Toy") == set(range(run.shards))
            while run.mergeable:
                run.merge_next()
            assert run.done and run.shards == 4 and run.tokens == sum(shard.tokens for shard in shards)
            run.close()
            store.publish()
        assert tables(where / "c.duckdb") == expected
        assert sorted(path.name for path in where.iterdir()) == ["c.duckdb", "c.duckdb.work", "shards"]
        assert list((where / "shards").iterdir()) == []

    arrive()


def test_a_quarantined_shard_that_is_retried_is_not_taken_from_what_was_left(gathered: Gathered, left: Storage, tmp_path: Path) -> None:
    job, shards, _ = gathered
    with Store(tmp_path / "c.duckdb") as store:
        merger = Merger(job, store)
        merger.add(shards[0])
        merger.add(dataclasses.replace(shards[1], rows=quarantine.killed(job.config, 1, 4)))
        for shard in (1, 2):
            leave(left, shard_key(job, shard), shards[shard])
        again = dataclasses.replace(job, begun=True, row=store.run("Toy") or {}, missing=(1, 2, 3))
        run = Gathering(again, str(tmp_path / "shards"), store)
        assert sorted(run.waiting) == [1, 3] and run.found_before == 1
        run.close()


@pytest.mark.slow
def test_where_all_shards_are_there_and_one_is_damaged_workers_are_started_for_it(gathered: Gathered, tmp_path: Path) -> None:
    job, shards, plain = gathered
    out = tmp_path / "c.duckdb"
    left = storage(f"{out}.shards", run_key(job)[:16])
    for shard in shards:
        manifest = leave(left, shard_key(job, shard.shard), shard)
    left.put(manifest.file, left.read(manifest.file)[:-9])
    names = {"pathlib": "Path", "extract.cluster": "Cluster", "extract.config": "RunConfig", "extract.run": "measure"}
    script = "\n".join(f"from {module} import {name}" for module, name in names.items())
    script += f"\nmeasure({job.config!r}, Path({str(out)!r}), cluster=Cluster(workers=1))\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "shard 3 is measured again" in done.stderr
    assert tables(out) == tables(plain)


def test_a_shard_that_nobody_came_to_the_end_of_is_quarantined_and_the_others_are_committed(
    gathered: Gathered, left: Storage, tmp_path: Path
) -> None:
    job, shards, plain = gathered
    with Store(tmp_path / "c.duckdb") as store:
        run = Gathering(job, str(tmp_path / "shards"), store)
        run.given_up(0)
        # Nothing is known of the run yet, and one shard may well be at fault.
        assert not run.mergeable and not run.hopeless
        for shard in (3, 2, 1):
            run.arrived(leave(left, shard_key(job, shard), shards[shard]))
        while run.mergeable:
            run.merge_next()
        assert run.done and store.shards("Toy") == {1, 2, 3}
        (row,) = store.quarantined("Toy")
        assert (row["shard"], row["reason"]) == (0, f"the process that measured it was killed {RETRIES + 1} times")
        store.publish()
    there, expected = tables(tmp_path / "c.duckdb"), tables(plain)
    for name in ("shard_stat", "shard_histogram", "shard"):
        assert there[name] == [line for line in expected[name] if line[1] != 0], name
    assert there["run"] == expected["run"]


def test_shards_of_which_none_can_be_measured_are_not_taken_for_faulty(gathered: Gathered, out: Path) -> None:
    with Store(out) as store:
        run = Gathering(gathered[0], str(out.parent / "shards"), store)
        told = []
        for shard in range(3):
            run.given_up(shard)
            told.append(run.hopeless)
        assert told == [False, False, True]


def test_a_damaged_file_is_measured_again_once_and_refused_when_it_is_damaged_again(
    gathered: Gathered, left: Storage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job, shards, _ = gathered
    with Store(tmp_path / "c.duckdb") as store:
        run = Gathering(job, str(tmp_path / "shards"), store)
        for attempt in range(2):
            manifest = leave(left, shard_key(job, 0), shards[0])
            run.arrived(manifest)
            data = bytearray(left.read(manifest.file))
            data[len(data) // 2] ^= 1
            left.put(manifest.file, bytes(data))
            if not attempt:
                assert run.merge_next() == 0
                assert run.waiting[0] == 0 and left.names() == []
                assert f"shard 0 is measured again: {manifest.file} has other bytes" in capsys.readouterr().err
        with pytest.raises(EnvironmentRefusal, match=f"{manifest.file} has other bytes than its manifest says"):
            run.merge_next()
        assert store.shards("Toy") == set()


def test_files_that_a_driver_left_after_its_last_commit_go_with_the_next_one(config: RunConfig, out: Path) -> None:
    job, shards = measured_shards(config, out)
    place = storage(f"{out}.shards", run_key(job)[:16])
    for measured in shards:
        leave(place, shard_key(job, measured.shard), measured)
    measure(config, out)
    # The same run: what is in the database is known by the same key as what is not.
    assert run_key(planned(config, out)) == run_key(job)
    (out.parent / "named").mkdir()
    measure(config, out, cluster=Cluster(2, shards=str(out.parent / "named")))
    assert out.with_name(out.name + ".shards").exists()
    measure(config, out, cluster=Cluster(2))
    # A place that the user named stays.
    assert (out.parent / "named").exists()
    assert not out.with_name(out.name + ".shards").exists()
