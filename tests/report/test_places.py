"""What a build asks of the places it reads and writes."""

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
