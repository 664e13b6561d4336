"""Disks that fill up at any moment – a real small file system, filled by somebody else's file – and what is asked for before the start."""

import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from planting import figures_of, write_counters
from small_disk import MIB, Disk, mounted_disks  # noqa: F401
from toy_runs import shards, tables, warm_checkpoint, write_run  # noqa: F401
from warm import ROOT, SEED, Running, start

from extract import assets, config
from extract.loading import space
from extract.store import Store
from report.check import check

TITLE = "Full disks"
Record = Callable[[str, str], None]


@pytest.fixture
def toy(tmp_path: Path, checkpoint: Path, write_text: Callable[..., Path], whole: bool) -> Path:
    return write_run(tmp_path, checkpoint, write_text(900, 900), windows=12 if whole else 6)


def wait_until(happened: Callable[[], bool], running: Running) -> None:
    """Until something has happened, or the process has ended."""
    while running.process.is_alive() and not happened():
        time.sleep(0.002)


def peak(disk: Disk, running: Running, seconds: float = 400.0) -> int:
    """The most bytes that were taken while a process ran."""
    most, end = 0, time.monotonic() + seconds
    while running.process.is_alive() and time.monotonic() < end:
        most = max(most, disk.used())
        time.sleep(0.002)
    assert running.ended() == 0, running.text
    return most


def begin(run_file: Path, out: Path, said: str = "said", **environment: str) -> Running:
    """A run that publishes at every shard."""
    return start(run_file.with_name(said), "extract", "run", run_file, "--out", out, PUBLISH_EVERY="0", **environment)


def test_a_disk_that_fills_during_a_run_costs_no_committed_shard(
    toy: Path, tmp_path: Path, make_disk: Callable[[int], Disk], whole: bool, record: Record
) -> None:
    draw = random.Random(SEED)
    reference = begin(toy, tmp_path / "reference.duckdb")
    assert reference.ended() == 0, reference.text
    expected = tables(tmp_path / "reference.duckdb")
    for trial in range(16 if whole else 1):
        disk, acknowledged = make_disk(64 * MIB), tmp_path / f"acknowledged{trial}"
        out = disk.folder / "counters.duckdb"
        running = begin(toy, out, ACKNOWLEDGED=str(acknowledged))
        after, left = draw.randrange(9 * MIB), draw.choice([0, draw.randrange(MIB), draw.randrange(8 * MIB)])
        wait_until(lambda running=running: "measuring the held-out" in running.text, running)
        wait_until(lambda disk=disk, after=after: disk.used() > after, running)
        disk.fill(left)
        code = running.ended(400)
        assert code in (0, 5), running.text
        if code:
            assert running.errors == [running.text.splitlines()[-1]], running.text
            assert running.errors[0].startswith("error: the disk is full ("), running.text
        disk.make_room()
        with Store(out) as store:
            kept = len(store.shards("Toy"))
        committed = acknowledged.read_text(encoding="utf-8").count("\n") if acknowledged.exists() else 0
        lost = kept < committed
        again = begin(toy, out)
        assert again.ended(400) == 0, again.text
        assert tables(out) == expected
        assert sorted(path.name for path in disk.folder.iterdir()) == ["counters.duckdb", "counters.duckdb.work"]
        outcome = "one line, exit 5, all committed shards there, resumed to the same tables" if code else "enough was left; the same tables"
        record("The disk full at a random moment of a run", "LOST a committed shard" if lost else outcome)
        assert not lost


def test_the_space_asked_for_is_what_a_run_takes_or_a_few_times_that(toy: Path, make_disk: Callable[[int], Disk], record: Record) -> None:
    disk, chosen = make_disk(256 * MIB), config.read(toy)
    taken, asked = peak(disk, begin(toy, disk.folder / "counters.duckdb")), space(chosen, 4, chosen.shards)
    assert taken <= asked <= 4 * taken, (taken, asked)
    record("The space that a toy run asks for, beside what it takes", "at least as much, at most four times")


def test_the_space_that_the_embedded_model_asks_for_is_honest_too(
    make_disk: Callable[[int], Disk], tmp_path: Path, whole: bool, record: Record
) -> None:
    there, cache = Path.home() / ".cache" / "headcount", tmp_path / "linked"
    if not whole or not any(there.glob(f"model-{assets.MODEL.file_sha256[:16]}-*")):
        pytest.skip("measures the embedded model: only with --whole, and where it is in the cache")
    cache.mkdir()
    for folder in there.glob("*-*"):
        (cache / folder.name).symlink_to(folder)
    disk, chosen = make_disk(512 * MIB), config.read(ROOT / "runs" / "embedded.toml", windows=8)
    words = (ROOT / "runs" / "embedded.toml", "--windows", "8", "--out", disk.folder / "counters.duckdb")
    taken = peak(disk, start(tmp_path / "said", "extract", "run", *words, PUBLISH_EVERY="0", HEADCOUNT_CACHE=str(cache)))
    asked = space(chosen, 270, chosen.shards)
    assert taken <= asked <= 4 * taken, (taken, asked)
    record("The space that a run of the embedded model asks for, beside what it takes", "at least as much, at most four times")


