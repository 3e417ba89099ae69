"""Serving applications on loopback sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import uvicorn

# What runs on the address it is served at: the public URL of an API is known beforehand everywhere but in a test.
AppAt = Callable[[str], Any]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        return


@contextmanager
def serve_wsgi(app_at: AppAt) -> Iterator[str]:
    """Serve with the standard library's server."""
    server = WSGIServer(("127.0.0.1", 0), _Quiet)
    url = f"http://127.0.0.1:{server.server_port}"
    server.set_app(app_at(url))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def serve_asgi(app_at: AppAt, **settings: Any) -> Iterator[str]:
    """Serve with uvicorn."""
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    config = uvicorn.Config(
        app_at(url), **{"log_config": None, "ws": "none", "lifespan": "off", "loop": "asyncio", **settings}
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(10)
        sock.close()
