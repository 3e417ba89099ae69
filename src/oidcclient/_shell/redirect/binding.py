"""
Listening sockets: bind first, then read the port; listen before anything is opened.

Loopback is shared by all users of a machine, so nothing here lets a second program share our port: neither SO_REUSEADDR
nor SO_REUSEPORT, and on Windows SO_EXCLUSIVEADDRUSE.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable

from oidcclient._words.errors import LocalError, UsageError
from oidcclient._words.ways import Loopback

from .limits import Limits

__all__ = ["listen", "reserve"]

BACKLOG = 64  # connections the system holds for us while a thread is started
EPHEMERAL_TRIES = 20  # for a port that is free in both families; the first nearly always is

_NAMES = {"127.0.0.1": ("127.0.0.1",), "::1": ("::1",), "localhost": ("127.0.0.1", "::1"), None: ("127.0.0.1", "::1")}
_TAKEN = {errno.EADDRINUSE}
_BLOCKED = {errno.EACCES, errno.EPERM}  # a low port, or one that Windows or endpoint security keeps
_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}  # no such address family on this machine

_log = logging.getLogger(__name__)


def listen(options: Loopback, limits: Limits, pause: Callable[[float], object]) -> tuple[str, list[socket.socket]]:
    """
    Open the listening sockets that `options` ask for.

    Args:
        options: Host, ports and bind address.
        limits: How often and how fast a fixed port is tried again.
        pause: Sleeps for so many seconds.

    Returns:
        The host for the redirect URI, and one socket, or two on the same port for `localhost`.

    Raises:
        LocalError: No port could be had; the message names them.
        UsageError: The bind address is no IP address.
    """
    if options.bind_address is not None:
        host = options.host or ("::1" if _family(options.bind_address) == socket.AF_INET6 else "127.0.0.1")
        return host, _first_port((options.bind_address,), options.ports, limits, pause)
    if options.host is not None:
        return options.host, _first_port(_NAMES[options.host], options.ports, limits, pause)
    try:
        return "127.0.0.1", _first_port(("127.0.0.1",), options.ports, limits, pause)
    except LocalError as failure:
        # RFC 8252 section 7.3: "attempt to bind to the loopback interface using both IPv4 and IPv6". A port that is
        # merely taken is not tried again there: providers match the host exactly.
        if failure.rule != "address":
            raise
        return "::1", _first_port(("::1",), options.ports, limits, pause)


def _first_port(
    addresses: tuple[str, ...], ports: tuple[int, ...], limits: Limits, pause: Callable[[float], object]
) -> list[socket.socket]:
    """Take the first port of the list that can be had on all `addresses`."""
    reasons: list[str] = []
    for port in ports:
        # A port of ours may linger in TIME_WAIT, as SO_REUSEADDR is not set: only then does trying again help.
        for attempt in range(limits.port_tries if port else EPHEMERAL_TRIES):
            if attempt and port:
                pause(limits.port_retry_seconds)
            try:
                return _bind_all(addresses, port)
            except OSError as error:
                reason = _reason(error, addresses)
                _log.debug("port not available port=%s reason=%s", port, reason)
                if error.errno not in _TAKEN:
                    break
        reasons.append(f"{port or 'any free port'} {reason}")
    raise LocalError(
        f"no port on {' and '.join(addresses)} to receive the answer of the sign-in: {', '.join(reasons)}",
        hint="Close the other program that uses the port (another sign-in may be waiting), or pass other ports "
        "that are registered at the provider.",
        rule="ports",
        section="RFC 8252 section 7.3",
        expected="one free port",
        received=ports,
    )


def _reason(error: OSError, addresses: tuple[str, ...]) -> str:
    """Say why a port cannot be had; where no port ever could, raise."""
    if error.errno in _TAKEN:
        return "is taken by another program"
    if error.errno in _BLOCKED:
        return "is not allowed on this machine (kept by the system or by security software)"
    if error.errno in _ABSENT:
        raise LocalError(
            f"this machine has no address {' and '.join(addresses)}",
            hint="Pass another host, for example host='127.0.0.1'.",
            rule="address",
            section="RFC 8252 section 7.3",
        ) from error
    return f"cannot be used ({errno.errorcode.get(error.errno or 0, 'unknown error')})"


def _bind_all(addresses: tuple[str, ...], port: int) -> list[socket.socket]:
    """Listen on all addresses with one port, or on none: whoever holds the other half of `localhost` gets the code."""
    opened: list[socket.socket] = []
    try:
        for address in addresses:
            taken = opened[0].getsockname()[1] if opened else port
            opened.append(_bind(address, taken))
    except BaseException:
        for listener in opened:
            listener.close()
        raise
    return opened


def reserve() -> tuple[str, socket.socket]:
    """
    Hold a free port at which nobody answers: a browser sent there fails, and no other program gets what it brings.

    Returns:
        The host for the redirect URI, and the socket that holds the port until it is closed.

    Raises:
        LocalError: No port could be had.
    """
    for address in ("127.0.0.1", "::1"):
        try:
            return address, _bind(address, 0, listening=False)
        except OSError as error:
            _log.debug("port not available address=%s reason=%s", address, errno.errorcode.get(error.errno or 0))
    raise LocalError(
        "this machine has no free port on loopback",
        rule="ports",
        section="RFC 8252 section 7.3",
        hint="Pass a redirect_uri that is registered at the provider.",
    )


def _bind(address: str, port: int, *, listening: bool = True) -> socket.socket:
    family = _family(address)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)  # Windows only, where others could bind over us
        if exclusive is not None:
            listener.setsockopt(socket.SOL_SOCKET, exclusive, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # Linux would take the IPv4 port with it
        listener.bind((address, port))
        if listening:
            listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _family(address: str) -> socket.AddressFamily:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, address)
        except (OSError, ValueError):
            continue
        return family
    raise UsageError("bind_address must be an IP address", rule="bind_address", received=address)
