"""RunConfig: everything that can change a counter, read from a run file (TOML) and from the flags that override it.

Also the two rules for text that a user gives and that ends in the database: `plain_text` for titles and sources, `run_name` for names."""

import dataclasses
import difflib
import re
import tomllib
import types
import typing
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from extract.errors import UsageRefusal
from extract.text_file import read_text

DTYPES = ("float32", "bfloat16", "float64")
DEVICES = ("auto", "cpu", "cuda")
DEVICE_MAPS = ("auto",)
LONGEST_TEXT = 300
LONGEST_NAME = 100
LARGEST_FILE = 2**20
LEAST_WINDOW = 4
GREATEST = 2**31 - 1
# A shard is a transaction, and a row per head and measure.
MOST_SHARDS = 2**20
RESERVED = frozenset({"con", "prn", "aux", "nul", "index"})

Setting = str | int | bool | None


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """One run: which model over which text, and how. `name` is the run's id in the database and the title of its charts.

    `window` counts tokens, the start token included; `windows` are cut into `shards` of whole windows, and `calibration_windows` after them
    are held out for the mean outputs; `examples` keeps text around tokens on which heads write; `repeated_windows` of random tokens repeat
    a piece of `repeated_tokens` so that it stands there `repeated_copies` times; a line of
    the corpus longer than `max_line_bytes` is refused, which changes no counter; `batch` is windows per forward pass (None: by the device);
    `device_map` "auto" spreads one model over the GPUs of the machine, which changes where it lies and not what is measured;
    `weights_sha256`, where given, is what the weight files must hash to."""

    name: str
    model: str
    corpus: str
    revision: str | None = None
    window: int = 512
    windows: int = 64
    shards: int = 64
    dtype: str = "float32"
    device: str = "auto"
    seed: int = 0
    batch: int | None = None
    weights_sha256: str | None = None
    calibration_windows: int = 8
    examples: bool = True
    repeated_windows: int = 64
    repeated_tokens: int = 25
    repeated_copies: int = 2
    max_line_bytes: int = 2**26
    device_map: str | None = None

    def windows_of_shard(self, shard: int) -> range:
        """The windows of one shard: shards are consecutive and differ by at most one window."""
        return self._part(self.windows, shard)

    def repeated_of_shard(self, shard: int) -> range:
        """The windows of repeated random tokens that are measured with a shard, spread as evenly as its windows."""
        return self._part(self.repeated_windows, shard)

    def _part(self, windows: int, shard: int) -> range:
        return range(shard * windows // self.shards, (shard + 1) * windows // self.shards)


def read(path: Path, **overrides: Setting) -> RunConfig:
    """The run that a TOML file describes, with every override that is not None in place of the file's value.

    Another model drops the file's revision and weights_sha256, which belong to the file's own model, and needs a name of its own. Where
    the file names no shards, or a flag asks for fewer windows than it has shards, there is a shard per window.
    Raises UsageRefusal for a file that is missing or no TOML, an unknown key, a value of the wrong type or out of bounds."""
    settings = _read_toml(path)
    given = {key: value for key, value in overrides.items() if value is not None}
    if given.get("model") not in (None, settings.get("model")):
        if "model" in settings and "name" not in given:
            what = f"--model names another model than the run file of {settings.get('name')!r}"
            raise UsageRefusal(what, path.name, 'add --name "...", the title of its charts')
        settings.pop("revision", None)
        settings.pop("weights_sha256", None)
    settings |= given
    if "windows" in given or "shards" not in settings:
        windows = _whole(settings.get("windows", RunConfig.windows), "windows", path.name)
        settings["shards"] = min(windows, _whole(settings.get("shards", RunConfig.shards), "shards", path.name))
    return _checked(settings, path.name)


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(read_text(path, LARGEST_FILE, missing="no run file", example="a file such as runs/embedded.toml"))
    # A number of thousands of digits is a ValueError, and lists within lists by the hundred end the parser's recursion.
    except (ValueError, RecursionError) as error:
        raise UsageRefusal(f"not valid TOML: {error}", path.name, "correct the file, using runs/embedded.toml as an example") from error


_WORDS = {bool: ("true or false", "true"), int: ("a whole number", "64"), str: ("a text", '"..."')}


def _checked(settings: Mapping[str, object], where: str) -> RunConfig:
    hints = typing.get_type_hints(RunConfig)
    for key, value in settings.items():
        if key not in hints:
            near = difflib.get_close_matches(key, hints, n=1)
            raise UsageRefusal(f"unknown key {key!r}", where, f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(hints)}")
        kinds = typing.get_args(hints[key]) if isinstance(hints[key], types.UnionType) else (hints[key],)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            wanted, example = next(words for kind, words in _WORDS.items() if kind in kinds)
            raise UsageRefusal(f"{key} must be {wanted}, not {value!r}", where, f"write {key} = {example}")
    for key in ("name", "model", "corpus"):
        if key not in settings:
            raise UsageRefusal(f"{key} is missing", where, f'add {key} = "..."')
    config = RunConfig(**typing.cast(dict[str, typing.Any], dict(settings)))
    _check_bounds(config, where)
    return dataclasses.replace(config, name=run_name(config.name, where))


def _check_bounds(config: RunConfig, where: str) -> None:
    repeated = {"max_line_bytes": 1, "repeated_windows": 0, "repeated_tokens": 2, "repeated_copies": 2}
    bounds = {"window": LEAST_WINDOW, "windows": 1, "shards": 1, "batch": 1, "seed": 0, "calibration_windows": 1} | repeated
    for key, least in bounds.items():
        value = getattr(config, key)
        if value is not None and not least <= value <= GREATEST:
            raise UsageRefusal(f"{key} is {value}", where, f"give a whole number from {least} to {GREATEST}")
    if config.shards > MOST_SHARDS:
        raise UsageRefusal(f"shards is {config.shards}", where, f"give a whole number from 1 to {MOST_SHARDS}")
    if config.shards > config.windows:
        what = f"{config.shards} shards for {config.windows} windows"
        raise UsageRefusal(what, where, f"a shard holds at least one window: shards = {config.windows} or fewer")
    for key, allowed in (("dtype", DTYPES), ("device", DEVICES), ("device_map", DEVICE_MAPS)):
        if getattr(config, key) not in (*allowed, getattr(RunConfig, key)):
            near = difflib.get_close_matches(getattr(config, key), allowed, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(allowed)}"
            raise UsageRefusal(f"{key} {getattr(config, key)!r} is not known", where, hint)
    for key in ("model", "corpus", "revision"):
        value = getattr(config, key)
        if value is not None and (not value.strip() or "\0" in value):
            raise UsageRefusal(f"{key} is empty", where, f'write {key} = "..."')
    if config.weights_sha256 is not None and not re.fullmatch("[0-9a-f]{64}", config.weights_sha256):
        raise UsageRefusal("weights_sha256 is no SHA-256", where, "give 64 hexadecimal digits in lower case, or leave it out")


def _whole(value: object, key: str, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageRefusal(f"{key} must be a whole number, not {value!r}", where, f"write {key} = 64")
    return value


def plain_text(text: str, what: str, where: str) -> str:
    """The text in Unicode's composed form (NFC), its ends trimmed.

    Raises UsageRefusal where it is empty, too long or holds control characters."""
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise UsageRefusal(f"{what} is empty", where, "give some text")
    if len(text) > LONGEST_TEXT:
        raise UsageRefusal(f"{what} has {len(text)} characters", where, f"use {LONGEST_TEXT} or fewer")
    hidden = next(filter(is_hidden, text), None)
    if hidden is not None:
        raise UsageRefusal(f"{what} holds the control character U+{ord(hidden):04X}", where, "remove it")
    return text


def is_hidden(character: str) -> bool:
    """Whether a character does something to the text around it without being seen: controls, separators, and marks of direction."""
    # Marks of direction reorder what a reader sees on the page.
    direction = unicodedata.bidirectional(character) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    return direction or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def run_name(name: str, where: str) -> str:
    """The name of a run or figure: text as in `plain_text`, short, without path separators, beginning with a letter or digit."""
    name = plain_text(name, "name", where)
    pattern = f"use at most {LONGEST_NAME} characters, beginning with a letter or digit, without / and \\"
    if len(name) > LONGEST_NAME or not name[0].isalnum() or re.search(r"[/\\]", name):
        shown = name if len(name) <= LONGEST_NAME else f"{name[:20]}… of {len(name)} characters"
        raise UsageRefusal(f"name {shown!r} cannot be used", where, pattern)
    if name.lower() in RESERVED:
        raise UsageRefusal(f"name {name!r} is reserved", where, "choose another name")
    return name
