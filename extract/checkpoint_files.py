"""Finds a checkpoint's files and checks what can be told without loading them: a local folder, a hub name, or `embedded`.

Only safetensors are read, never pickles; code that a repository ships is refused; a model is taken from the hub cache where it lies
there whole, which for a pinned revision is the same. Needs no torch."""

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

from extract import assets, fingerprint
from extract.checkpoint_sizes import check_files, header_of, read_json
from extract.errors import EnvironmentRefusal, ModelRefusal

HUB_FILES = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".msgpack", ".h5")


@dataclasses.dataclass(frozen=True)
class Located:
    """A checkpoint on this machine. `name` is what the database calls it: the hub name, the folder's own name, or embedded."""

    folder: Path
    name: str
    revision: str | None
    weights: tuple[Path, ...]
    weights_sha256: str
    quantisation: str | None


def locate(model: str, revision: str | None = None, weights_sha256: str | None = None) -> Located:
    """The files of a checkpoint, fetched where they are missing; with `weights_sha256`, they must hash to it.

    Raises ModelRefusal for what is missing, unsafe or incomplete, EnvironmentRefusal for a hub that cannot be reached."""
    if model == assets.EMBEDDED:
        folder, sha256 = assets.fetch_model()
        return Located(folder, assets.MODEL_TITLE, None, (folder / "model.safetensors",), sha256, assets.QUANTISATION)
    try:
        path = Path(model).expanduser()
        is_folder = path.is_dir()
    # There is no such user, or a folder on the way may not be entered.
    except (OSError, RuntimeError) as error:
        raise ModelRefusal(f"no model at {model} ({getattr(error, 'strerror', None) or error})", "model", "check the path") from error
    if is_folder:
        folder, name, revision = path, fingerprint.own_name(path), None
    elif path.exists() or model.startswith((".", "/", "~")) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", model):
        fix = "only the embedded model is read as GGUF; use its safetensors repository" if path.suffix == ".gguf" else "check the name"
        raise ModelRefusal(f"no model at {model} (not a directory, not a Hub id)", "model", fix)
    else:
        folder, name = _from_hub(model, revision), model
        revision = folder.name if re.fullmatch("[0-9a-f]{40}", folder.name) else revision
    with _read_errors_told(name):
        _check_config(folder, name)
        weights = _weights(folder, name)
        found = fingerprint.of_files(weights)
    if weights_sha256 not in (None, found):
        raise ModelRefusal(
            f"the weights hash to {found[:16]}…, not {str(weights_sha256)[:16]}…", name, "fetch them again, or correct weights_sha256"
        )
    return Located(folder, name, revision, weights, found, None)


def check_unchanged(located: Located) -> None:
    """Read the weight files again and compare them with what they are known by, which may be remembered by their dates.

    Raises ModelRefusal where they differ: a bit that was lost on the disk changes no date."""
    if located.folder == assets.model_folder():
        assets.fetch_model(afresh=True)
        return
    with _read_errors_told(located.name):
        found = fingerprint.of_files(located.weights, afresh=True)
    if found != located.weights_sha256:
        what = f"the weights hash to {found[:16]}…, and to {located.weights_sha256[:16]}… when they were last read"
        raise ModelRefusal(what, located.name, "download them again; the disk may be failing")


@contextlib.contextmanager
def _read_errors_told(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"{Path(error.filename).name} cannot be read" if error.filename else "it cannot be read"
        fix = "check the permissions of the folder and its files, or download it again"
        raise ModelRefusal(f"{what}: {error.strerror or error}", name, fix) from error


def in_hub_cache(model: str, revision: str | None) -> bool:
    """Whether a hub model's files already lie whole on this machine."""
    folder = _cached(model, revision)
    return folder is not None


def _cached(model: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(model, revision=revision, allow_patterns=list(HUB_FILES), local_files_only=True))
        _check_config(folder, model)
        _weights(folder, model)
    except (OSError, ValueError, ModelRefusal):
        return None
    return folder


def _from_hub(model: str, revision: str | None) -> Path:
    from huggingface_hub import errors, snapshot_download

    folder = _cached(model, revision)
    if folder is not None:
        return folder
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(HUB_FILES)))
    except errors.GatedRepoError as error:
        raise ModelRefusal("the model is gated", model, "accept its licence on the hub and set HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise ModelRefusal(f"no revision {revision}", model, "check the revision") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelRefusal(
            f"no model at {model} (not a directory, not a Hub id)", "model", "check the name; private models need HF_TOKEN"
        ) from error
    except (OSError, ValueError) as error:
        # Not what it says, which may hold addresses and tokens.
        what = "the hub cannot be reached, or HF_HUB_OFFLINE is set, and the model is not cached"
        raise EnvironmentRefusal(what, model, "download it first, or pass a directory with --model") from error


def _check_config(folder: Path, name: str) -> None:
    if not (folder / "config.json").exists():
        if any(folder.glob("*.gguf")):
            raise ModelRefusal("weights in GGUF", name, "only the embedded model is read as GGUF; use the safetensors repository")
        raise ModelRefusal("no config.json", name, "give a folder in hub layout: config.json, model.safetensors, tokenizer.json")
    check_files(folder, name)
    config = read_json(folder / "config.json", name)
    quantisation = config.get("quantization_config")
    if quantisation:
        method = quantisation.get("quant_method", "unknown method") if isinstance(quantisation, dict) else "unknown method"
        raise ModelRefusal(f"quantised weights ({method}) cannot be measured exactly", name, "use the repository with the full weights")
    if not any((folder / file).exists() for file in TOKENIZER_FILES):
        raise ModelRefusal("no tokenizer", name, "put tokenizer.json, or vocab.json and merges.txt, beside the weights")


def _weights(folder: Path, name: str) -> tuple[Path, ...]:
    """The weight files in name order, each of which holds what its header promises."""
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").exists():
        files = [folder / "model.safetensors"]
    elif index.exists():
        places = read_json(index, name).get("weight_map")
        named = sorted({str(file) for file in places.values()}) if isinstance(places, dict) else []
        missing = [
            file for file in named if Path(file).name != file or Path(file).suffix != ".safetensors" or not (folder / file).is_file()
        ]
        if missing or not named:
            raise ModelRefusal(f"weight file {missing[0] if missing else 'list'} is missing", name, "download it again")
        files = [folder / file for file in named]
    else:
        pickles = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLES)
        what = f"only pickled weights, such as {pickles[0]}" if pickles else "no weights (model.safetensors)"
        command = "from transformers import AutoModelForCausalLM as M; M.from_pretrained('IN').save_pretrained('OUT')"
        fix = f'convert to safetensors: python -c "{command}"'
        raise ModelRefusal(what, name, fix if pickles else "download it again")
    for file in files:
        header_of(file)
    return tuple(files)
