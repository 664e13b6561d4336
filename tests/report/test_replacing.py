"""Putting a site in place: in one step, by one build at a time, and cleared of what a killed one left."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from report import replacing
from report.errors import EnvironmentRefusal
from report.replacing import put_in_place, workplace


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("old")
    return folder


def make(work: Path) -> tuple[Path, Path]:
    """A published file and a site, as a build makes them."""
    (work / "headcount.duckdb").write_text("new")
    (work / "site").mkdir()
    (work / "site" / "index.html").write_text("new")
    (work / "site" / "docs").mkdir()
    (work / "site" / "docs" / "page.html").write_text("new")
    return work / "headcount.duckdb", work / "site"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_site_and_file_take_the_place_of_the_old_ones_and_nothing_else_stays(site: Path) -> None:
    published = site.with_name("headcount.duckdb")
    published.write_text("old")
    with published.open() as reader:
        with workplace(site) as work:
            database, fresh = make(work)
            put_in_place(database, published, fresh, site)
        # Whoever reads it goes on reading the old one.
        assert reader.read() == "old"
    assert (site / "index.html").read_text() == published.read_text() == "new"
    assert names(site.parent) == ["headcount.duckdb", "site"]


def test_the_folders_of_both_are_on_the_disk_at_the_end(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(replacing.os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    results = site.with_name("results")
    results.mkdir()
    with workplace(site) as work:
        database, fresh = make(work)
        put_in_place(database, results / "headcount.duckdb", fresh, site)
        assert sorted(synced[-2:]) == sorted(folder.stat().st_ino for folder in (results, site.parent))


def test_all_of_the_new_site_is_on_the_disk_before_it_takes_a_place_and_the_old_one_is_removed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace, exchange, remove = os.fsync, Path.replace, replacing._exchanged, replacing.shutil.rmtree

    def around(step: str, do: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given, **options: (steps.append(step), do(*given, **options))[1]

    with workplace(site) as work:
        database, fresh = make(work)
        place = {path.stat().st_ino: path.name for path in (fresh, *fresh.rglob("*"), site.parent)}
        monkeypatch.setattr(replacing.os, "fsync", lambda handle: (steps.append(place[os.fstat(handle).st_ino]), fsync(handle))[1])
        monkeypatch.setattr(Path, "replace", around("file", replace))
        monkeypatch.setattr(replacing, "_exchanged", around("exchange", exchange))
        monkeypatch.setattr(replacing.shutil, "rmtree", around("removal", remove))
        put_in_place(database, site.with_name("headcount.duckdb"), fresh, site)
    assert steps == ["page.html", "docs", "index.html", "site", "file", "exchange", site.parent.name, "removal"]


def test_where_folders_can_be_exchanged_there_is_no_moment_without_a_site(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = site.with_name("one"), site.with_name("other")
    one.mkdir()
    other.mkdir()
    if not replacing._exchanged(one, other):
        pytest.skip("this file system cannot exchange folders")
    seen = []

    def watched(real: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def rename(path: Path, target: Path) -> Path:
            made = real(path, target)
            seen.append(site.is_dir())
            return made

        return rename

    monkeypatch.setattr(Path, "rename", watched(Path.rename))
    monkeypatch.setattr(Path, "replace", watched(Path.replace))
    with workplace(site) as work:
        database, fresh = make(work)
        put_in_place(database, site.with_name("headcount.duckdb"), fresh, site)
        # Where the new one was made, and so in one step.
        assert (fresh / "index.html").read_text() == "old"
        assert not (work / "old").exists()
    assert seen and all(seen)
    assert (site / "index.html").read_text() == "new"


def test_where_folders_cannot_be_exchanged_the_old_site_is_moved_away_and_put_back_if_that_is_as_far_as_it_came(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing, "_exchanged", lambda one, other: False)
    with workplace(site) as work:
        database, fresh = make(work)
        put_in_place(database, site.with_name("headcount.duckdb"), fresh, site)
        assert (work / "old" / "index.html").read_text() == "old"
    assert (site / "index.html").read_text() == "new"
    # As if the process had been killed between the two renames.
    killed = site.with_name("site.tmp-build")
    killed.mkdir()
    site.rename(killed / "old")
    with workplace(site):
        assert (site / "index.html").read_text() == "new"
    assert names(site.parent) == ["headcount.duckdb", "site"]


def test_what_a_killed_build_left_is_cleared_away_and_nothing_else(site: Path) -> None:
    for left in ("site.tmp-build", "site.tmp-123"):
        (site.with_name(left) / "docs").mkdir(parents=True)
    mine = ["site", "site-of-mine", "site.old-2025", "site.old-mine", "site.tmp-notes", "site2.tmp-123"]
    for name in mine[1:]:
        site.with_name(name).mkdir()
    with workplace(site) as work:
        assert names(work) == ["lock"]
        assert names(site.parent) == sorted([*mine, "site.tmp-build"])
    assert names(site.parent) == mine


def test_a_name_that_is_a_pattern_stands_for_itself(site: Path) -> None:
    site.with_name("sitt.tmp-123").mkdir()
    with workplace(site.with_name("s*t[et]")):
        pass
    assert names(site.parent) == ["site", "sitt.tmp-123"]


def test_a_site_that_was_moved_away_comes_back_where_the_new_one_cannot_take_its_place(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "_exchanged", lambda one, other: False)
    with pytest.raises(FileNotFoundError), workplace(site) as work:
        replacing._put_folder(work / "site", site)
    assert (site / "index.html").read_text() == "old"
    assert names(site.parent) == ["site"]


def test_what_goes_wrong_while_a_site_is_built_is_not_told_as_another_build(site: Path) -> None:
    # As a terminal that takes no more for now.
    with pytest.raises(BlockingIOError), workplace(site):
        raise BlockingIOError
    assert names(site.parent) == ["site"]


def test_a_folder_that_cannot_be_locked_is_refused_in_a_line(site: Path) -> None:
    site.with_name("site.tmp-build").write_text("a file of mine")
    with pytest.raises(EnvironmentRefusal, match=r"cannot be locked: File exists \(site.tmp-build\); fix: remove it, or"), workplace(site):
        pass
    assert site.with_name("site.tmp-build").read_text() == "a file of mine"


def test_a_second_build_of_the_same_site_is_refused_and_leaves_the_first_ones_work_alone(site: Path) -> None:
    with workplace(site) as work:
        make(work)
        with pytest.raises(EnvironmentRefusal, match=r"another process is building this site \(site\); fix: wait for it"), workplace(site):
            pass
        assert (work / "site" / "index.html").read_text() == "new"
        # Another site beside it is another matter.
        with workplace(site.with_name("other")):
            pass
    with workplace(site):
        pass


def test_a_signal_while_both_are_put_in_place_waits_until_both_stand(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = replacing._put_folder

    def interrupted(fresh: Path, place: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        real(fresh, place)

    monkeypatch.setattr(replacing, "_put_folder", interrupted)
    with pytest.raises(KeyboardInterrupt), workplace(site) as work:
        database, fresh = make(work)
        put_in_place(database, site.with_name("headcount.duckdb"), fresh, site)
    assert (site / "index.html").read_text() == "new"


def test_a_signal_while_the_workplace_is_cleared_waits_until_it_is_gone(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = replacing._clear

    def interrupted(folder: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        real(folder)

    with pytest.raises(KeyboardInterrupt), workplace(site) as work:
        make(work)
        monkeypatch.setattr(replacing, "_clear", interrupted)
    assert names(site.parent) == ["site"]


def test_a_signal_that_is_ignored_stays_so_while_both_are_put_in_place() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with replacing.held():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            assert callable(signal.getsignal(signal.SIGTERM))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_file_on_another_file_system_is_copied_beside_its_target_first(site: Path) -> None:
    elsewhere = Path("/dev/shm")  # noqa: S108
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == site.stat().st_dev:
        pytest.skip("there is no second file system here")
    source = elsewhere / f"headcount-{site.parent.name}"
    published = site.with_name("headcount.duckdb")
    published.write_text("old")
    try:
        source.write_text("new")
        with published.open() as reader:
            replacing._put_file(source, published)
            assert reader.read() == "old"
    finally:
        source.unlink(missing_ok=True)
    assert published.read_text() == "new"
    assert names(site.parent) == ["headcount.duckdb", "site"]
