"""Shards as files, their keys, and how they are gathered: what workers leave comes to the tables of the plain loop, in whatever order."""

import dataclasses
import itertools
import json
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_checkpoint import save_checkpoint

from extract import quarantine
from extract.__main__ import main
from extract.cluster import Cluster
from extract.cluster.gathering import Gathering
from extract.cluster.progress import speeds_told
from extract.cluster.session import RETRIES
from extract.cluster.shard_files import Manifest, discard, found, leave, read, run_key, shard_key
from extract.cluster.storage import Storage, storage
from extract.config import RunConfig
from extract.errors import EnvironmentRefusal, NumericRefusal
from extract.families import HeadShape
from extract.job import Job, plan
from extract.loading import load
from extract.merging import Merger
from extract.replica import Findings, Measured, Replica
from extract.run import measure
from extract.store import Rows, Store

ROOT = Path(__file__).parents[2]
FINDINGS = Findings(HeadShape(2, 2, 2, 8, 16, 64), None, "kernel", "machine", 2, ({"window": 0, "position": 1, "token": "\ud7ff é"},))
OPTIONS: dict[str, object] = {
    "window": 31,
    "windows": 9,
    "shards": 5,
    "dtype": "float64",
    "seed": 1,
    "batch": 1,
    "calibration_windows": 7,
    "examples": False,
    "repeated_windows": 5,
    "repeated_tokens": 19,
    "repeated_copies": 3,
    "name": "Another",
}
# What the row of a run says in other words, by hashes or by the kind of device that was found; or not at all, for it changes no number.
NOT_OPTIONS = {"model", "corpus", "revision", "device", "device_map", "weights_sha256", "max_line_bytes"}


def planned(config: RunConfig, out: Path) -> Job:
    with Store(out) as store:
        return plan(config, store)


def measured_shards(config: RunConfig, out: Path) -> tuple[Job, list[Measured]]:
    """Every shard of a run, measured and not committed."""
    job = planned(config, out)
    replica = Replica(load(config, job.located, job.row), job.batch)
    return job, [replica.measure(shard) for shard in job.missing]


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(path), read_only=True) as con:
        names = [name for (name,) in con.execute("select table_name from duckdb_tables() order by all").fetchall()]
        return {name: con.execute(f"select * from {name} order by all").fetchall() for name in names}


def bits(rows: Rows) -> dict[str, object]:
    """Rows with their types, numbers as their bits: 0 and -0 are two, and NaN is itself."""

    def exact(value: object) -> object:
        return struct.pack("<d", value) if isinstance(value, float) else value

    return {
        name: ([(field.name, field.type) for field in table.schema], [[exact(v) for v in row.values()] for row in table.to_pylist()])
        for name, table in rows.items()
    }


def test_the_key_of_a_shard_changes_with_each_option(config: RunConfig, out: Path) -> None:
    assert {field.name for field in dataclasses.fields(RunConfig)} == OPTIONS.keys() | NOT_OPTIONS
    keys = {"none": shard_key(planned(config, out), 0)}
    for name, value in OPTIONS.items():
        keys[name] = shard_key(planned(dataclasses.replace(config, **{name: value}), out), 0)
    assert len(set(keys.values())) == len(keys), keys
    for name, value in {"max_line_bytes": 2**20, "device_map": "auto"}.items():
        assert shard_key(planned(dataclasses.replace(config, **{name: value}), out), 0) == keys["none"]


