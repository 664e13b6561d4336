"""A server on this machine that speaks as much of Google Cloud Storage's JSON protocol as shard files need: insert in one piece or more,
on the condition of a generation; get; list by prefix and delimiter; delete. Objects lie in memory; every request is kept."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class Gcs(ThreadingHTTPServer):
    """`requests` holds method, path and status of each; `refuse`, a status, is answered to all; so many answers to inserts on a condition,
    `lose`, are never sent."""

    daemon_threads = True

    def __init__(self, *buckets: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock, self.requests = threading.Lock(), list[tuple[str, str, int]]()
        self.objects: dict[str, dict[str, bytes]] = {bucket: {} for bucket in buckets}
        self.uploads: dict[str, tuple[str, str, bool, bytearray]] = {}
        self.refuse: int | None = None
        self.lose = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Gcs
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        where = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(where.query).items()}
        with self.server.lock:
            headers: dict[str, str] = {}
            status, data = (self.server.refuse, b"") if self.server.refuse else self._act(where.path, query, body, headers)
            self.server.requests.append((self.command, where.path, status))
            if self.server.lose and "ifGenerationMatch" in query:
                self.server.lose -= 1
                self.close_connection = True
                self.connection.close()
                return
        if status >= 400:
            data = json.dumps({"error": {"code": status, "message": f"the answer is {status}"}}).encode()
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def _act(self, path: str, query: dict[str, str], body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        if path.startswith("/resumed/"):
            return self._resume(path, body)
        found = re.fullmatch(r"/(upload/|download/)?storage/v1/b/([^/]+)/o(?:/([^/]+))?", path)
        if found is None or found[2] not in self.server.objects:
            return 404, b""
        bucket, name = self.server.objects[found[2]], unquote(found[3] or "")
        if self.command == "POST":
            return self._insert(found[2], query, body, headers)
        if not name:
            return 200, _listed(bucket, query.get("prefix", ""), query.get("delimiter"))
        if name not in bucket:
            return 404, b""
        if self.command == "DELETE":
            del bucket[name]
            return 204, b""
        return 200, bucket[name] if query.get("alt") == "media" else _metadata(name, bucket[name])

    def _insert(self, bucket: str, query: dict[str, str], body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        once = query.get("ifGenerationMatch") == "0"
        if query["uploadType"] == "resumable":
            place = f"/resumed/{len(self.server.uploads)}"
            self.server.uploads[place] = (bucket, query["name"], once, bytearray())
            headers["Location"] = self.server.url + place
            return 200, b""
        kind = f"Content-Type: {self.headers['Content-Type']}\n\n".encode()
        boundary = BytesParser().parsebytes(kind).get_boundary() or ""
        _, described, content, _ = re.split(rb"\n?--" + re.escape(boundary.encode()) + rb"(?:--)?\n?", body)
        return self._keep(bucket, json.loads(described.split(b"\n\n", 1)[1])["name"], once, content.split(b"\n\n", 1)[1])

    def _resume(self, path: str, body: bytes) -> tuple[int, bytes]:
        bucket, name, once, data = self.server.uploads[path]
        if self.command == "DELETE":
            return 499, b""
        data += body
        end, size = (int(number) for number in re.findall(r"\d+", self.headers["Content-Range"])[1:])
        return self._keep(bucket, name, once, bytes(data)) if end + 1 == size else (308, b"")

    def _keep(self, bucket: str, name: str, once: bool, data: bytes) -> tuple[int, bytes]:
        objects = self.server.objects[bucket]
        if once and name in objects:
            return 412, b""
        objects[name] = data
        return 200, _metadata(name, data)


def _metadata(name: str, data: bytes) -> bytes:
    return json.dumps({"kind": "storage#object", "name": name, "size": str(len(data)), "generation": "1"}).encode()


def _listed(bucket: dict[str, bytes], prefix: str, delimiter: str | None) -> bytes:
    names = sorted(name for name in bucket if name.startswith(prefix))
    below = {prefix + name[len(prefix) :].partition("/")[0] + "/" for name in names if delimiter and "/" in name[len(prefix) :]}
    items = [json.loads(_metadata(name, bucket[name])) for name in names if not (delimiter and "/" in name[len(prefix) :])]
    return json.dumps({"kind": "storage#objects", "items": items, "prefixes": sorted(below)}).encode()


@contextmanager
def gcs_server(*buckets: str) -> Iterator[Gcs]:
    """The server, while the context lasts."""
    server = Gcs(*buckets)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
