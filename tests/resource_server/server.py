"""A small HTTP server on loopback that answers what it was told, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

Form = dict[str, str]
Reply = tuple[int, Any]


class Server:
    """What it answers is set by path: a value, or a function of the form it is sent."""

    def __init__(self) -> None:
        self.replies: dict[str, Any] = {}
        self.asked: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.forms: list[Form] = []
        self.gate = threading.Event()  # closed, it holds every answer back
        self.gate.set()
        self.was_asked = threading.Event()
        self.content_type = "application/json"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def publish(self, keys: dict[str, Any], **members: Any) -> None:
        """Answer as an authorization server does (RFC 8414)."""
        self.replies["/jwks"] = keys
        self.replies["/.well-known/oauth-authorization-server"] = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "introspection_endpoint": f"{self.url}/introspect",
            "token_endpoint": f"{self.url}/token",
            **members,
        }

    def reply(self, path: str, form: Form) -> Reply:
        value = self.replies.get(path)
        if callable(value):
            value = value(form)
        if value is None:
            return 404, {}
        return value if isinstance(value, tuple) else (200, value)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.answer({name: values[0] for name, values in parse_qs(body).items()})

        def answer(self, form: Form) -> None:
            server.asked[self.path] += 1
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            server.forms.append(form)
            server.was_asked.set()
            server.gate.wait(10)
            status, value = server.reply(self.path, form)
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", server.content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            return

    return Handler
