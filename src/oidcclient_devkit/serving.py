"""Serving an application on sockets that are bound already, from a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn

LOOPBACK = "127.0.0.1"
START_DEADLINE = 10.0  # seconds; it takes some milliseconds
STOP_DEADLINE = 5.0  # seconds
FINISH_DEADLINE = 1.0  # seconds


def bind(port: int) -> socket.socket:
    """Bind a port on loopback; 0 takes a free one. Nothing but loopback is ever served."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # pragma: no cover - Windows
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((LOOPBACK, port))
        sock.listen(128)
    except BaseException:
        sock.close()
        raise
    return sock


def origin(sock: socket.socket) -> str:
    """Return the address a bound socket is reached at."""
    return f"http://{LOOPBACK}:{sock.getsockname()[1]}"


class ServerThread:
    """One event loop in one daemon thread, with one server for each socket."""

    def __init__(self, apps: list[tuple[socket.socket, Any]], *, on_stop: Callable[[], None]) -> None:
        self._apps = apps
        self._on_stop = on_stop
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: OSError | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="oidcclient-devkit", daemon=True)

    def start(self) -> None:
        """Return once connections are answered."""
        self._thread.start()
        self._started.wait(START_DEADLINE)
        if self._loop is None:
            raise RuntimeError("the devkit did not start") from self._failure

    def stop(self) -> None:
        """Close every connection and return once the thread has ended."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_DEADLINE)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._failure = error
        finally:
            for sock, _ in self._apps:
                sock.close()
            self._started.set()

    async def _serve(self) -> None:
        servers = [await _start(app, sock) for sock, app in self._apps]
        self._loop = asyncio.get_running_loop()
        self._started.set()
        await self._stop.wait()
        for server in servers:
            await _stop(server)
        self._on_stop()
        for server in servers:
            await _finish(server)


async def _start(app: Any, sock: socket.socket) -> uvicorn.Server:
    # Uvicorn's own main loop looks ten times a second whether to end: too slow for one provider per test.
    config = uvicorn.Config(
        app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[sock])
    return server


async def _stop(server: uvicorn.Server) -> None:
    for listener in server.servers:
        listener.close()
    for connection in list(server.server_state.connections):
        transport: asyncio.Transport = connection.transport
        transport.abort()
    await asyncio.sleep(0)  # lets the transports close their sockets


async def _finish(server: uvicorn.Server) -> None:
    """Let the requests under way end: there is nobody left to answer."""
    if server.server_state.tasks:
        await asyncio.wait(server.server_state.tasks, timeout=FINISH_DEADLINE)
