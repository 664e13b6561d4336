"""Buckets of S3 and GCS: what they are asked, and what becomes of answers that are lost, of conflicts and of refusals."""

from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
from gcs_peer import Gcs
from s3_peer import S3
from shards import shard_of
from small_disk import MIB
from stores import refusals

from extract.cluster.bucket import Bucket
from extract.cluster.shard_files import found, leave, read
from extract.cluster.storage import Storage, check_place, storage


def requests(peer: S3 | Gcs, act: Callable[[], object]) -> list[tuple[str, int]]:
    """Method and status of each request that something takes."""
    peer.requests.clear()
    act()
    return [(method, status) for method, _, status in peer.requests]


def test_s3_is_asked_once_for_each_thing(s3: S3, open_place: Callable[[str], Callable[..., Storage]]) -> None:
    place = open_place("s3")("run")
    assert requests(s3, lambda: check_place(place, "")) == [("PUT", 200), ("PUT", 412), ("GET", 200), ("DELETE", 204)]
    assert requests(s3, place.names) == [("GET", 200)] * 2
    assert requests(s3, lambda: place.put("0.parquet", bytes(MIB))) == [("PUT", 200)]
    assert requests(s3, lambda: place.create("0.json", b"{}")) == [("PUT", 200)]
    assert requests(s3, place.names) == [("GET", 200)]
    assert requests(s3, lambda: place.read("0.parquet")) == [("GET", 200)]
    assert requests(s3, place.clear) == [("GET", 200), ("POST", 200)]


# Of aiohttp, about the loop that fsspec has for itself; Python keeps it to itself unless asked.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
def test_gcs_is_asked_once_for_each_thing(gcs: Gcs, open_place: Callable[[str], Callable[..., Storage]]) -> None:
    place = open_place("gcs")("run")
    assert requests(gcs, lambda: check_place(place, "")) == [("POST", 200), ("POST", 412), ("GET", 200), ("DELETE", 204)]
    assert requests(gcs, place.names) == [("GET", 200), ("GET", 404)]
    assert requests(gcs, lambda: place.put("0.parquet", bytes(MIB))) == [("POST", 200)]
    assert requests(gcs, lambda: place.create("0.json", b"{}")) == [("POST", 200)]
    assert requests(gcs, place.names) == [("GET", 200)]
    assert requests(gcs, lambda: place.read("0.parquet")) == [("GET", 200)]


def test_a_shard_whose_manifest_was_written_and_the_answer_lost_counts_as_left(
    s3: S3, gcs: Gcs, open_place: Callable[[str], Callable[..., Storage]]
) -> None:
    measured = shard_of(0, 3)
    for peer, kind in ((s3, "s3"), (gcs, "gcs")):
        place = open_place(kind)("run")
        peer.lose = 1
        manifest = leave(place, "key", measured)
        assert peer.lose == 0
        assert peer.requests[-2][2] == 412
        assert found(place, {3: "key"}) == {3: manifest}
        assert read(place, manifest).rows["shard"].equals(measured.rows["shard"])


@pytest.mark.parametrize("there", [b"", b"{", b"[]"])
def test_a_manifest_that_nobody_can_read_is_no_reason_to_lose_a_shard(there: bytes, tmp_path: Path) -> None:
    place, measured = storage(str(tmp_path)), shard_of(0, 3)
    place.put("000003.json", there)
    manifest = leave(place, "key", measured)
    assert found(place, {3: "key"}) == {3: manifest}


def test_two_who_create_one_object_of_s3_at_the_same_moment_try_again(s3: S3, open_place: Callable[[str], Callable[..., Storage]]) -> None:
    place = open_place("s3")("run")
    s3.answers = [(409, "ConditionalRequestConflict")] * 2
    assert place.create("0", b"first")
    s3.answers = [(409, "ConditionalRequestConflict")]
    assert not place.create("0", b"second")
    assert place.read("0") == b"first"


def test_a_store_need_not_say_which_condition_failed(s3: S3, open_place: Callable[[str], Callable[..., Storage]]) -> None:
    place = open_place("s3")("run")
    assert place.create("0", b"first")
    s3.bare = True
    try:
        assert not place.create("0", b"second")
    finally:
        s3.bare = False
    assert place.read("0") == b"first"


def test_a_bucket_that_is_missing_or_closed_is_refused_before_anything_is_measured(s3: S3, gcs: Gcs) -> None:
    for scheme in ("s3", "gs"):
        said = refusals(lambda scheme=scheme: check_place(storage(f"{scheme}://missing/x", "run"), ""))
        assert said.startswith("error: shards cannot be written: FileNotFoundError: ")
        assert f"({scheme}://missing/x/run); fix: check the bucket's name, the credentials and their rights" in said
    place = storage("s3://shards/closed")
    for act in (
        lambda: place.put("0", b""),
        lambda: place.create("0", b""),
        lambda: place.read("0"),
        place.names,
        lambda: place.remove("0"),
    ):
        s3.answers = [(403, "AccessDenied")]
        assert "PermissionError: told so (s3://shards/closed); fix: " in refusals(act)
    place = storage("gs://shards/closed")
    gcs.refuse = 403
    try:
        for act in (lambda: place.put("0", b""), lambda: place.read("0"), place.names, lambda: place.remove("0"), place.clear):
            assert "Forbidden: " in refusals(act)
    finally:
        gcs.refuse = None


def test_a_store_that_writes_over_what_is_there_is_refused(s3: S3, open_place: Callable[[str], Callable[..., Storage]]) -> None:
    place = open_place("s3")("run")
    s3.unconditional = True
    try:
        assert "the store lets what is there be written over" in refusals(lambda: check_place(place, ""))
    finally:
        s3.unconditional = False
    assert place.names() == []


def test_missing_credentials_are_told_in_one_line(s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    place = Bucket(fsspec.filesystem("s3", skip_instance_cache=True), "shards/x")
    assert "NoCredentialsError: Unable to locate credentials" in refusals(lambda: check_place(place, ""))
