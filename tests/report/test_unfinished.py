"""Folders that take another's place: what killed processes left of them is cleared up."""

from pathlib import Path

from report import unfinished


def a_site(folder: Path, says: str) -> Path:
    folder.mkdir()
    (folder / "facts.json").write_text(says, encoding="utf-8")
    return folder


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
