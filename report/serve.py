"""Shows a built site on this machine as a host would that reads the site's file of headers, for reading before it is published anywhere."""

import errno
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from report import csp
from report.errors import EnvironmentRefusal


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing: a page has dozens of them."""

    def version_string(self) -> str:
        """The name of the server, without the versions of Python and its library."""
        return "Headcount"

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


class Deployed(Quiet):
    """Serves files with the headers of the site's own file, and its error page where there is none."""

    def translate_path(self, path: str) -> str:
        """The file that an address names; one that is not there for a link that leads out of the site, as no host would follow it."""
        found, site = Path(super().translate_path(path)), Path(self.directory).resolve()
        try:
            inside = found.resolve().is_relative_to(site)
        except (OSError, ValueError, RuntimeError):
            inside = False
        # With its last slash, by which a folder is known from a file.
        return super().translate_path(path) if inside else str(site / "no such file")

    def end_headers(self) -> None:
        """Add what the site's file of headers says of this address."""
        own = Path(self.directory) / csp.HEADERS
        if own.is_file():
            address = self.path.partition("?")[0]
            for name, value in csp.headers_for(address, csp.rules(own.read_text(encoding="utf-8"))).items():
                self.send_header(name, value)
        super().end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with the site's own error page where a file is missing."""
        page = Path(self.directory) / "404.html"
        if code != 404 or not page.is_file():
            super().send_error(code, message, explain)
            return
        body = page.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def serve(site: Path, port: int) -> None:
    """Serve a folder on 127.0.0.1 until interrupted.

    Raises:
        EnvironmentRefusal: no site there, or the port is taken.
    """
    if not (site / "index.html").is_file():
        raise EnvironmentRefusal("no site there", site.name, "build it first: make report")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(Deployed, directory=str(site)))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise EnvironmentRefusal(f"port {port} is in use", "127.0.0.1", f"try --port {port + 1}") from error
    print(f"http://127.0.0.1:{port}/ shows {site}; Ctrl-C ends it")
    with server:
        server.serve_forever()
