"""Published figures on single heads and models, as report/published keeps them: one .toml per model; the folder is the list.

A file names the model on the hub, the name that people use, its shape, and lists of values, each with the measure of ours that comes
nearest, the source, and in words how the two definitions differ. Kinds of value:
    heads    a value for each of some heads; no value where a head was only named
    above    how many heads of a range of layers lie above a value
    sinks    per cent of head-window pairs that are sinks, beside a hundred minus the mean over heads of the measure"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "published"
TEXTS = ("title", "kind", "measure", "unit", "source", "differs")


@dataclass(frozen=True)
class Value:
    """One published value. A head (layer, head), a range of layers with the value that heads lie above, or the whole model."""

    layer: int | None = None
    head: int | None = None
    first_layer: int | None = None
    end_layer: int | None = None
    above: float | None = None
    value: float | None = None


@dataclass(frozen=True)
class List:
    """Values of one kind from one source; `measure` is ours."""

    id: str
    title: str
    kind: str
    measure: str
    unit: str
    source: str
    differs: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Model:
    """A model that somebody published figures for: its name on the hub, its everyday name, its shape, and the
    run file that measures it."""

    model: str
    name: str
    layers: int
    heads_per_layer: int
    run_file: str
    lists: tuple[List, ...]


@cache
def models() -> tuple[Model, ...]:
    """Every file of the folder, in the order of their names."""
    return tuple(read(path) for path in sorted(FOLDER.glob("*.toml")))


def read(path: Path) -> Model:
    """One model from its file."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    lists = tuple(
        List(f"{path.stem}_{entry['id']}", *texts(entry), tuple(Value(**value) for value in entry["values"])) for entry in content["list"]
    )
    model, name, run_file = (str(content[key]) for key in ("model", "name", "run_file"))
    return Model(model, name, int(content["layers"]), int(content["heads_per_layer"]), run_file, lists)


def texts(entry: dict[str, object]) -> tuple[str, str, str, str, str, str]:
    """What is said of a list, in the order of its fields."""
    title, kind, measure, unit, source, differs = (str(entry[name]) for name in TEXTS)
    return title, kind, measure, unit, source, differs
