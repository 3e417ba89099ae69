"""Every way a wait can be ended early, and what the browser is told then."""

import socket
import threading
import time

import pytest

from oidcclient._shell.redirect import Limits, LoopbackReceiver
from oidcclient._shell.redirect.server import Server
from oidcclient._words.errors import LoginCancelled
from oidcclient._words.receiver import StartRequested
from oidcclient._words.ways import Loopback
from tests.redirect.visitor import (
    PATIENCE_S,
    STATE,
    Opened,
    OpenReceiver,
    aside,
    connect,
    until,
    visit,
)


def started(opened: Opened) -> StartRequested:
    event = opened.receiver.wait(PATIENCE_S)
    assert isinstance(event, StartRequested)
    return event


def test_the_page_that_waits_is_told_when_the_program_stops(opened: Opened) -> None:
    callback = aside(lambda: visit(opened.good))
    opened.arrived()
    done = opened.receiver._opened().expected.done_path
    patient = aside(lambda: visit(opened.at(f"{done}?wait")))
    until(lambda: len(_server(opened)._served) == 2 and all(one.busy for one in _server(opened)._served))
    opened.receiver.close()
    for tab in (callback, patient):
        assert "The sign-in was stopped" in tab.result(PATIENCE_S).text


def test_cancel_from_another_thread_ends_the_wait_at_once(opened: Opened) -> None:
    threading.Timer(0.1, opened.receiver.cancel).start()
    began = time.monotonic()
    with pytest.raises(LoginCancelled):
        opened.receiver.wait(PATIENCE_S)
    assert time.monotonic() - began < 1
    with pytest.raises(LoginCancelled):
        opened.receiver.wait(0)


def test_close_from_another_thread_ends_the_wait_at_once(opened: Opened) -> None:
    threading.Timer(0.1, opened.receiver.close).start()
    with pytest.raises(LoginCancelled):
        opened.receiver.wait(PATIENCE_S)


def test_close_is_quick_and_lets_every_connection_go(opened: Opened) -> None:
    held = aside(lambda: visit(opened.good))
    opened.arrived()
    starting = aside(lambda: visit(opened.start))
    idle = [connect(opened.redirect_uri) for _ in range(5)]
    until(lambda: len(_server(opened)._served) == 7)
    began = time.monotonic()
    opened.receiver.close()
    assert time.monotonic() - began < 1
    assert not _server(opened)._served
    assert "The sign-in was stopped" in held.result(PATIENCE_S).text
    assert "The sign-in was stopped" in starting.result(PATIENCE_S).text
    for connection in idle:
        with connection:
            assert connection.recv(1) == b""
    with pytest.raises(OSError):  # noqa: PT011 - refused, in the system's words
        connect(opened.redirect_uri)


def test_close_tells_a_browser_at_the_start_address_that_nothing_starts(opened: Opened) -> None:
    tab = aside(lambda: visit(opened.start))
    started(opened)
    opened.receiver.close()
    assert tab.result(PATIENCE_S).status == 503


def test_close_is_idempotent_and_needs_no_open() -> None:
    receiver = LoopbackReceiver(Loopback())
    receiver.close()
    receiver.close()
    with pytest.raises(LoginCancelled):
        receiver.open(STATE)


def test_requests_that_were_read_before_the_close_are_answered_truly(opened: Opened) -> None:
    opened.receiver.close()
    room = opened.receiver._opened()
    _, ticket = room.ask_for_start()
    assert ticket.answered.is_set()
    assert ticket.address is None


def test_a_server_that_is_closing_takes_nobody_in(opened: Opened) -> None:
    opened.receiver.close()
    ours, theirs = socket.socketpair()
    with theirs:
        _server(opened)._admit(ours)
        assert theirs.recv(1) == b""


def _server(opened: Opened) -> Server:
    server = opened.receiver._server
    assert server is not None
    return server


def test_a_system_without_room_for_a_connection_does_not_end_the_listening(open_receiver: OpenReceiver) -> None:
    class Full:
        """A listening socket whose accept() fails first and is closed by its server after."""

        def __init__(self) -> None:
            self.tries = 0

        def settimeout(self, seconds: float) -> None:
            raise OSError("closed already")

        def accept(self) -> None:
            self.tries += 1
            raise OSError("too many open files")

        def shutdown(self, how: int) -> None:
            raise OSError("not connected")

        def close(self) -> None:
            pass

    full = Full()
    server = Server([full], Limits(), connect=lambda _: pytest.fail("nobody came"), on_tls=lambda: None)  # type: ignore[list-item]  # stands in for a socket
    until(lambda: full.tries > 2)
    server.close()
    assert full.tries < 100
