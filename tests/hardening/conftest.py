"""A signed-in session, and servers that answer as no server should."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from oidcclient import hooks
from tests.session.conftest import seen, sign_in

__all__ = ["FailsAtRefresh", "Serve", "drip_headers", "seen", "serve", "sign_in"]  # fixtures are found by their names

Serve = Callable[[Callable[[socket.socket], None]], str]


class FailsAtRefresh:
    """
    A hook that fails on what it finds in the answer to a refresh.

    Args:
        error: What it raises.
    """

    name = "fails"

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.left = 0

    def exchange(
        self, context: hooks.HookContext, exchange: hooks.Exchange, proceed: hooks.Proceed
    ) -> hooks.Flow[hooks.HttpResponse]:
        answer = yield from proceed(exchange.request)
        if exchange.kind == hooks.ExchangeKind.REFRESH and self.left:
            self.left -= 1
            raise self.error
        return answer


def drip_headers(connection: socket.socket) -> None:
    """Send a byte of the head every tenth of a second, for as long as somebody reads."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        time.sleep(0.1)
        connection.sendall(b"x")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer each connection with a function of the test's own, which gets the socket."""
    open_sockets: list[socket.socket] = []
    over = threading.Event()

    def start(answer: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        open_sockets.append(listener)

        def one(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                while not over.is_set() and connection.recv(65_536):
                    answer(connection)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                open_sockets.append(connection)
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    over.set()
    for one_socket in open_sockets:
        with contextlib.suppress(OSError):
            one_socket.shutdown(socket.SHUT_RDWR)
        one_socket.close()
