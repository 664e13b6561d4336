"""What is made to be on the disk, and which file takes another's name, in their order: only seen, done as ever."""

import os
from pathlib import Path

import pytest


def watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps from here on: `synced NAME`, and `FILE becomes NAME`."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watched_fsync(handle: int) -> None:
        fsync(handle)
        steps.append(f"synced {Path(f'/proc/self/fd/{handle}').resolve().name}")

    def watched_replace(path: Path, target: Path) -> Path:
        made = replace(path, target)
        steps.append(f"{path.name} becomes {target.name}")
        return made

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    return steps
