"""The loopback listener: our own small server for one authorization response (RFC 8252 section 7.3)."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from oidcclient._words.errors import DiscoveryRefused, LocalError, LoginCancelled, UsageError
from oidcclient._words.receiver import CallbackArrived, LoginOutcome, Receiver, StartRequested
from oidcclient._words.ways import Loopback

from .addresses import host_addresses, is_safe_to_open, origin
from .binding import listen
from .connection import Connection
from .decision import Expected
from .limits import DEFAULT_LIMITS, Limits
from .room import WaitingRoom
from .server import Server

if TYPE_CHECKING:
    import ssl  # costs some milliseconds and is needed with a certificate only

__all__ = ["LoopbackReceiver"]

RANDOM_BYTES = 24  # 192 bits for our own paths, so that no other user of this machine guesses them

_log = logging.getLogger(__name__)


class LoopbackReceiver:
    """
    Receive the authorization response on this machine's loopback interface; implements `Receiver`.

    Nothing listens before `open`, and nothing after `close`. Every connection has a thread of its own, so that none can
    keep another waiting; the threads are daemons and hold no exit.

    Args:
        options: What the caller asked for.
        default_path: The path of the redirect URI where `options` name none.
        limits: Limits in time and number.
        on_notice: Called, once and from another thread, with a sentence that the person should read.

    Raises:
        UsageError: `default_path` does not fit.
    """

    def __init__(
        self,
        options: Loopback,
        *,
        default_path: str = "/callback",
        limits: Limits = DEFAULT_LIMITS,
        on_notice: Callable[[str], None] | None = None,
    ) -> None:
        self._path = options.path or default_path
        self._options = replace(options, path=self._path)  # Loopback checks the default like its own
        self._limits = limits
        self._on_notice = on_notice
        self._lock = threading.Lock()
        self._stopped = threading.Event()  # ends the tries for a port that is taken
        self._room: WaitingRoom | None = None
        self._server: Server | None = None
        self._start_uri: str | None = None
        self._https_was_forced = False

    def open(self, state: str) -> str:
        """
        Listen for the response that carries `state`, and return the redirect URI.

        Raises:
            LocalError: No port could be had, or the certificate cannot be used.
            LoginCancelled: `cancel` or `close` was called before.
            UsageError: Opened before, or no state.
        """
        if self._room is not None:
            raise UsageError("a receiver is opened once", rule="open")
        if not state:
            raise UsageError("state must not be empty", rule="state", section="RFC 6749 section 10.12")
        certificate = self._options.certificate
        tls = None if certificate is None else _tls_context(*certificate)
        host, listeners = listen(self._options, self._limits, self._stopped.wait)
        return self._start(state, host, listeners, tls)

    def _start(self, state: str, host: str, listeners: list[socket.socket], tls: ssl.SSLContext | None) -> str:
        """Serve the sockets; the addresses are made from what is bound (the table row "Port race")."""
        scheme = "http" if tls is None else "https"
        port: int = listeners[0].getsockname()[1]
        expected = Expected(
            state=state,
            path=self._path,
            addresses=host_addresses(scheme, host, port, self._path),
            form_post=self._options.form_post,
            start_path=f"/start/{secrets.token_urlsafe(RANDOM_BYTES)}",
            done_path=f"/done/{secrets.token_urlsafe(RANDOM_BYTES)}",
        )
        room = WaitingRoom(expected, self._limits)
        app, fixed = self._options.app_name, port in self._options.ports
        with self._lock:  # `close` comes before this or after, never between
            if self._stopped.is_set():
                for listener in listeners:
                    listener.close()
                raise LoginCancelled("the sign-in was stopped before it began")
            self._room = room
            self._server = Server(
                listeners,
                self._limits,
                connect=lambda accepted: Connection(accepted, room=room, app_name=app, tls=tls, fixed_port=fixed),
                on_tls=self._note_tls,
            )
        base = origin(scheme, host, port)
        self._start_uri = base + expected.start_path
        _log.debug("listening host=%s port=%s", host, port)
        return base + self._path

    @property
    def start_uri(self) -> str | None:
        """Our own short address that sends a browser on to the provider; None before `open`."""
        return self._start_uri

    @property
    def https_was_forced(self) -> bool:
        """Whether a browser spoke TLS to us although we have no certificate."""
        return self._https_was_forced

    def wait(self, seconds: float) -> StartRequested | CallbackArrived | None:
        """
        Block for the next event, or return None when `seconds` are over.

        Raises:
            LoginCancelled: `cancel` or `close` was called.
            CallbackRefused: Too many responses came that were not ours.
        """
        return self._opened().wait(seconds)

    def send_on(self, event: StartRequested, address: str | None) -> None:
        """
        Send the waiting browser to `address`; None tells it that the sign-in could not be started.

        Raises:
            DiscoveryRefused: No browser may be sent to `address`; the waiting one was told that nothing can be started.
        """
        # The table row "Opening the URL through a shell": the provider names the address, so only https or loopback.
        safe = address is None or is_safe_to_open(address)
        self._opened().send_on(event.token, address if safe else None)
        if not safe:
            raise DiscoveryRefused(
                "the address to sign in at is neither https nor http on loopback, or holds a character no address has",
                rule="authorization_endpoint",
                section="OIDC Core section 3.1.2.1",
            )

    def finish(self, outcome: LoginOutcome) -> None:
        """Tell the waiting browser what came of the sign-in; returns when its page was fetched, or after one second."""
        self._opened().finish(outcome)

    def cancel(self) -> None:
        """Make `wait` raise LoginCancelled at once; may be called from any thread, also before `open`."""
        self._stopped.set()
        room = self._room
        if room is not None:
            room.cancel()

    def close(self) -> None:
        """Stop listening and let every connection go. Quick, never raises, and may be called twice."""
        with self._lock:
            self._stopped.set()
            room, server = self._room, self._server
        if room is not None:
            room.close()
        if server is not None:
            server.close()

    def _opened(self) -> WaitingRoom:
        if self._room is None:
            raise UsageError("open() comes first", rule="open")
        return self._room

    def _note_tls(self) -> None:
        """Say once what a person can do about a browser that turns http into https (HSTS, https-only modes)."""
        with self._lock:
            first, self._https_was_forced = not self._https_was_forced, True
        if not first or self._on_notice is None:
            return
        instead = ", use 127.0.0.1 in place of localhost" if self._options.host == "localhost" else ""
        self._on_notice(
            f"Your browser insisted on https, which this sign-in does not speak: try another browser{instead}, "
            "or paste the address of the page that did not load."
        )


if TYPE_CHECKING:
    _IMPLEMENTS: type[Receiver] = LoopbackReceiver  # for the type checker: the port is kept


def _tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """Serve the caller's own certificate; none is ever made or installed here."""
    import ssl  # noqa: PLC0415 - costs some milliseconds and is needed with a certificate only

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # BCP 195 (RFC 9325 section 3.1.1)
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")  # an encrypted key fails, it never prompts
    except OSError as error:  # ssl.SSLError is one
        raise LocalError(
            f"the certificate for the redirect cannot be used: {error.strerror or type(error).__name__}",
            hint="Loopback(certificate=(certificate, key)) takes the paths of two PEM files that belong together.",
            rule="certificate",
        ) from error
    return context
