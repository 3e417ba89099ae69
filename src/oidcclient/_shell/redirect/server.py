"""Accept connections and give each a thread, so that a browser's idle preconnect never keeps its callback waiting."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from .connection import Connection
from .limits import Limits

__all__ = ["Server"]

ACCEPT_PAUSE_SECONDS = 0.05  # when the system refuses a connection (no file descriptor left), before asking again
THREAD_NAME = "oidcclient-redirect"


class Server:
    """
    One accept thread per listening socket, one daemon thread per connection.

    Args:
        listeners: Listening sockets; closed by `close`.
        limits: Limits in time and number.
        connect: Makes the connection that serves an accepted socket.
        on_tls: Called from a connection's thread when its client spoke TLS where there is none.
    """

    def __init__(
        self,
        listeners: list[socket.socket],
        limits: Limits,
        *,
        connect: Callable[[socket.socket], Connection],
        on_tls: Callable[[], None],
    ) -> None:
        self._listeners = listeners
        self._limits = limits
        self._connect = connect
        self._on_tls = on_tls
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._served: dict[Connection, threading.Thread] = {}  # oldest first
        self._acceptors = [
            threading.Thread(target=self._accept, args=(listener,), name=THREAD_NAME, daemon=True)
            for listener in listeners
        ]
        for thread in self._acceptors:
            thread.start()

    def close(self) -> None:
        """Stop listening at once, read nothing more, and give answers that are being written a moment to end."""
        self._closing.set()
        for listener in self._listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept() on Linux; elsewhere its slice ends soon
            listener.close()
        with self._lock:
            served = dict(self._served)
        for connection in served:
            connection.stop()
        deadline = time.monotonic() + self._limits.close_seconds
        for thread in (*self._acceptors, *served.values()):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            listener.settimeout(self._limits.slice_seconds)
        while not self._closing.is_set():
            try:
                accepted, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                # Closed under us, or the client has gone again, or the system has no room: the loop's condition tells.
                self._closing.wait(ACCEPT_PAUSE_SECONDS)
                continue
            self._admit(accepted)

    def _admit(self, accepted: socket.socket) -> None:
        """Serve a connection; beyond the limit the oldest that waits for nothing of ours makes room, if any."""
        victim: Connection | None = None
        with self._lock:
            if len(self._served) >= self._limits.connections:
                victim = next((connection for connection in self._served if not connection.busy), None)
            if self._closing.is_set() or (len(self._served) >= self._limits.connections and victim is None):
                accepted.close()
                return
            if victim is not None:
                del self._served[victim]
            connection = self._connect(accepted)
            thread = threading.Thread(target=self._serve, args=(connection,), name=THREAD_NAME, daemon=True)
            self._served[connection] = thread
            thread.start()
        if victim is not None:
            victim.stop()

    def _serve(self, connection: Connection) -> None:
        spoke_tls = connection.serve()
        with self._lock:
            self._served.pop(connection, None)
        if spoke_tls:
            self._on_tls()  # after the above, so that it may close us
