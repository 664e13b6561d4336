"""Shows a built site on this machine, for reading before it is published anywhere."""

import errno
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from report.errors import EnvironmentRefusal


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing: a page has dozens of them."""

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def serve(site: Path, port: int) -> None:
    """Serve a folder on 127.0.0.1 until interrupted.

    Raises:
        EnvironmentRefusal: no site there, or the port is taken.
    """
    if not (site / "index.html").is_file():
        raise EnvironmentRefusal("no site there", site.name, "build it first: make report")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(site)))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise EnvironmentRefusal(f"port {port} is in use", "127.0.0.1", f"try --port {port + 1}") from error
    print(f"http://127.0.0.1:{port}/ shows {site}; Ctrl-C ends it")
    with server:
        server.serve_forever()
