"""The catalogue of bad input: each row with what is wrong, the command, its exit code and words, and the files that it may change.

One row may have several cases; an id is the row's number and a name. The cases lie in catalogue_*.py, the conditions that they need in
conditions.py; test_bad_input.py runs each as a real process."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

Prepare = Callable[[Path], AbstractContextManager[object] | None]
"""Makes the condition in the case's folder; what it returns is held open while the command runs."""
Check = Callable[[Path], None]

# What a run leaves that was refused after it had its lock: an empty working file, and its folder.
BEGUN = ("out", "out/c.duckdb.work")


def nothing(folder: Path) -> None:
    """The folder as it is."""


@dataclass(frozen=True)
class Case:
    """One bad input.

    argv: module (extract or report) and arguments; they run in the case's folder.
    words: patterns that must stand in the line of refusal or, with exit 0, among the warnings.
    changes: patterns of paths that may appear, change or go; everything else must hash to what it was.
    never: what may not stand in any output. after: a further check of the folder.
    memory: bytes of address space; file_bytes: the largest file; stop: seconds after which the process gets SIGTERM.
    fresh: a process of its own rather than a fork; slow: only where all trials are asked for.
    today: what is there today, where the catalogue asks for more: to be tightened."""

    id: str
    what: str
    argv: tuple[str, ...]
    words: tuple[str, ...]
    exit: int
    prepare: Prepare = nothing
    changes: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    after: Check = nothing
    memory: int | None = None
    file_bytes: int | None = None
    stop: float | None = None
    fresh: bool = False
    slow: bool = False
    today: str = ""
    skip: str = ""

    @property
    def row(self) -> int:
        """Number of the catalogue's row."""
        return int(self.id[:2])


def run_case(id: str, what: str, exit: int, *words: str, flags: tuple[str, ...] = (), **options: object) -> Case:
    """A case of `extract run`: on the toy model and text unless flags or the run file say otherwise."""
    changes = options.pop("changes", BEGUN if exit else (*BEGUN, "out/c.duckdb"))
    argv = ("extract", "run", "toy.toml", "--out", "out/c.duckdb", *flags)
    return Case(id, what, argv, words, exit, changes=changes, **options)  # type: ignore[arg-type]


def model_case(id: str, what: str, exit: int, *words: str, model: str = "./toy", **options: object) -> Case:
    """A case of `extract run` with this model."""
    return run_case(id, what, exit, *words, flags=("--model", model, "--name", "Other"), **options)


def corpus_case(id: str, what: str, exit: int, *words: str, corpus: str = "texts", **options: object) -> Case:
    """A case of `extract run` with this corpus."""
    flags = ("--corpus", corpus, *options.pop("flags", ()))  # type: ignore[misc]
    return run_case(id, what, exit, *words, flags=flags, **options)


def build_case(
    id: str, what: str, exit: int, *words: str, counters: str = "planted.duckdb", flags: tuple[str, ...] = (), **options: object
) -> Case:
    """A case of `report build` with the figure of activation."""
    argv = ("report", "build", counters, "--out", "site", "--publish", "p.duckdb", "--figures", "figures", *flags)
    options = {"changes": () if exit else ("site", "site/*", "p.duckdb"), "slow": not exit} | options
    return Case(id, what, argv, words, exit, **options)  # type: ignore[arg-type]


def cases() -> tuple[Case, ...]:
    """Every case of every row, in order."""
    import catalogue_corpus
    import catalogue_database
    import catalogue_further
    import catalogue_model
    import catalogue_places
    import catalogue_report

    rows = (catalogue_model, catalogue_corpus, catalogue_report, catalogue_places, catalogue_database, catalogue_further)
    return tuple(case for module in rows for case in module.CASES)
