"""A small file system in memory, mounted for a test, that somebody else's file fills."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MIB = 2**20


class Disk:
    """A file system of its own, in memory, that somebody else's file can fill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ballast = folder / "ballast"

    def free(self) -> int:
        """Bytes that are free."""
        return shutil.disk_usage(self.folder).free

    def used(self) -> int:
        """Bytes that are taken."""
        return shutil.disk_usage(self.folder).used

    def fill(self, left: int) -> None:
        """Take all but so many bytes, as far as the disk goes: others write to it at the same time."""
        with self.ballast.open("wb") as file:
            size = max(1, self.free() - left)
            while size:
                try:
                    os.posix_fallocate(file.fileno(), 0, size)
                    return
                except OSError:
                    size = size - MIB // 4 if size > MIB // 4 else 0

    def make_room(self) -> None:
        """Remove the ballast."""
        self.ballast.unlink(missing_ok=True)


@pytest.fixture(name="make_disk")
def mounted_disks(tmp_path: Path) -> Iterator[Callable[[int], Disk]]:
    """Mounts a tmpfs of so many bytes. Under another name, as an argument would hide the import."""
    mounted: list[Path] = []

    def make(size: int) -> Disk:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False) if shutil.which("mount") else None
        if done is None or done.returncode:
            pytest.skip(f"no small file system can be mounted here: {done.stderr.strip() if done else 'there is no mount'}")
        mounted.append(folder)
        return Disk(folder)

    yield make
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)