def test_a_disk_too_small_is_told_before_the_model_is_loaded(
    toy: Path, make_disk: Callable[[int], Disk], tmp_path: Path, record: Record
) -> None:
    disk = make_disk(8 * MIB)
    running = begin(toy, disk.folder / "counters.duckdb")
    assert running.ended() == 5
    assert running.errors == running.text.splitlines()
    asked = re.search(r"^error: \d MiB are free, the run may need (\d+) MiB \(", running.text)
    chosen = config.read(toy)
    # What is published is asked for as well: as yet the headers of an empty file.
    needed = space(chosen, 4, chosen.shards)
    assert asked and needed < int(asked[1]) * MIB < needed + 2 * MIB, running.text
    write_counters(tmp_path / "counters.duckdb", np.array([[20, 80]] * 4))
    words = (tmp_path / "counters.duckdb", "--out", disk.folder / "site", "--publish", disk.folder / "h.duckdb")
    running = start(tmp_path / "said", "report", "build", *words)
    assert running.ended() == 5
    assert running.errors == running.text.splitlines()
    assert " MiB are free, the build may need " in running.text
    record("A disk that is too small from the start, for a run and for a site", "one line, exit 5, before anything is loaded")


def test_a_disk_that_fills_during_a_build_leaves_the_last_good_site(
    make_disk: Callable[[int], Disk], tmp_path: Path, whole: bool, record: Record
) -> None:
    draw, disk = random.Random(SEED), make_disk(128 * MIB)
    figures, temporary = figures_of(tmp_path), disk.folder / "temporary"
    temporary.mkdir()
    for name, share in (("one", 80), ("other", 50)):
        write_counters(tmp_path / f"{name}.duckdb", np.array([[20, share]] * 4))
    site, published = disk.folder / "site", disk.folder / "headcount.duckdb"
    places = ("--out", site, "--publish", published, "--figures", figures)

    def build(name: str) -> Running:
        return start(tmp_path / "said", "report", "build", tmp_path / f"{name}.duckdb", *places, TMPDIR=str(temporary))

    before = disk.used()
    first = build("one")
    taken = peak(disk, first) - before
    good = (site / "SHA256SUMS").read_bytes()
    # Early, where there is one: what was built up to there is thrown away.
    latest = int((0.9 if whole else 0.3) * taken)
    for _ in range(10 if whole else 1):
        start_used, after = disk.used(), draw.randrange(latest)
        running = build("other")
        wait_until(lambda start_used=start_used, after=after: disk.used() - start_used > after, running)
        disk.fill(draw.choice([0, draw.randrange(MIB)]))
        assert running.ended() == 5, running.text
        assert running.errors == [running.text.strip().splitlines()[-1]], running.text
        assert running.errors[0].startswith("error: the disk is full"), running.text
        assert (site / "SHA256SUMS").read_bytes() == good
        assert check(published, site) == []
        disk.make_room()
        assert {path.name for path in disk.folder.iterdir()} == {"site", "headcount.duckdb", "temporary"}
        assert not list(temporary.iterdir())
        record("The disk full at a random moment of `report build`", "one line, exit 5, the last good site and its file stand")
    if whole:
        again = build("other")
        assert again.ended() == 0, again.text
        assert check(published, site) == []
        record("The same build with space again", "ends whole")


def test_a_disk_that_fills_while_the_text_or_the_console_is_fetched_leaves_nothing_half(
    toy: Path, make_disk: Callable[[int], Disk], tmp_path: Path, whole: bool, record: Record
) -> None:
    if not whole:
        pytest.skip("fetches from the package index: only with --whole")
    run_file = tmp_path / "embedded.toml"
    run_file.write_text(toy.read_text(encoding="utf-8").replace(str(tmp_path / "texts"), "embedded"), encoding="utf-8")
    write_counters(tmp_path / "counters.duckdb", np.array([[20, 80]] * 4))
    figures, draw = figures_of(tmp_path), random.Random(SEED)
    site = (tmp_path / "counters.duckdb", "--out", tmp_path / "site", "--publish", tmp_path / "h.duckdb", "--figures", figures)
    commands = {
        "the embedded text": ("extract", "run", run_file, "--out", tmp_path / "results" / "counters.duckdb"),
        "the console with npm": ("report", "build", *site, "--console"),
    }
    for what, command in commands.items():
        for _ in range(3):
            disk = make_disk(draw.randrange(MIB // 4, 6 * MIB))
            temporary = disk.folder / "temporary"
            temporary.mkdir()
            places = {"HEADCOUNT_CACHE": str(disk.folder / "cache"), "TMPDIR": str(temporary), "npm_config_cache": str(temporary / "npm")}
            running = start(tmp_path / "said", *command, **places)
            assert running.ended(400) == 5, running.text
            assert running.errors == [running.text.strip().splitlines()[-1]], running.text
            kept = [path.name for path in (disk.folder / "cache").glob("*") if path.suffix != ".json"]
            assert not kept
            assert not (tmp_path / "site").exists()
            record(f"The disk of the cache full while {what} is fetched", "one line, exit 5, nothing half in the cache")


def test_a_published_file_is_whole_when_the_disk_fills_between_runs(toy: Path, make_disk: Callable[[int], Disk], record: Record) -> None:
    disk = make_disk(64 * MIB)
    out = disk.folder / "counters.duckdb"
    assert begin(toy, out).ended() == 0
    disk.fill(0)
    before, table = tables(out), toy.with_name("table.csv")
    table.write_text("layer,head,value\n0,0,0.5\n", encoding="utf-8")
    words = ("--into", out, "--run", "theirs", "--measure", "m", "--unit", "share", "--source", "s")
    refused = start(toy.with_name("said"), "extract", "import-heads", table, *words)
    assert refused.ended() == 5, refused.text
    assert refused.errors == refused.text.splitlines()
    assert tables(out) == before
    disk.make_room()
    assert start(toy.with_name("said"), "extract", "import-heads", table, *words).ended() == 0
    assert {row[0] for row in tables(out)["run"]} == {"Toy", "theirs"}
    assert shards(out) == len(before["shard"]) + 1
    record("An import on a full disk", "one line, exit 5; given again with space, both are there")
