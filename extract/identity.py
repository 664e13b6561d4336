"""What a run is: the row of table run, and what must agree for a run to be continued.

A run is known by its configuration, the hashes of its weights, its model's settings and its text, the kind of device, the versions of
the libraries that change numbers and the hash of the code that measures. Told without loading a model, so that a finished run costs
seconds. Holds no path, user or host."""

import dataclasses
import datetime
import importlib.metadata
import json
import platform

import extract
from extract import corpus, measures, provenance
from extract.checkpoint_files import Located
from extract.config import RunConfig
from extract.errors import CorpusRefusal, DatabaseRefusal

CODE = "code"
CHANGE_NUMBERS = ("headcount", "torch", "transformers", "tokenizers", "numpy")
# The configuration and tokenizer files beside the weights.
SETTINGS = "model_settings"


def describe(config: RunConfig, located: Located, corpus_sha256: str, device: str) -> dict[str, object]:
    """The columns of table run that are known before anything is measured."""
    told = dataclasses.asdict(config) | {"model": located.name, "corpus": corpus.corpus_name(config.corpus), "device": device}
    # The one refuses, the other says where a model lies: neither changes a number.
    del told["max_line_bytes"], told["device_map"]
    # The names of the files, so that a measure added to the folder is not taken for one that was measured.
    told["measures"] = measures.names()
    told[SETTINGS] = provenance.settings(located.folder)
    return {
        "run_id": config.name,
        "kind": "measured",
        "title": config.name,
        "model": located.name,
        "revision": located.revision,
        "weights_sha256": located.weights_sha256,
        "quantisation": located.quantisation,
        "corpus": told["corpus"],
        "corpus_sha256": corpus_sha256,
        "window_tokens": config.window,
        "windows": config.windows,
        "shards": config.shards,
        "seed": config.seed,
        "dtype": config.dtype,
        "device": device,
        "versions": json.dumps(versions(), sort_keys=True),
        "config": json.dumps(told, sort_keys=True),
        "measured_on": datetime.datetime.now(datetime.UTC).date(),
    }


def versions(packages: tuple[str, ...] = provenance.MEASURING) -> dict[str, str]:
    """Versions of Python, Headcount and the libraries, and the hash of the code: that of the top level and of these packages."""
    libraries = ("torch", "transformers", "tokenizers", "numpy", "duckdb")
    own = {"python": platform.python_version(), "headcount": extract.__version__, CODE: provenance.code(packages)}
    return own | {name: importlib.metadata.version(name) for name in libraries}


def check_same(there: dict[str, object], asked: dict[str, object], where: str, *, complete: bool) -> None:
    """Refuse to continue a run that is another one: DatabaseRefusal says in what, CorpusRefusal where only the text has changed.

    To a `complete` run nothing is added, so that other code or versions mix nothing, and are only said; one that was begun before the
    model's settings were kept is known by the rest."""
    if there["kind"] != "measured":
        raise DatabaseRefusal(f"{there['run_id']!r} is an imported table", where, "change the run's name, or choose another --out")
    differing = _differing(known_by(there), known_by(asked))
    if complete:
        forgiven = {CODE, *CHANGE_NUMBERS} | ({SETTINGS} - known_by(there).keys())
        differing = [key for key in differing if key not in forgiven]
    if differing == ["corpus_sha256"]:
        raise CorpusRefusal(
            f"the text has changed since run {there['run_id']!r} began", str(there["corpus"]), "start a new run: change its name"
        )
    if differing:
        shown = ", ".join(f"{key} ({_shown(known_by(there).get(key), known_by(asked).get(key))})" for key in differing[:4])
        raise DatabaseRefusal(f"run {there['run_id']!r} differs in {shown}", where, "choose another name (--name), or another --out")


def other_versions(there: dict[str, object], asked: dict[str, object]) -> str:
    """Headcount and the libraries that a run was measured with, where they are others now; empty where none is."""
    before, now = known_by(there), known_by(asked)
    return ", ".join(f"{name} ({_shown(before.get(name), now.get(name))})" for name in CHANGE_NUMBERS if before.get(name) != now.get(name))


def known_by(row: dict[str, object]) -> dict[str, object]:
    """All that can change a number of a run, by name: its configuration, and the hashes and versions beside it."""
    config: dict[str, object] = json.loads(str(row["config"]))
    library = json.loads(str(row["versions"]))
    hashes = {key: row[key] for key in ("weights_sha256", "corpus_sha256")}
    return config | hashes | {name: library.get(name) for name in (CODE, *CHANGE_NUMBERS)}


def check_same_versions(what: str, there: dict[str, object], now: dict[str, str], where: str, fix: str) -> None:
    """Refuse to continue what another version began. Raises DatabaseRefusal, which says in what they differ."""
    differing = [key for key in (CODE, *CHANGE_NUMBERS) if there.get(key) != now.get(key)]
    if differing:
        shown = ", ".join(f"{key} ({_shown(there.get(key), now.get(key))})" for key in differing[:4])
        raise DatabaseRefusal(f"{what} differs in {shown}", where, fix)


def _differing(there: dict[str, object], asked: dict[str, object]) -> list[str]:
    return [key for key in sorted(there.keys() | asked.keys()) if there.get(key) != asked.get(key)]


def _shown(before: object, now: object) -> str:
    """What differs, short: of lists only what one of them lacks, of hashes the beginning."""
    if isinstance(before, list) and isinstance(now, list):
        return ", ".join(f"now {'without' if name in before else 'with'} {name}" for name in sorted({*before} ^ {*now}))
    return ", now ".join(f"{value[:16]}…" if isinstance(value, str) and len(value) == 64 else str(value) for value in (before, now))
