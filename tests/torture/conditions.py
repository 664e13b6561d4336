"""Conditions of the catalogue's cases: each function gives a `prepare` that makes one thing wrong in a folder."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from catalogue import Prepare
from safetensors.numpy import load_file, save_file
from workplace import sql, write_run

PORT = 47613
TOKEN = "hf_thisTokenMustNotBeEchoed"  # noqa: S105 – it opens nothing
HEADS_OPTIONS = ("--into", "h.duckdb", "--run", "R", "--measure", "m", "--unit", "share", "--source", "S")
COUNTS_OPTIONS = ("--into", "h.duckdb", "--title", "T", "--source", "S")


def both(*prepares: Prepare) -> Prepare:
    """One after the other; none of them holds anything open."""

    def prepare(folder: Path) -> None:
        for each in prepares:
            each(folder)

    return prepare


def write(name: str, content: bytes | str) -> Prepare:
    """This file has this content."""

    def prepare(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return prepare


def remove(*names: str) -> Prepare:
    """These files are gone."""

    def prepare(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return prepare


def sparse(name: str, size: int) -> Prepare:
    """A file of so many zero bytes that takes no room."""

    def prepare(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            file.truncate(size)

    return prepare


def link(name: str, target: str) -> Prepare:
    """A symbolic link."""
    return lambda folder: (folder / name).symlink_to(target)


def fifo(name: str) -> Prepare:
    """A pipe that nobody writes to: opening it would wait for ever."""
    return lambda folder: os.mkfifo(folder / name)


def run_file(**settings: object) -> Prepare:
    """The run file with settings of its own."""
    return lambda folder: write_run(folder, **settings)


def run_text(text: str) -> Prepare:
    """The run file with a line of its own."""

    def prepare(folder: Path) -> None:
        with (folder / "toy.toml").open("a", encoding="utf-8") as file:
            file.write(text)

    return prepare


def json_of(name: str, **settings: object) -> Prepare:
    """A JSON file with keys of its own; None removes one."""

    def prepare(folder: Path) -> None:
        content = json.loads((folder / name).read_text(encoding="utf-8")) | settings
        (folder / name).write_text(json.dumps({key: value for key, value in content.items() if value is not None}), encoding="utf-8")

    return prepare


def weights(edit: Callable[[dict[str, np.ndarray]], object]) -> Prepare:
    """The toy model's weights, changed."""

    def prepare(folder: Path) -> None:
        path = folder / "toy" / "model.safetensors"
        tensors = {name: tensor.copy() for name, tensor in load_file(path).items()}
        edit(tensors)
        save_file(tensors, path, metadata={"format": "pt"})

    return prepare


def data(name: str, edit: Callable[[bytes], bytes]) -> Prepare:
    """A file's bytes, changed."""
    return lambda folder: (folder / name).write_bytes(edit((folder / name).read_bytes())) and None


def figure(before: str, after: str) -> Prepare:
    """The figure of activation, one text replaced by another."""

    def prepare(folder: Path) -> None:
        path = folder / "figures" / "activation.toml"
        text = path.read_text(encoding="utf-8")
        if before not in text:
            raise ValueError(f"the figure has no {before!r}")
        path.write_text(text.replace(before, after), encoding="utf-8")

    return prepare


def own_figure(name: str) -> Prepare:
    """One more of the package's own figures is shown."""
    source = Path(__file__).parents[2] / "report" / "figures" / f"{name}.toml"
    return lambda folder: shutil.copy(source, folder / "figures") and None


def database(name: str, *statements: str) -> Prepare:
    """A database file, changed by SQL."""
    return lambda folder: sql(folder / name, *statements)


def second_run(**options: object) -> Prepare:
    """A second run in the planted file: active heads of another model or text."""

    def prepare(folder: Path) -> None:
        from planting import write_counters

        active = np.array([[20, 80, 85]] * int(str(options.get("layers", 4))))
        tokens = int(str(options.get("tokens", 100)))
        write_counters(folder / "planted.duckdb", active, run_id="other", shards=4, tokens=tokens)

    return prepare


def opened_by_another(name: str) -> Prepare:
    """Another process has a database file open for writing."""

    @contextmanager
    def held(folder: Path) -> Iterator[None]:
        code = f"import duckdb; con = duckdb.connect({name!r}); print('open', flush=True); input()"
        (folder / name).parent.mkdir(exist_ok=True)
        with subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            if other.stdout is None or other.stdout.readline() != "open\n":
                raise RuntimeError("the other process did not open the file")
            yield
            other.communicate("\n")

    return held


@contextmanager
def port_in_use(folder: Path) -> Iterator[None]:
    """Somebody listens on PORT, and there is a site to serve."""
    write("site/index.html", "<p>a site")(folder)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", PORT))
        taken.listen()
        yield


def hub_that_says(code: int, error: str) -> Prepare:
    """A hub on this machine that answers every question with this status and error code."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.send_header("X-Error-Code", error)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    @contextmanager
    def serving(folder: Path) -> Iterator[None]:
        ThreadingHTTPServer.allow_reuse_address = True
        with ThreadingHTTPServer(("127.0.0.1", PORT + 1), Answering) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield
            server.shutdown()

    return serving


def absent_package(name: str) -> Prepare:
    """A package that Python does not find: the first on its path raises what Python raises."""
    return write(f"absent/{name}/__init__.py", f'raise ModuleNotFoundError("No module named {name!r}", name={name!r})\n')


def foreign_log(name: str) -> Prepare:
    """The log of another database lies beside this one, as after a copy of the wrong files."""

    def prepare(folder: Path) -> None:
        code = (
            "import duckdb, os; con = duckdb.connect('other.duckdb'); con.execute('pragma disable_checkpoint_on_shutdown'); "
            "con.execute('create table x as from range(9)'); con.execute('insert into x from range(99)'); os._exit(0)"
        )
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
        (folder / "other.duckdb.wal").rename(folder / f"{name}.wal")
        (folder / "other.duckdb").unlink()

    return prepare
