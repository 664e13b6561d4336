"""Folders of the cache that are filled beside their target: what a killed process left is removed, and what another fills is not."""

from pathlib import Path

from extract.assets import folder_beside


def test_a_folder_that_a_killed_process_left_is_removed_and_one_that_is_being_filled_is_not(tmp_path: Path) -> None:
    target = tmp_path / "cache" / "model-1"
    left, foreign = target.with_name("model-1.tmp-123"), target.with_name("model-1.template")
    for folder in (left, foreign):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"half")
    mine = folder_beside(target)
    (mine / "model.safetensors").write_bytes(b"half")
    other = folder_beside(target)
    assert sorted(path.name for path in target.parent.iterdir()) == sorted([foreign.name, mine.name, other.name])
    assert (mine / "model.safetensors").exists()
