"""One connection: read one request before a deadline, answer it, and let go without a reset overtaking the answer."""

from __future__ import annotations

import logging
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, assert_never

from oidcclient._words.errors import printable

from . import pages
from .answers import FOUND, SEE_OTHER, empty_answer, page_answer, redirect_answer
from .decision import PATIENT, Accept, AwaitResult, Empty, NoAnswer, NotOurs, ServeDone, ServeStart
from .room import WaitingRoom
from .wire import NeedMore, Refused, Request, RequestParser, TlsHello

if TYPE_CHECKING:
    import ssl  # costs some milliseconds and is needed with a certificate only

__all__ = ["Connection"]

READ_BYTES = 16 * 1024  # one read holds any request that a browser really sends
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # struct linger: on, zero seconds
_OWN_PATHS = ("/start/", "/done/")  # what follows is nobody's business, not even the log's

_log = logging.getLogger(__name__)


class Connection:
    """
    One accepted connection, served by one thread.

    Args:
        accepted: The socket; closed when `serve` returns.
        room: The wait it belongs to.
        app_name: The program's name on the pages.
        tls: Makes the TLS side, where the listener has a certificate.
        fixed_port: Whether the next sign-in will want the same port again.
    """

    def __init__(
        self,
        accepted: socket.socket,
        *,
        room: WaitingRoom,
        app_name: str,
        tls: ssl.SSLContext | None = None,
        fixed_port: bool = False,
    ) -> None:
        self._socket = accepted
        self._room = room
        self._app_name = app_name
        self._tls = tls
        self._fixed_port = fixed_port
        self._client_closed = False
        self._answered = False
        self._secured: ssl.SSLSocket | None = None
        self._stopping = False
        self.busy = False  # between request and answer; before and after, it may be dropped for another

    def serve(self) -> bool:
        """Serve the one request; the result tells whether the client tried TLS where there is none."""
        try:
            return self._serve()
        except (OSError, ValueError):
            # The client went away, was too slow, or `stop` closed under us; ValueError is TLS on a closed socket.
            _log.debug("connection ended early")
            return False
        finally:
            self._close()

    def stop(self) -> None:
        """Read no more, told by another thread. What is being answered is still answered."""
        self._stopping = True
        self._shut(socket.SHUT_RD)

    def _close(self) -> None:
        """Close; on a fixed port with a reset if the client has not, for a TIME_WAIT would block the next sign-in."""
        cut_short = self._answered and self._stopping  # an answer just written: no reset may overtake it
        if self._fixed_port and not self._client_closed and not cut_short:
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._socket.close()

    def _shut(self, how: int) -> None:
        # Not SSLSocket.shutdown: that one drops its keys, and an answer still to be written would go out in the clear.
        with suppress(OSError):
            socket.socket.shutdown(self._socket, how)

    def _serve(self) -> bool:
        limits = self._room.limits
        deadline = time.monotonic() + limits.request_seconds
        if self._tls is not None:
            self._socket.settimeout(limits.request_seconds)
            self._secured = self._tls.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
            self._socket = self._secured
            self._secured.do_handshake()
        result = self._read_request(deadline)
        self.busy = True
        match result:
            case TlsHello():
                return True
            case Refused():
                _log.debug("request refused status=%s", result.status)
                self._send(empty_answer(result.status))
            case Request():
                self._answer(result)
            case _:
                _log.debug("connection without a request")
        return False

    def _read_request(self, deadline: float) -> Request | Refused | TlsHello | None:
        """Read until there is a request; the deadline is for all of it, so that dripping bytes gains nothing."""
        parser = RequestParser()
        while not (self._client_closed or self._stopping) and (left := deadline - time.monotonic()) > 0:
            result = parser.feed(self._read(left) or b"")
            if not isinstance(result, NeedMore):
                return result
        return None

    def _read(self, seconds: float) -> bytes | None:
        """Read what is there, b"" at the end, None where nothing came within a slice."""
        self._socket.settimeout(min(seconds, self._room.limits.slice_seconds))
        try:
            data = self._socket.recv(READ_BYTES)
        except TimeoutError:
            return None
        self._client_closed = data == b"" and not self._stopping
        return data

    def _answer(self, request: Request) -> None:
        decision = self._room.judge(request)
        path = next((own for own in _OWN_PATHS if request.path.startswith(own)), request.path)
        _log.debug(
            "request method=%s path=%s decision=%s", request.method, printable(path, 80), type(decision).__name__
        )
        match decision:
            case Empty():
                self._send(empty_answer(decision.status, allow=decision.allow))
            case ServeStart():
                self._answer_start()
            case Accept() | AwaitResult():
                self._answer_callback()
            case NotOurs():
                self._send(page_answer(pages.not_ours_page(self._app_name)))
            case NoAnswer():
                self._send(page_answer(pages.no_answer_page(self._app_name)))
            case ServeDone():
                self._answer_done(patient=decision.patient)
            case _:
                assert_never(decision)

    def _answer_start(self) -> None:
        """Hold the browser until the flow names the provider's address: a PAR request may have to be sent first."""
        number, ticket = self._room.ask_for_start()
        ticket.answered.wait(self._room.limits.hold_seconds)
        self._room.forget_start(number)
        if ticket.address is None:
            self._send(page_answer(pages.start_failed_page(self._app_name)))
        else:
            self._send(redirect_answer(FOUND, ticket.address))

    def _answer_callback(self) -> None:
        """
        Hold the browser until the result is known, or too long, and send it to a clean address.

        RFC 9700 section 4.3.1: the code stays neither in the address bar nor in the history.
        """
        known = self._room.settled.wait(self._room.limits.hold_seconds)
        if known and self._room.outcome is None:
            self._send(page_answer(pages.stopped_page(self._app_name)))
        else:
            self._send(redirect_answer(SEE_OTHER, self._room.expected.done_path))

    def _answer_done(self, *, patient: bool) -> None:
        """Show the result; or say at once that it takes longer, and hold the visit that this page then makes."""
        room = self._room
        if patient:
            room.settled.wait(room.limits.hold_seconds)
        outcome = room.outcome
        if outcome is None:
            again = f"{room.expected.done_path}?{PATIENT}"
            stopped = room.settled.is_set()
            waiting = pages.stopped_page(self._app_name) if stopped else pages.finishing_page(self._app_name, again)
            self._send(page_answer(waiting))
            return
        try:
            self._send(page_answer(pages.result_page(outcome, self._app_name)))
        finally:
            room.result_fetched()

    def _send(self, answer: bytes) -> None:
        """Write the answer, say that it is all, and read on for a moment (RFC 9112 section 9.6)."""
        limits = self._room.limits
        self._socket.settimeout(limits.request_seconds)
        self._answered = True
        self.busy = False  # already: whoever reads the answer may be back before the next line runs
        self._socket.sendall(answer)
        written = time.monotonic()
        if self._fixed_port:
            self._drain(written + limits.yield_seconds)
        if self._secured is not None and not self._client_closed:
            self._socket.settimeout(limits.slice_seconds)
            with suppress(OSError):
                self._secured.unwrap()  # RFC 8446 section 6.1: close_notify before the write side ends
        self._shut(socket.SHUT_WR)
        self._drain(written + limits.drain_seconds)

    def _drain(self, deadline: float) -> None:
        """Read until the client closes, and drop what it says."""
        while not (self._client_closed or self._stopping) and (left := deadline - time.monotonic()) > 0:
            self._read(left)
