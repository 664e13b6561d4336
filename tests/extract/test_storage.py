"""Places for shard files: a folder, buckets, and the rest of what fsspec reaches."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_disk import MIB, Disk, mounted_disks  # noqa: F401
from stores import refusals

from extract.__main__ import main
from extract.cluster.folder import Folder
from extract.cluster.storage import Storage, absolute, check_place, storage
from extract.config import RunConfig

ROOT = Path(__file__).parents[2]
KINDS = ("folder", "memory", "file", "s3", "gcs")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_there_until_it_is_removed(kind: str, open_place: Callable[[str], Callable[..., Storage]]) -> None:
    place = open_place(kind)("run")
    assert place.names() == []
    with pytest.raises(FileNotFoundError):
        place.read("a.json")
    place.put("b.parquet", b"first")
    place.put("b.parquet", b"second")
    place.put("empty", b"")
    place.put(".hidden", b"")
    assert place.names() == ["b.parquet", "empty"]
    assert (place.read("b.parquet"), place.read("empty")) == (b"second", b"")
    place.remove("empty")
    place.remove("empty")
    assert place.names() == ["b.parquet"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_created_once(kind: str, open_place: Callable[[str], Callable[..., Storage]]) -> None:
    opened = open_place(kind)
    assert opened("run").create("a.json", b"first")
    assert not opened("run").create("a.json", b"second")
    assert opened("run").read("a.json") == b"first"
    opened("run").remove("a.json")
    assert opened("run").create("a.json", b"third")
    assert opened("run").read("a.json") == b"third"


@pytest.mark.parametrize("kind", KINDS)
def test_what_another_writes_after_a_listing_is_found(kind: str, open_place: Callable[[str], Callable[..., Storage]]) -> None:
    opened = open_place(kind)
    driver = opened("run")
    if kind in ("s3", "gcs"):
        # Connected and informed apart, as another process would be.
        fsspec.get_filesystem_class(kind).clear_instance_cache()
    worker = opened("run")
    worker.put("0", b"early")
    assert driver.names() == ["0"]
    worker.put("1", b"late")
    assert driver.read("1") == b"late"
    worker.put("0", b"other")
    assert driver.read("0") == b"other"
    assert driver.names() == ["0", "1"]
    worker.remove("0")
    assert driver.names() == ["1"]
    with pytest.raises(FileNotFoundError):
        driver.read("0")


@pytest.mark.parametrize("kind", KINDS)
def test_clearing_a_run_leaves_the_others(kind: str, open_place: Callable[[str], Callable[..., Storage]]) -> None:
    opened = open_place(kind)
    for run in ("run", "run2"):
        opened(run).put("0", b"")
        opened(run).put(".left", b"")
    opened("run").clear()
    opened("run").clear()
    assert (opened("run").names(), opened("run2").names()) == ([], ["0"])
    with pytest.raises(FileNotFoundError):
        opened("run").read(".left")


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_that_can_be_used_is_found_to_be_so_and_left_as_it_was(
    kind: str, open_place: Callable[[str], Callable[..., Storage]], tmp_path: Path
) -> None:
    opened = open_place(kind)
    check_place(opened("run"), kind)
    assert opened("run").names() == []
    assert not list(tmp_path.rglob("run")) or kind == "file"
    opened("run").put("0", b"here")
    check_place(opened("run"), kind)
    assert (opened("run").names(), opened("run").read("0")) == (["0"], b"here")
    if kind == "folder":
        assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


_STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "create", "remove", "read", "names"]), st.sampled_from(["a", "b.json", ".c"]), st.binary(max_size=9)),
    max_size=25,
)


@pytest.mark.parametrize(("kind", "examples"), [("folder", 25), ("memory", 50), ("s3", 10), ("gcs", 10)])
def test_a_storage_is_a_dictionary(kind: str, examples: int, open_place: Callable[[str], Callable[..., Storage]]) -> None:
    open_place(kind)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_STEPS)
    def follows(steps: list[tuple[str, str, bytes]]) -> None:
        place, there = open_place(kind)("run"), dict[str, bytes]()
        for what, name, data in steps:
            if what == "put":
                place.put(name, data)
                there[name] = data
            elif what == "create":
                assert place.create(name, data) == (name not in there)
                there.setdefault(name, data)
            elif what == "remove":
                place.remove(name)
                there.pop(name, None)
            elif what == "read" and name in there:
                assert place.read(name) == there[name]
            elif what == "read":
                with pytest.raises(FileNotFoundError):
                    place.read(name)
            else:
                assert place.names() == sorted(name for name in there if name[0] != ".")

    follows()


def race(place: str, processes: int, names: int, *flags: str) -> list[list[int]]:
    """The names that each of so many processes created."""
    command = [sys.executable, Path(__file__).with_name("racers.py"), place, str(processes), str(names), *flags]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    created = [json.loads(line)[1] for line in done.stdout.splitlines()]
    if None in created:
        pytest.skip("the kernel takes no filter of system calls, so hard links cannot be refused")
    return created


@pytest.mark.parametrize(("kind", "count", "flags"), [("folder", 50, ()), ("folder", 150, ("no-links",)), ("s3", 20, ()), ("gcs", 20, ())])
def test_of_eight_processes_exactly_one_creates_each_file(
    kind: str, count: int, flags: tuple[str, ...], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if kind != "folder":
        request.getfixturevalue(kind)
    place = {"folder": str(tmp_path / "race"), "s3": "s3://shards/race", "gcs": "gs://shards/race"}[kind]
    created = race(place, 8, count, *flags)
    assert len(created) == 8
    assert sorted(name for names in created for name in names) == list(range(count))
    files = storage(place)
    assert files.names() == sorted(str(name) for name in range(count))
    for name in files.names():
        assert len(set(files.read(name).decode().split(f" {name}")) - {""}) == 1


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/headcount", "file://{}/file"])
def test_a_folder_that_cannot_be_made_is_refused(place: str, tmp_path: Path) -> None:
    if place.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("there is no /proc")
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    there = storage(place.format(tmp_path) if place.startswith(("/", "file:")) else str(tmp_path / place), "run")
    said = refusals(lambda: check_place(there, place))
    assert said.startswith("error: shards cannot be written: ")
    assert "/run); fix: mend the folder, or choose another --shards" in said
    assert (tmp_path / "file").read_text(encoding="utf-8") == "in the way"


def test_a_folder_that_may_only_be_read_is_refused(make_disk: Callable[[int], Disk]) -> None:
    disk = make_disk(MIB)
    place = storage(str(disk.folder))
    place.put("0", b"there")
    subprocess.run(["mount", "-o", "remount,ro", str(disk.folder)], check=True)
    assert "Read-only file system" in refusals(lambda: check_place(place, ""))
    assert "shards cannot be removed: Read-only file system" in refusals(lambda: place.remove("0"))
    assert (place.names(), place.read("0")) == (["0"], b"there")


def test_a_full_disk_costs_nothing_that_was_there(make_disk: Callable[[int], Disk]) -> None:
    disk = make_disk(2 * MIB)
    place = storage(str(disk.folder), "run")
    place.put("0", b"there" * 1000)
    used = disk.used()
    for write in (place.put, place.create):
        for name in ("0", "1"):
            assert refusals(lambda write=write, name=name: write(name, bytes(3 * MIB))).startswith("error: the disk is full (")
    assert (place.names(), place.read("0"), disk.used()) == (["0"], b"there" * 1000, used)
    disk.fill(0)
    assert refusals(lambda: check_place(place, "")).startswith("error: the disk is full (")
    disk.make_room()
    check_place(place, "")
    place.put("1", bytes(MIB))
    assert place.names() == ["0", "1"]


def test_the_command_line_says_in_one_line_that_shards_cannot_be_left(
    config: RunConfig,
    out: Path,
    write_run_file: Callable[[RunConfig], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    words = ("run", str(write_run_file(config)), "--out", str(out), "--workers", "1", "--shards")
    for place, told in (
        ("file", "shards cannot be written: Not a directory"),
        ("no://x", "--shards cannot be used: Protocol not known: no"),
    ):
        assert main([*words, str(tmp_path / place) if place == "file" else place]) == 5
        said = capsys.readouterr()
        assert said.err.startswith(f"error: {told}")
        assert said.err.count("\n") == 1
    assert not [path for path in out.parent.iterdir() if path.name.endswith(".shards")]


_WRITER = """
import hashlib, random, sys
from extract.cluster.storage import storage
place, draw = storage(sys.argv[1]), random.Random(int(sys.argv[2]))
for number in range(10**6):
    data = draw.randbytes(draw.randrange(4 * 2**20))
    (place.put if number % 2 else place.create)(hashlib.sha256(data).hexdigest(), data)
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_no_torn_file(tmp_path: Path) -> None:
    place, draw, half = Folder(tmp_path / "run"), random.Random(0), 0
    for trial in range(60):
        # Six times, and on until one was killed in the middle of a file.
        if trial >= 6 and half:
            break
        command = [sys.executable, "-c", _WRITER, tmp_path / "run", str(trial)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(draw.uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
        half = max(half, sum(path.name.startswith(".") for path in (tmp_path / "run").iterdir()))
        assert place.names()
        for name in place.names():
            assert hashlib.sha256(place.read(name)).hexdigest() == name
    assert half, "nobody was killed in the middle"
    place.clear()
    assert not (tmp_path / "run").exists()


def test_an_address_is_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("shards") == absolute("file://shards") == absolute("local://shards") == str(tmp_path / "shards")
    assert absolute("/shards") == absolute("file:///shards") == "/shards"
    assert absolute("s3://bucket/shards") == "s3://bucket/shards"


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nothing://bucket/x", "--shards cannot be used: Protocol not known: nothing"),
        ("simplecache::s3://bucket/x", "--shards takes no address within an address"),
        ("data://x", "data has no way to create a file only where there is none"),
    ],
)
def test_an_address_that_cannot_hold_shards_is_refused(place: str, told: str) -> None:
    assert told in refusals(lambda: storage(place))


@pytest.mark.parametrize(("package", "place"), [("s3fs", "s3://bucket/x"), ("gcsfs", "gs://bucket/x"), ("adlfs", "abfs://bucket/x")])
def test_a_package_that_is_not_there_is_named(package: str, place: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None\nfrom extract.cluster.storage import storage\nstorage({place!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    said = done.stderr.splitlines()[-1]
    assert "EnvironmentRefusal: error: --shards cannot be used: " in said
    assert f"nstall {package}" in said
