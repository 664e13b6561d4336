"""A small host for a built site: its own headers, compressed texts, in a folder of any name – as the sites' real hosts do it."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from http.server import ThreadingHTTPServer
from pathlib import Path

from report.serve import Deployed

COMPRESSED = {".html", ".css", ".js", ".json", ".svg", ".xml", ".txt", ".csv", ".md"}


@lru_cache(maxsize=512)
def compressed(path: Path) -> bytes:
    """A file as it travels."""
    return gzip.compress(path.read_bytes(), 6, mtime=0)


class Host(Deployed):
    """Serves the folder below a prefix; `allowed` may replace the site's own policy, to see what it is good for."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args: object, prefix: str = "/", allowed: str = "", **options: object) -> None:
        self.prefix, self.allowed = prefix, allowed
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        """Answer with the file, or with the error page."""
        whole = self.path
        if not whole.startswith(self.prefix):
            self.send_error(404)
            return
        self.path = "/" + whole.removeprefix(self.prefix)
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() and self.path.partition("?")[0].endswith("/") else path
        if path.is_file() and path.suffix in COMPRESSED and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = compressed(path)
            self.send_response(200)
            self.send_header("Content-Type", self.guess_type(str(path)))
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            super().do_GET()

    def send_header(self, keyword: str, value: str) -> None:
        """The header, or what takes the place of the policy."""
        super().send_header(keyword, self.allowed if self.allowed and keyword == "Content-Security-Policy" else value)


class Patient(ThreadingHTTPServer):
    """A server whose threads end with the tests, and that says nothing of browsers that hang up."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that leaves a page breaks off what it asked for."""


@contextmanager
def serving(site: Path, prefix: str = "/", allowed: str = "") -> Iterator[str]:
    """The site's address on this machine, while it is served."""
    server = Patient(("127.0.0.1", 0), partial(Host, prefix=prefix, allowed=allowed, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
