"""An API that keeps what it was sent and answers as it was told: on loopback, in threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["Api", "Seen", "api_running"]

CHUNK = 1 << 16


@dataclass
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    size: int
    body: bytes


@dataclass
class Api:
    """What was seen, and what is answered."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"ok": true}'
    date: str | None = None
    seen: list[Seen] = field(default_factory=list)


@contextmanager
def api_running() -> Iterator[Api]:
    """Run an API until the test is done."""
    api = Api()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Dated(BaseHTTPRequestHandler):
    """Says another time if it is told to."""

    date: str | None = None

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time."""
        return self.date or super().date_time_string(timestamp)


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(Dated):
        protocol_version = "HTTP/1.1"
        date = property(lambda _: api.date)

        def handle_any(self) -> None:
            body, size = b"", 0
            for chunk in self._chunks():
                size += len(chunk)
                body += chunk if size <= CHUNK else b""
            headers = {name.lower(): value for name, value in self.headers.items()}
            api.seen.append(Seen(self.command, self.path, headers, size, body))
            self.send_response(api.status)
            for name, value in api.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(api.body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else api.body)

        def _chunks(self) -> Iterator[bytes]:
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline().strip(), 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return
            left = int(self.headers.get("Content-Length") or 0)
            while left:
                chunk = self.rfile.read(min(left, CHUNK))
                left -= len(chunk)
                yield chunk

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    for method in ("GET", "POST", "PUT", "DELETE", "HEAD"):
        setattr(Handler, f"do_{method}", Handler.handle_any)
    return Handler
