"""Folders that take another's place: in one step, and what killed processes left is cleared up."""

from pathlib import Path

import pytest

from report import exchange, unfinished


def a_site(folder: Path, says: str) -> Path:
    folder.mkdir()
    (folder / "facts.json").write_text(says, encoding="utf-8")
    return folder


def test_two_folders_change_places_in_one_step(tmp_path: Path) -> None:
    fresh, site = a_site(tmp_path / "fresh", "new"), a_site(tmp_path / "site", "old")
    if not exchange.swap(fresh, site):
        pytest.skip("this file system cannot swap two names")
    assert (site / "facts.json").read_text(encoding="utf-8") == "new"
    assert (fresh / "facts.json").read_text(encoding="utf-8") == "old"


def test_names_that_cannot_be_swapped_stay_as_they_are(tmp_path: Path) -> None:
    site = a_site(tmp_path / "site", "old")
    assert not exchange.swap(tmp_path / "missing", site)
    assert (site / "facts.json").read_text(encoding="utf-8") == "old"


def test_an_old_site_that_a_killed_process_had_put_aside_comes_back(tmp_path: Path) -> None:
    a_site(tmp_path / "site.old-123", "old")
    exchange.mend(tmp_path / "site")
    assert (tmp_path / "site" / "facts.json").read_text(encoding="utf-8") == "old"
    a_site(tmp_path / "site.old-124", "older")
    exchange.mend(tmp_path / "site")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_folder_that_nobody_fills_is_removed_and_one_that_somebody_fills_is_not(tmp_path: Path) -> None:
    site = tmp_path / "site"
    a_site(tmp_path / "site.tmp-123", "left by a killed process")
    a_site(tmp_path / "site.tmpl", "somebody else's")
    with unfinished.beside(site) as mine:
        (mine / "page.html").write_text("half", encoding="utf-8")
        unfinished.remove_abandoned(site)
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine.name, "site.tmpl"])
        assert (mine / "page.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site.tmpl"]
