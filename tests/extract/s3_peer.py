"""Moto's S3 as a server on this machine, one request at a time, as S3 treats one object; it counts requests and can be told to fail as
stores and networks do. Needs moto[server] and s3fs."""

import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_ERROR = "<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{}</Code><Message>told so</Message></Error>"


class S3:
    """`requests` holds method, path and status of each. `answers` are given instead of acting, as (status, code), first to last; `lose`:
    so many answers to puts on a condition are never sent; `bare`: none says which condition failed; `unconditional`: none is heeded."""

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app

        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self.url = ""
        self.requests: list[tuple[str, str, int]] = []
        self.answers: list[tuple[int, str]] = []
        self.lose, self.bare, self.unconditional = 0, False, False

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """One request of WSGI."""
        method, given = environ["REQUEST_METHOD"], {}
        with self._lock:
            if self.answers:
                status, code = self.answers.pop(0)
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                given = {"status": f"{status} told", "headers": [("Content-Type", "text/xml")]}
                body = _ERROR.format(code).encode()
            else:
                if self.unconditional:
                    environ.pop("HTTP_IF_NONE_MATCH", None)
                body = b"".join(self._moto(environ, lambda status, headers, *_: given.update(status=status, headers=headers)))
            self.requests.append((method, environ["PATH_INFO"], int(given["status"][:3])))
            if self.lose and "HTTP_IF_NONE_MATCH" in environ:
                self.lose -= 1
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        if self.bare:
            body = re.sub(rb"<Condition>.*?</Condition>", b"", body)
            given["headers"] = [
                ("Content-Length", str(len(body))) if key == "Content-Length" else (key, value) for key, value in given["headers"]
            ]
        start(given["status"], given["headers"])
        return [body]


@contextmanager
def s3_server() -> Iterator[S3]:
    """The server, while the context lasts."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: object) -> None:
            """Nothing on stderr."""

    peer = S3()
    server = make_server("127.0.0.1", 0, peer, threaded=True, request_handler=Quiet)
    peer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
