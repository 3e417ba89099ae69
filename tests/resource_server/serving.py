"""Serving applications on loopback sockets."""

from __future__ import annotations

import asyncio
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
    """Serve with uvicorn, from a thread of its own."""
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    plain: dict[str, Any] = {"log_config": None, "ws": "none", "lifespan": "auto"}
    serving = _Serving(uvicorn.Config(app_at(url), **{**plain, **settings}), sock)
    thread = threading.Thread(target=asyncio.run, args=(serving.run(),), daemon=True)
    thread.start()
    serving.started.wait(10)
    try:
        yield url
    finally:
        serving.loop.call_soon_threadsafe(serving.stop.set)
        thread.join(10)
        sock.close()


class _Serving:
    """One server; uvicorn's own main loop looks ten times a second whether to end, and leaves connections behind."""

    def __init__(self, config: uvicorn.Config, sock: socket.socket) -> None:
        self._config = config
        self._sock = sock
        self.started = threading.Event()
        self.stop = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop

    async def run(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._config.load()
        server = uvicorn.Server(self._config)
        server.lifespan = self._config.lifespan_class(self._config)
        await server.startup(sockets=[self._sock])
        self.started.set()
        await self.stop.wait()
        for listener in server.servers:
            listener.close()
        for connection in list(server.server_state.connections):
            transport: Any = connection.transport
            transport.abort()
        await asyncio.sleep(0)  # lets the transports close their sockets
        await server.lifespan.shutdown()
