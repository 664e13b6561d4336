"""Places for shard files, each in a fresh folder: on the disk, and in buckets of S3 and GCS on servers of their own."""

from collections.abc import Callable, Iterator
from itertools import count as counting
from pathlib import Path

import fsspec
import pytest
from gcs_peer import Gcs, gcs_server
from s3_peer import S3, s3_server

from extract.cluster.bucket import Bucket
from extract.cluster.storage import Storage, storage
from extract.errors import EnvironmentRefusal

_fresh = counting()


@pytest.fixture
def place(tmp_path: Path) -> Storage:
    """A folder."""
    return storage(str(tmp_path / "c.duckdb.shards"), "run")


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    for package in ("s3fs", "moto.server"):
        pytest.importorskip(package, reason=f"{package.partition('.')[0]} is not installed: pip install s3fs 'moto[server]'")
    with s3_server() as peer, pytest.MonkeyPatch.context() as patch:
        for key, value in {
            "ENDPOINT_URL": peer.url,
            "ACCESS_KEY_ID": "any",
            "SECRET_ACCESS_KEY": "any",
            "DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(f"AWS_{key}", value)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        fsspec.filesystem("s3").mkdir("shards")
        yield peer


@pytest.fixture(scope="module")
def gcs() -> Iterator[Gcs]:
    with gcs_server("shards") as peer, pytest.MonkeyPatch.context() as patch:
        # Read when gcsfs is loaded: what kind of bucket it is would be asked by gRPC, which is not spoken here.
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        pytest.importorskip("gcsfs", reason="gcsfs is not installed: pip install gcsfs")
        patch.setenv("STORAGE_EMULATOR_HOST", peer.url)
        yield peer


@pytest.fixture
def open_place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Callable[..., Storage]]:
    """Of a kind, what opens a fresh place, or a folder in it."""

    def begin(kind: str) -> Callable[..., Storage]:
        if kind in ("s3", "gcs"):
            request.getfixturevalue(kind)
        place = f"fresh{next(_fresh)}"
        if kind == "folder":
            return lambda *below: storage(str(tmp_path / place), *below)
        if kind == "file":
            return lambda *below: Bucket(fsspec.filesystem("file", auto_mkdir=True), "/".join([str(tmp_path / place), *below]))
        if kind == "memory":
            return lambda *below: storage(f"memory://{place}", *below)
        scheme = "gs" if kind == "gcs" else kind
        return lambda *below: storage(f"{scheme}://shards/{place}", *below)

    return begin


def refusals(act: Callable[[], object]) -> str:
    """What a user is told, once it is known that it is one line and exit code 5."""
    with pytest.raises(EnvironmentRefusal) as raised:
        act()
    assert raised.value.exit_code == 5
    assert "\n" not in str(raised.value)
    return str(raised.value)
