"""One shard as files: keys that know all that can change a number, rows that come back bit for bit, manifests that are not mistaken."""

import dataclasses
import itertools
import json
import re
import struct
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shards import FINDINGS, planned, shard_of

from extract.cluster.shard_files import Manifest, discard, found, leave, read, run_key, shard_key
from extract.cluster.storage import Storage, storage
from extract.config import RunConfig
from extract.errors import NumericRefusal
from extract.replica import Measured
from extract.store import Rows

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


def test_a_file_that_is_gone_is_measured_again(place: Storage) -> None:
    manifest = leave(place, "mine", shard_of(1))
    discard(place, manifest)
    assert place.names() == [] and found(place, {0: "mine"}) == {}
    assert isinstance(leave(place, "mine", shard_of(1)), Manifest)
