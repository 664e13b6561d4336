"""What a build asks of the places it reads and writes."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from planting import PLANTED, figures_of, write_counters

from report import places, verify
from report.build import build
from report.errors import EnvironmentRefusal


def test_counters_that_a_run_replaces_while_they_are_read_are_refused_and_nothing_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_counters(tmp_path / "counters.duckdb", PLANTED)
    real = verify.verify

    def verified(counters: Path) -> None:
        real(counters)
        # As a run publishes: another file takes the name. This one nobody has read.
        write_counters(tmp_path / "next.duckdb", PLANTED + 1).replace(counters)

    monkeypatch.setattr(verify, "verify", verified)
    with pytest.raises(EnvironmentRefusal, match=r"replaced while it was read, .* \(counters.duckdb\); fix: run the same command again"):
        build(path, tmp_path / "site", tmp_path / "headcount.duckdb", figures_of(tmp_path))
    assert not (tmp_path / "site").exists()
    assert not (tmp_path / "headcount.duckdb").exists()


def test_a_disk_with_too_little_room_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with (tmp_path / "counters.duckdb").open("wb") as file:
        file.truncate(2**43)
    with pytest.raises(EnvironmentRefusal, match=r"MiB are free, the build may need .*the last good site stands"):
        places.check_space(tmp_path, tmp_path / "counters.duckdb")


@pytest.fixture
def mount() -> Iterator[Callable[..., Path]]:
    """Mounts something over a path."""
    mounted: list[Path] = []

    def over(target: Path, *how: str) -> Path:
        done = subprocess.run(["mount", *how, str(target)], capture_output=True, text=True, check=False) if shutil.which("mount") else None
        if done is None or done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip() if done else 'there is no mount'}")
        mounted.append(target)
        return target

    yield over
    for target in mounted:
        subprocess.run(["umount", str(target)], check=True)


@pytest.mark.parametrize("kind", ["another file system", "a folder of the same one"])
def test_a_site_that_is_a_mount_point_is_refused_before_the_published_file_is_replaced(
    tmp_path: Path, mount: Callable[..., Path], kind: str
) -> None:
    path, published, site = write_counters(tmp_path / "counters.duckdb", PLANTED), tmp_path / "headcount.duckdb", tmp_path / "my site"
    for folder in (site, tmp_path / "kept elsewhere"):
        folder.mkdir()
    how = ("-t", "tmpfs", "tmpfs") if kind == "another file system" else ("--bind", str(tmp_path / "kept elsewhere"))
    mount(site, *how)
    published.write_text("the last good one")
    with pytest.raises(EnvironmentRefusal, match=r"is a mount point, .* \(my site\); fix: name a folder in it with --out$"):
        build(path, site, published, figures_of(tmp_path))
    assert published.read_text() == "the last good one"
    places.refuse_foreign(site / "site")


def test_a_published_file_that_is_a_mount_point_is_refused_too(tmp_path: Path, mount: Callable[..., Path]) -> None:
    for name in ("headcount.duckdb", "kept elsewhere"):
        (tmp_path / name).touch()
    mount(tmp_path / "headcount.duckdb", "--bind", str(tmp_path / "kept elsewhere"))
    with pytest.raises(EnvironmentRefusal, match=r"is a mount point, .* \(headcount.duckdb\); fix: mount the folder"):
        places.refuse_unwritable(tmp_path / "headcount.duckdb")
