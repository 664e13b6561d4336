"""One measured shard as files: a Parquet file of all its rows, and a manifest (JSON) that says that it is there, whole, and what it holds.

They lie in a folder of the run's key, a hash of everything that can change a number, so that a shard of another model, tokenizer, text,
option or code is never taken for one of this run. The data file carries its own hash in its name: the same shard measured twice is the same
file. The manifest's name is the shard's, and the first to write it wins; one who comes late with the same rows has done no harm, and
one with other rows is refused by the names of both files."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from extract.cluster.storage import Storage, storage
from extract.errors import NumericRefusal
from extract.families import HeadShape
from extract.identity import known_by
from extract.job import Job
from extract.replica import Findings, Measured
from extract.store import Rows

_FORMAT = 1
_MANIFEST = ".json"


class Damaged(Exception):
    """A shard file that is not what its manifest says."""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """`key`: of the shard; `file`: the data file; `sha256`: of its bytes; `seconds`: taken to measure it."""

    key: str
    shard: int
    file: str
    sha256: str
    bytes: int
    tokens: int
    seconds: float
    findings: Findings


def run_key(job: Job) -> str:
    """SHA-256 over all that a run is known by: weights, tokenizer and configuration, text, options, versions and code; and its batch."""
    known = known_by(job.row) | {"run_id": job.config.name, "batch_windows": job.asked_batch, "format": _FORMAT}
    return sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()


def shard_key(job: Job, shard: int) -> str:
    """SHA-256 over the run's key and the shard's windows."""
    windows, repeated = job.config.windows_of_shard(shard), job.config.repeated_of_shard(shard)
    return sha256(json.dumps([run_key(job), shard, *_ends(windows), *_ends(repeated)]).encode()).hexdigest()


def _ends(windows: range) -> tuple[int, int]:
    return windows.start, windows.stop


def leave(place: Storage, key: str, measured: Measured) -> Manifest:
    """Write a shard; gives the manifest under which it is known, be it of an earlier attempt.

    Raises NumericRefusal where an earlier attempt came to other rows."""
    data = _to_parquet(measured.rows)
    digest = sha256(data).hexdigest()
    name = f"{measured.shard:06d}"
    file = f"{name}-{digest[:16]}.parquet"
    if measured.findings is None:
        raise AssertionError("a shard that was measured has findings")
    manifest = Manifest(key, measured.shard, file, digest, len(data), measured.tokens, measured.seconds, measured.findings)
    place.put(file, data)
    told = _to_json(manifest)
    if place.create(name + _MANIFEST, told):
        return manifest
    try:
        there = _manifest(place.read(name + _MANIFEST))
    except (Damaged, FileNotFoundError):
        # Nobody can take it for a shard, or the driver has just removed it.
        place.put(name + _MANIFEST, told)
        return manifest
    if (there.key, there.sha256) != (key, digest):
        what = f"shard {measured.shard} was measured twice and came to other rows: {there.file} and {file}"
        fix = "let workers have the same hardware, libraries and threads; remove both files, or take another --shards"
        raise NumericRefusal(what, "shard files", fix)
    return there


def found(place: Storage, keys: Mapping[int, str]) -> dict[int, Manifest]:
    """The manifests of shards that lie there, under these keys by shard; one that cannot be read, or that is of another run and came here
    by mistake, is removed, and its shard measured again."""
    manifests = {}
    for name in place.names():
        stem, is_manifest = name.removesuffix(_MANIFEST), name.endswith(_MANIFEST)
        if not is_manifest or not stem.isdecimal() or int(stem) not in keys:
            continue
        try:
            manifest = _manifest(place.read(name))
        except Damaged:
            place.remove(name)
            continue
        if manifest.key == keys[int(stem)] and manifest.shard == int(stem):
            manifests[manifest.shard] = manifest
        else:
            place.remove(name)
    return manifests


def read(place: Storage, manifest: Manifest) -> Measured:
    """A shard as it was left. Raises Damaged where its file is missing or not what the manifest says."""
    try:
        data = place.read(manifest.file)
    except FileNotFoundError as error:
        raise Damaged(f"{manifest.file} is not there") from error
    if sha256(data).hexdigest() != manifest.sha256:
        raise Damaged(f"{manifest.file} has other bytes than its manifest says")
    return Measured(manifest.shard, manifest.tokens, manifest.seconds, manifest.findings, _from_parquet(data, manifest.file))


def discard(place: Storage, manifest: Manifest) -> None:
    """Remove a shard, so that it is measured again: the manifest first, which says that it is there."""
    place.remove(f"{manifest.shard:06d}{_MANIFEST}")
    place.remove(manifest.file)


def forget(place: str, jobs: Sequence[Job]) -> None:
    """Remove the files of runs that are in the database, whole: a driver that was lost after its last commit has left them."""
    for job in jobs:
        storage(place, run_key(job)[:16]).clear()


def _to_json(manifest: Manifest) -> bytes:
    told = dataclasses.asdict(manifest)
    return json.dumps({"manifest": told, "sha256": _digest(told)}, sort_keys=True).encode()


def _digest(told: dict[str, object]) -> str:
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _manifest(data: bytes) -> Manifest:
    try:
        whole = json.loads(data)
        told = whole["manifest"]
        if _digest(told) != whole["sha256"]:
            raise Damaged("the manifest is not what it was")
        findings = told.pop("findings")
        shape, worked = HeadShape(**findings.pop("shape")), tuple(findings.pop("worked"))
        return Manifest(**told, findings=Findings(shape=shape, worked=worked, **findings))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged("the manifest cannot be read") from error


def _to_parquet(rows: Rows) -> bytes:
    """All tables in one file: a column of rows per table, filled up with nulls; in DuckDB, `select unnest(shard_stat) … where shard_stat is
    not null` gives a table back."""
    longest = max(table.num_rows for table in rows.values())
    columns = {}
    for name, table in sorted(rows.items()):
        values = table.to_struct_array().combine_chunks() if table.num_rows else pa.array([], pa.struct(table.schema))
        columns[name] = pa.concat_arrays([values, pa.nulls(longest - len(values), values.type)])
    out = BytesIO()
    pq.write_table(pa.table(columns), out, compression="zstd", write_page_checksum=True)
    return out.getvalue()


def _from_parquet(data: bytes, name: str) -> Rows:
    try:
        # On one thread: several would cost twice the processor time, and files are read side by side anyway.
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True, use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Damaged(f"{name} cannot be read: {error}") from error
    return {column: _rows(table.column(column)) for column in table.column_names}


def _rows(column: pa.ChunkedArray) -> pa.Table:
    kept = column.drop_null()
    return pa.Table.from_struct_array(kept) if len(kept) else pa.schema(list(column.type)).empty_table()
