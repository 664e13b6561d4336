"""Real processes of both command lines that begin with their libraries loaded: a trial then costs a tenth of a second, not four.

A server process imports them once and forks for every process asked for (multiprocessing's own fork server)."""

import importlib
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

ROOT = Path(__file__).parents[2]
# That of conftest.py, which modules cannot import by its name.
SEED = 20260
_LOADED = ["torch", "transformers.models.gpt2.modeling_gpt2", "extract.run", "extract.passes", "extract.calibration.window", "builder"]
_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(_LOADED)
_PATHS = os.pathsep.join(str(ROOT / part) for part in ("", "tests/torture", "tests/extract"))


@dataclass(frozen=True)
class Running:
    """A process, and the file that its stderr and stdout go to."""

    process: BaseProcess
    said: Path

    @property
    def text(self) -> str:
        """What it has said so far."""
        return self.said.read_text(encoding="utf-8")

    @property
    def errors(self) -> list[str]:
        """The lines that are errors or a traceback's."""
        return [line for line in self.text.splitlines() if line.startswith(("error: ", "Traceback", "interrupted"))]

    def ended(self, seconds: float = 120.0) -> int:
        """The exit code, once it has one; the negative of a signal that killed it."""
        self.process.join(seconds)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            raise TimeoutError(f"no end within {seconds:g} s: {self.text}")
        return code


def start(said: Path, package: str, *arguments: object, **environment: str) -> Running:
    """Begin `python -m PACKAGE ARGUMENTS` from the root of the repository.

    PACKAGE may also be `checkpoint`, the maker of a toy: its folder and its tokenizer. In the environment, PUBLISH_EVERY sets that constant
    of a run, in seconds; KILLED_AT, as `module.function`, where the process kills itself with the signal that nothing can catch; SPOILED a
    figure that a build adds to a number of its first page once it is written; ACKNOWLEDGED a file that gets a line after every commit."""
    _ensure_server()
    said.write_bytes(b"")
    process = _FORKED.Process(target=_command, args=(str(said), package, [str(argument) for argument in arguments], environment))
    process.start()
    return Running(process, said)


def _ensure_server() -> None:
    """The server knows no path but the environment's, and passes over in silence what it cannot import."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = _PATHS if before is None else os.pathsep.join([_PATHS, before])
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


def _command(said: str, package: str, arguments: list[str], environment: dict[str, str]) -> None:
    handle = os.open(said, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(handle, stream)
    # The server's own path is none of the command's.
    os.environ["PYTHONPATH"] = os.environ.get("PYTHONPATH", "").removeprefix(_PATHS).lstrip(os.pathsep)
    os.environ.update(environment)
    # Read when it was first asked for, in the server.
    tempfile.tempdir = None
    os.chdir(ROOT)
    module, _, function = environment.get("KILLED_AT", "").rpartition(".")
    if module:
        setattr(importlib.import_module(module), function, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    if package == "checkpoint":
        from toy_checkpoint import save_checkpoint

        save_checkpoint(*map(Path, arguments))
        sys.exit(0)
    if package == "report":
        if "SPOILED" in environment:
            _spoil(environment["SPOILED"])
        from report.__main__ import main as report_main

        sys.argv = ["report", *arguments]
        report_main()
    import extract.run
    from extract.__main__ import main

    if "PUBLISH_EVERY" in environment:
        extract.run.PUBLISH_EVERY = float(environment["PUBLISH_EVERY"])
    if "ACKNOWLEDGED" in environment:
        _acknowledge(Path(environment["ACKNOWLEDGED"]))
    sys.exit(main(arguments))


def _spoil(figure: str) -> None:
    """In the place of the last step before the build looks at its own pages, so that what is spoiled is on one of them."""
    from report import csp

    write = csp.write

    def wrong(fresh: Path) -> None:
        page = fresh / "index.html"
        page.write_text(page.read_text(encoding="utf-8").replace("</data>", f"{figure}</data>", 1), encoding="utf-8")
        write(fresh)

    csp.write = wrong


def _acknowledge(path: Path) -> None:
    from extract.store import Rows, Store

    real = Store.add

    def add(store: Store, rows: Rows) -> None:
        real(store, rows)
        with path.open("a", encoding="utf-8") as file:
            file.write("committed\n")

    Store.add = add
