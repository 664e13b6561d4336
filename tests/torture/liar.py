"""An index that lies: a real server on this machine, which hands out an archive that is whole and well made, but not the pinned one."""

import base64
import hashlib
import io
import json
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


class Liar(BaseHTTPRequestHandler):
    """An index of pip's and a registry of npm's in one; `archives` are by name of file, `claims` what it says of their hashes."""

    archives: dict[str, bytes]
    claims: dict[str, str]
    asked: list[str]

    def do_GET(self) -> None:
        """Hand out an archive, or the page that leads to it."""
        self.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        if name in self.archives:
            self.answer(self.archives[name], "application/octet-stream")
        elif self.path.startswith("/simple/"):
            links = [f'<a href="/files/{file}#sha256={self.claims[file]}">{file}</a>' for file in self.archives]
            self.answer(f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode(), "text/html")
        else:
            self.answer(json.dumps(self.document()).encode(), "application/json")

    def document(self) -> dict[str, object]:
        """What npm asks for: the one version there is of a package."""
        (file,) = self.archives
        name, version = self.path.strip("/").replace("%2f", "/").replace("%2F", "/"), file.removesuffix(".tgz").rpartition("-")[2]
        host, port = self.server.server_address[:2]
        dist = {"tarball": f"http://{host}:{port}/files/{file}", "integrity": self.claims[file]}
        return {"name": name, "dist-tags": {"latest": version}, "versions": {version: {"name": name, "version": version, "dist": dist}}}

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@contextmanager
def index(file: str, archive: bytes, claim: str) -> Iterator[tuple[str, list[str]]]:
    """The address of a liar, and what it is asked."""
    asked: list[str] = []
    handler = type("One", (Liar,), {"archives": {file: archive}, "claims": {file: claim}, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wheel(name: str, version: str, inside: str) -> tuple[str, bytes]:
    """A wheel that pip would install, with one file of ours in it."""
    stem, written = f"{name.replace('-', '_')}-{version}", io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        packed.writestr(inside, '{"1": {"title": "let in", "extract": "let in"}}')
        packed.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        packed.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{stem}.dist-info/RECORD", "")
    return f"{stem}-py3-none-any.whl", written.getvalue()


def tarball(name: str, version: str, inside: list[str]) -> tuple[str, bytes]:
    """An archive that npm would install, with files of ours in it."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as packed:
        for path in dict.fromkeys(["package/package.json", *inside]):
            content = json.dumps({"name": name, "version": version, "main": "index.js"}).encode()
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return f"{name.rpartition('/')[2]}-{version}.tgz", written.getvalue()


def integrity(archive: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()


def ask_only(monkeypatch: pytest.MonkeyPatch, folder: Path, address: str) -> None:
    """Have pip and npm ask one address, and remember nothing of what they once had."""
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    told = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": f"{address}simple/", "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}
    told |= {"npm_config_registry": address, "npm_config_cache": str(folder / "npm"), "npm_config_fetch_retries": "0"}
    told |= {"npm_config_userconfig": str(folder / "none"), "npm_config_audit": "false", "npm_config_update_notifier": "false"}
    # A proxy would not find this machine.
    for name, value in (told | {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}).items():
        monkeypatch.setenv(name, value)
