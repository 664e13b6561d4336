"""Flipped bits in weights and embedded assets: refused wherever a hash is on record."""

import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from damaging import SEED, Contents, Record, check, contents, cuts, flips
from flip_toys import damaged_copies, finished_toy, flipped_toy  # noqa: F401

from extract import assets, checkpoint_files, corpus
from extract.config import RunConfig
from extract.errors import DatabaseRefusal, ModelRefusal, NumericRefusal, Refusal
from extract.run import measure
from extract.store import Store

TITLE = "Flipped bits in weights and embedded assets"


def test_weights_that_were_damaged_since_their_hash_was_recorded_are_refused(
    toy: RunConfig, finished: Path, tmp_path: Path, trials: int, record: Record
) -> None:
    begun = tmp_path / "begun"
    measure(toy, begun / "counters.duckdb")
    with Store(begun / "counters.duckdb") as store:
        # As after an interruption: the last shard is still to be measured.
        for table in ("shard", "shard_stat", "shard_histogram", "example"):
            store.con.execute(f"delete from work.{table} where shard = 2")
    (begun / "counters.duckdb").unlink()
    weights = Path(toy.model) / "model.safetensors"
    whole, state = weights.read_bytes(), weights.stat()
    damaged = [*flips(whole, trials, SEED + 3), *cuts(whole, trials // 6, SEED + 3)]
    try:
        for number, content in enumerate(damaged):
            weights.write_bytes(content)
            silent = number % 2 == 0
            if silent:
                # As a failing disk does it.
                os.utime(weights, ns=(state.st_atime_ns, state.st_mtime_ns))
            folder = tmp_path / f"{number}"
            shutil.copytree(begun, folder)
            with pytest.raises((ModelRefusal, DatabaseRefusal)) as told:
                measure(toy, folder / "counters.duckdb")
            assert len(str(told.value).splitlines()) == 1
            with Store(folder / "counters.duckdb") as store:
                assert store.shards("Toy") == {0, 1}
            what = (
                "Weights of a run that is resumed, damaged, with their old date" if silent else "Weights of a run that is resumed, damaged"
            )
            check(record, what, "refused in one line, exit code 3 or 7")
    finally:
        weights.write_bytes(whole)
        os.utime(weights, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_a_damaged_checkpoint_of_unknown_hash_is_refused_or_measured_under_its_own_hash(
    toy: RunConfig, finished: Path, tmp_path: Path, trials: int, record: Record
) -> None:
    untouched = contents(finished / "counters.duckdb")
    whole = (Path(toy.model) / "model.safetensors").read_bytes()
    for number, content in enumerate(flips(whole, trials if trials > 6 else 3, SEED + 4)):
        folder = tmp_path / f"{number}"
        model = shutil.copytree(toy.model, folder / "toy-model")
        (model / "model.safetensors").write_bytes(content)
        check(record, "Weights of unknown hash, a bit flipped", _measured_fresh(toy, model, folder / "counters.duckdb", untouched))
        shutil.rmtree(folder)


def _measured_fresh(toy: RunConfig, model: Path, out: Path, untouched: Contents) -> str:
    try:
        measure(dataclasses.replace(toy, model=str(model)), out)
    except (ModelRefusal, NumericRefusal) as refusal:
        return "refused in one line" if len(str(refusal).splitlines()) == 1 else "LET IN: in many lines"
    found = contents(out)
    # Which columns are what: the hash of the weights differs, and nothing else of the run may.
    (run,), (before,) = found.pop("run"), untouched["run"]
    differing = [number for number, pair in enumerate(zip(run, before, strict=True)) if pair[0] != pair[1]]
    if differing != [5]:
        return "LET IN: under the hash of the whole weights"
    if all(found[table] == untouched[table] for table in found):
        return "no effect: every number is as without it"
    return "cannot be known: measured as it is, under a hash of its own, which is recorded and published"


def test_damaged_embedded_assets_are_refused(
    toy: RunConfig, own_cache: Path, trials: int, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _toy_assets(toy, own_cache, monkeypatch)
    located = checkpoint_files.locate(assets.EMBEDDED)
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    for name in names:
        whole, state = (folder / name).read_bytes(), (folder / name).stat()
        for number, content in enumerate([*flips(whole, max(1, trials // 4), SEED + 5), whole[:-1]]):
            (folder / name).write_bytes(content)
            if number % 2:
                with pytest.raises(ModelRefusal, match=f"the converted embedded model has changed: {name}"):
                    checkpoint_files.locate(assets.EMBEDDED)
            else:
                os.utime(folder / name, ns=(state.st_atime_ns, state.st_mtime_ns))
                with pytest.raises(ModelRefusal, match=f"the converted embedded model has changed: {name}"):
                    checkpoint_files.check_unchanged(located)
            check(record, "Embedded model in the cache, damaged", "refused in one line, exit code 3")
        (folder / name).write_bytes(whole)
        os.utime(folder / name, ns=(state.st_atime_ns, state.st_mtime_ns))
    file = assets.fetch_corpus()
    whole, state = file.read_bytes(), file.stat()
    corpus.read(assets.EMBEDDED)
    for number, content in enumerate([*flips(whole, trials, SEED + 6), whole[:-1]]):
        file.write_bytes(content)
        if number % 2:
            os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
        for use in (corpus.identify, corpus.read):
            with pytest.raises(Refusal, match="the embedded corpus has changed") as told:
                use(assets.EMBEDDED)
            assert told.value.exit_code == 4
        check(record, "Embedded text in the cache, damaged", "refused in one line, exit code 4")


def _toy_assets(toy: RunConfig, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The embedded model and text as toys in the cache, with their hashes on record; gives the model's folder."""
    text = json.dumps({str(n): {"title": f"Article {n}", "extract": "the river of the city " * 20} for n in range(5)}).encode()
    monkeypatch.setattr(assets, "CORPUS", dataclasses.replace(assets.CORPUS, file_sha256=hashlib.sha256(text).hexdigest()))
    place = cache / f"corpus-{assets.CORPUS.file_sha256[:16]}"
    place.mkdir(parents=True)
    (place / Path(assets.CORPUS.file).name).write_bytes(text)
    folder = Path(shutil.copytree(toy.model, assets.model_folder()))
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    sha256 = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "manifest.json").write_text(json.dumps({"sha256": sha256}), encoding="utf-8")
    return folder