def test_the_key_of_a_shard_changes_with_every_file_and_version(config: RunConfig, out: Path) -> None:
    model = Path(config.model)
    keys = [run_key(planned(config, out))]
    with (model / "model.safetensors").open("r+b") as weights:
        weights.seek(-2, 2)
        weights.write(b"\x01")
    keys.append(run_key(planned(config, out)))
    for name, key in (("config.json", "layer_norm_epsilon"), ("tokenizer_config.json", "model_max_length")):
        told = json.loads((model / name).read_text(encoding="utf-8"))
        (model / name).write_text(json.dumps(told | {key: 77}), encoding="utf-8")
        keys.append(run_key(planned(config, out)))
    with next(Path(config.corpus).glob("*.txt")).open("a", encoding="utf-8") as text:
        text.write("more")
    job = planned(config, out)
    keys.append(run_key(job))
    versions = json.loads(str(job.row["versions"]))
    for library in ("code", "headcount", "torch", "transformers", "tokenizers", "numpy"):
        row = job.row | {"versions": json.dumps(versions | {library: "0.0.1"})}
        keys.append(run_key(dataclasses.replace(job, row=row)))
    for name in ("device", "revision", "model", "corpus", "measures"):
        row = job.row | {"config": json.dumps(json.loads(str(job.row["config"])) | {name: "another"})}
        keys.append(run_key(dataclasses.replace(job, row=row)))
    keys += [run_key(dataclasses.replace(job, config=dataclasses.replace(config, batch=windows))) for windows in (1, 2)]
    assert len(set(keys)) == len(keys)
    # Halved where so many windows did not fit: what was left before is taken all the same.
    assert run_key(dataclasses.replace(job, begun=True, row=job.row | {"batch_windows": 1})) == run_key(job)
    assert run_key(planned(config, out)) == run_key(job)


def test_every_shard_has_a_key_of_its_own(config: RunConfig, out: Path) -> None:
    job = planned(dataclasses.replace(config, repeated_windows=0), out)
    assert len({shard_key(job, shard) for shard in job.missing}) == len(job.missing) == 4


_FLOATS = st.floats(width=64, allow_nan=True) | st.sampled_from([0.0, -0.0, 5e-324, 1.7976931348623157e308])
_COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[object]]] = {
    "total": (pa.float64(), _FLOATS),
    "n": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "token": (pa.string(), st.text() | st.none()),
    "title": (pa.null(), st.none()),
    "bin": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "kept": (pa.bool_(), st.booleans() | st.none()),
}


@st.composite
def _tables(draw: st.DrawFn) -> pa.Table:
    names = draw(st.lists(st.sampled_from(sorted(_COLUMNS)), min_size=1, unique=True))
    count = draw(st.integers(0, 5))
    columns = {name: pa.array(draw(st.lists(_COLUMNS[name][1], min_size=count, max_size=count)), _COLUMNS[name][0]) for name in names}
    return pa.table(columns)


def test_rows_of_any_tables_come_back_from_a_file_bit_for_bit(tmp_path: Path) -> None:
    numbers = itertools.count()

    @settings(max_examples=25)
    @given(rows=st.dictionaries(st.sampled_from(["shard", "shard_stat", "example", "quarantine", "x"]), _tables(), min_size=1))
    def come_back(rows: Rows) -> None:
        place = storage(str(tmp_path), str(next(numbers)))
        measured = Measured(3, 17, 0.25, FINDINGS, rows)
        manifest = leave(place, "key", measured)
        there = found(place, {3: "key"})[3]
        back = read(place, there)
        assert there == manifest
        assert (back.shard, back.tokens, back.seconds, back.findings) == (3, 17, 0.25, FINDINGS)
        assert bits(back.rows) == bits(rows)

    come_back()


@pytest.fixture
def place(tmp_path: Path) -> Storage:
    return storage(str(tmp_path / "c.duckdb.shards"), "run")


def shard_of(n: int, shard: int = 0) -> Measured:
    return Measured(
        shard, 1, 0.5, FINDINGS, {"shard": pa.table({"shard": [shard], "n": [n]}), "example": pa.table({"n": pa.array([], "int64")})}
    )


def test_a_shard_that_is_measured_twice_is_one_and_one_with_other_rows_is_refused_by_both_names(place: Storage) -> None:
    first = leave(place, "key", shard_of(1))
    assert leave(place, "key", dataclasses.replace(shard_of(1), seconds=9.0)) == first
    assert set(place.names()) == {"000000.json", first.file}
    with pytest.raises(NumericRefusal, match=r"shard 0 was measured twice and came to other rows: ") as told:
        leave(place, "key", shard_of(2))
    named = re.findall(r"000000-\w{16}\.parquet", str(told.value))
    assert len(set(named)) == 2 and first.file in named
    assert all(name in place.names() for name in named)
    # What was there stays what is there.
    assert found(place, {0: "key"}) == {0: first}


