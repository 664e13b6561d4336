"""The database that a site offers for download: it says what the published file says, to the last table, or the check names it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from report.check import DOWNLOAD, check, compare_download, fingerprints, read_ledger

pytestmark = pytest.mark.attack

Change = Callable[[Path, str], None]
Copy = tuple[Path, Path]
TOLD = f"{DOWNLOAD} is not the file that was built"


def tables_of(published: Path) -> dict[str, str]:
    with duckdb.connect(str(published), read_only=True) as connection:
        return fingerprints(connection)


def test_a_download_of_the_same_bytes_is_not_asked_again(copy_of_built: Copy) -> None:
    published, site = copy_of_built
    assert (site / DOWNLOAD).read_bytes() == published.read_bytes()
    # Not even where other tables are expected: that is said once, of the published file.
    assert compare_download(site, {}, published) == []


def test_other_bytes_with_the_same_tables_are_no_difference(copy_of_built: Copy, change: Change) -> None:
    published, site = copy_of_built
    change(site / DOWNLOAD, "create table passing as from range(10_000); drop table passing; checkpoint")
    assert (site / DOWNLOAD).read_bytes() != published.read_bytes()
    assert compare_download(site, tables_of(published), published) == []
    assert check(published, site) == []


@pytest.mark.parametrize(
    "sql",
    [
        "update shard_histogram set n = n + 1 where shard = 3 and layer = 1 and head = 2 and kind = 'relative_norm'",
        "update shard_stat set total = total + 1e-9 where shard = 0 and layer = 0 and head = 0 and measure = 'entropy'",
        "delete from shard_stat where shard = 7 and layer = 7",
        "insert into band select * from band limit 1",
        "create table another (x integer)",
        "drop table student_t",
        "create or replace view runs as select * from run",
    ],
)
def test_a_download_with_other_tables_is_named(copy_of_built: Copy, change: Change, sql: str) -> None:
    published, site = copy_of_built
    change(site / DOWNLOAD, sql)
    assert compare_download(site, tables_of(published), published) == [TOLD]
    # The only fault of the site: its pages and the published file still agree.
    assert check(published, site) == [TOLD]


def test_a_download_is_held_against_the_published_file(copy_of_built: Copy, change: Change) -> None:
    published, site = copy_of_built
    change(published, "update run set hardware = 'another' where run_id = 'toy'")
    told = check(published, site)
    assert "run is not what the site was built from" in told
    assert TOLD in told


def remove(download: Path) -> None:
    download.unlink()


def cut_short(download: Path) -> None:
    download.write_bytes(download.read_bytes()[:9000])


def empty(download: Path) -> None:
    download.write_bytes(b"")


def fill_with_text(download: Path) -> None:
    download.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n", encoding="utf-8")


def replace_by_another(download: Path) -> None:
    download.unlink()
    with duckdb.connect(str(download)) as connection:
        connection.execute("create table t (x integer)")


def replace_by_a_folder(download: Path) -> None:
    download.unlink()
    download.mkdir()


@pytest.mark.parametrize("spoil", [remove, cut_short, empty, fill_with_text, replace_by_another, replace_by_a_folder])
def test_a_download_that_is_missing_or_no_database_of_ours_is_named(copy_of_built: Copy, spoil: Callable[[Path], None]) -> None:
    published, site = copy_of_built
    spoil(site / DOWNLOAD)
    assert compare_download(site, tables_of(published), published) == [TOLD]
    told = check(published, site)
    assert TOLD in told
    # What leads to a download that is not there leads nowhere.
    assert all(text == TOLD or "leads nowhere" in text or f"the line of {DOWNLOAD} is neither" in text for text in told)


def test_a_folder_without_any_downloads_is_told_of_each(copy_of_built: Copy) -> None:
    published, site = copy_of_built
    shutil.rmtree((site / DOWNLOAD).parent)
    expected = {f"{name} is not the file that was built" for name in read_ledger(site)["files"] if name.startswith("data/")}
    told = set(check(published, site))
    assert told >= expected | {TOLD, "data/heads.parquet is missing"}
    # Everything else that is told is a link that leads to one of them.
    assert {text for text in told if "data/" not in text and not text.endswith("has not the links of its page")} == set()