def test_a_shard_of_another_key_is_no_shard_of_this_run(place: Storage) -> None:
    mine = leave(place, "mine", shard_of(1, 0))
    leave(place, "another", shard_of(1, 1))
    assert found(place, {0: "mine", 1: "mine"}) == {0: mine}
    # Nor does it stand in the way of it.
    assert leave(place, "mine", shard_of(1, 1)).key == "mine"
    assert found(place, {7: "mine"}) == {}


@pytest.mark.parametrize("torn", ["", "{", "null", '{"key": "mine"}', "\xff"])
def test_a_manifest_that_cannot_be_read_is_removed(place: Storage, torn: str) -> None:
    mine = leave(place, "mine", shard_of(1))
    place.put("000000.json", torn.encode("latin-1"))
    assert found(place, {0: "mine"}) == {}
    assert place.names() == [mine.file]
    assert leave(place, "mine", shard_of(1)) == mine


@settings(max_examples=80)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_manifest_with_a_flipped_bit_is_none(where: float, bit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = storage(folder, "run")
        mine = leave(place, "mine", shard_of(1))
        content = bytearray(place.read("000000.json"))
        content[int(where * len(content))] ^= 1 << bit
        place.put("000000.json", bytes(content))
        # A blank that became another is nothing to anybody.
        assert found(place, {0: "mine"}) in ({}, {0: mine})


def test_a_manifest_under_the_name_of_another_shard_is_none(place: Storage) -> None:
    leave(place, "mine", shard_of(1))
    place.put("000001.json", place.read("000000.json"))
    place.remove("000000.json")
    assert found(place, {0: "mine", 1: "mine"}) == {}


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> tuple[Job, list[Measured], Path]:
    """The shards of a toy run, measured; and its tables from the plain loop."""
    folder = tmp_path_factory.mktemp("gathered")
    (folder / "text.txt").write_text(" ".join(random.Random(0).choices(["the", "river", "and", "of", "12"], k=900)), encoding="utf-8")
    size = {"window": 32, "windows": 10, "shards": 4, "repeated_windows": 6, "repeated_tokens": 20}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADCOUNT_CACHE", str(folder / "cache"))
        config = RunConfig("Toy", str(save_checkpoint(folder / "toy-model", tokenizer_file)), str(folder / "text.txt"), **size)
        measure(config, folder / "plain.duckdb")
        return *measured_shards(config, folder / "planned.duckdb"), folder / "plain.duckdb"


def test_shards_are_committed_in_order_whatever_the_order_in_which_they_come(
    gathered: tuple[Job, list[Measured], Path], tmp_path: Path
) -> None:
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


def test_a_quarantined_shard_that_is_retried_is_not_taken_from_what_was_left(
    gathered: tuple[Job, list[Measured], Path], tmp_path: Path
) -> None:
    job, shards, _ = gathered
    left = storage(str(tmp_path / "shards"), run_key(job)[:16])
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
def test_where_all_shards_are_there_and_one_is_damaged_workers_are_started_for_it(
    gathered: tuple[Job, list[Measured], Path], tmp_path: Path
) -> None:
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
    gathered: tuple[Job, list[Measured], Path], tmp_path: Path
) -> None:
    job, shards, plain = gathered
    left = storage(str(tmp_path / "shards"), run_key(job)[:16])
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


def test_shards_of_which_none_can_be_measured_are_not_taken_for_faulty(gathered: tuple[Job, list[Measured], Path], out: Path) -> None:
    with Store(out) as store:
        run = Gathering(gathered[0], str(out.parent / "shards"), store)
        told = []
        for shard in range(3):
            run.given_up(shard)
            told.append(run.hopeless)
        assert told == [False, False, True]


def test_a_damaged_file_is_measured_again_once_and_refused_when_it_is_damaged_again(
    gathered: tuple[Job, list[Measured], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job, shards, _ = gathered
    left = storage(str(tmp_path / "shards"), run_key(job)[:16])
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


def test_a_file_that_is_gone_is_measured_again(place: Storage) -> None:
    manifest = leave(place, "mine", shard_of(1))
    discard(place, manifest)
    assert place.names() == [] and found(place, {0: "mine"}) == {}
    assert isinstance(leave(place, "mine", shard_of(1)), Manifest)


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
