"""What visits a listener in the tests: a bare socket that says exactly what it is told, and a browser that follows."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import pytest

from oidcclient._shell.redirect import Limits, LoopbackReceiver
from oidcclient._words.receiver import CallbackArrived, LoginOutcome
from oidcclient._words.ways import Loopback

PATIENCE_S = 10.0  # for a machine that is busy; no test takes as long when all is well
STATE = "the-state-of-this-sign-in"


class Opened:
    """A receiver that is open, with its redirect URI."""

    def __init__(self, receiver: LoopbackReceiver, redirect_uri: str) -> None:
        self.receiver = receiver
        self.redirect_uri = redirect_uri

    @property
    def good(self) -> str:
        return f"{self.redirect_uri}?code=the-code&state={STATE}"

    @property
    def start(self) -> str:
        assert self.receiver.start_uri is not None
        return self.receiver.start_uri

    def at(self, path: str) -> str:
        return self.redirect_uri.removesuffix("/callback") + path

    def arrived(self) -> CallbackArrived:
        """Wait for the callback."""
        event = self.receiver.wait(PATIENCE_S)
        assert isinstance(event, CallbackArrived)
        return event

    def nothing_came(self) -> bool:
        """Tell whether the flow has nothing to do, and still waits."""
        return self.receiver.wait(0) is None

    def still_works(self) -> None:
        """Sign in as if nothing had happened before."""
        tab = aside(lambda: follow(self.good))
        assert self.arrived().parameters == (("code", "the-code"), ("state", STATE))
        self.receiver.finish(LoginOutcome(ok=True))
        assert "You are signed in" in tab.result(PATIENCE_S).text


class OpenReceiver(Protocol):
    def __call__(self, options: Loopback = ..., limits: Limits = ..., notices: list[str] | None = None) -> Opened: ...


@dataclass(frozen=True)
class Reply:
    """An answer, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def parse_reply(raw: bytes) -> Reply:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *fields = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    assert len(headers) == len(fields)
    return Reply(int(first.split(" ")[1]), headers, body, raw)


def host_of(uri: str) -> str:
    return urlsplit(uri).netloc


def connect(uri: str, *, address: str | None = None, trust: ssl.SSLContext | None = None) -> socket.socket:
    parts = urlsplit(uri)
    connection = socket.create_connection((address or parts.hostname, parts.port), PATIENCE_S)
    return connection if trust is None else trust.wrap_socket(connection, server_hostname=parts.hostname)


def read_reply(connection: socket.socket) -> bytes:
    """Read as a browser does: as long as Content-Length says, and no goodbye is waited for."""
    raw = b""
    while piece := connection.recv(65536):
        raw += piece
        head, end, body = raw.partition(b"\r\n\r\n")
        length = head.rpartition(b"Content-Length: ")[2].partition(b"\r\n")[0]
        if end and len(body) >= int(length):
            break
    return raw


def read_to_end(connection: socket.socket) -> bytes:
    raw = b""
    while piece := connection.recv(65536):
        raw += piece
    return raw


def send(uri: str, sent: bytes, *, address: str | None = None, trust: ssl.SSLContext | None = None) -> bytes:
    """Send bytes and return the answer."""
    with connect(uri, address=address, trust=trust) as connection:
        connection.sendall(sent)
        return read_reply(connection)


def visit(
    uri: str,
    *headers: str,
    method: str = "GET",
    host: str | None = None,
    body: bytes = b"",
    address: str | None = None,
    trust: ssl.SSLContext | None = None,
) -> Reply:
    """Ask for `uri` once, following nothing."""
    parts = urlsplit(uri)
    target = parts.path + (f"?{parts.query}" if "?" in uri else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host or parts.netloc}", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    sent = "\r\n".join([*lines, "", ""]).encode() + body
    return parse_reply(send(uri, sent, address=address, trust=trust))


def follow(uri: str, *headers: str, method: str = "GET", body: bytes = b"", **how: object) -> Reply:
    """Ask for `uri` as a browser does, going where a 303 points to."""
    reply = visit(uri, *headers, method=method, body=body, **how)  # type: ignore[arg-type]  # handed on as they came
    if reply.status != 303:
        return reply
    parts = urlsplit(uri)
    return visit(f"{parts.scheme}://{parts.netloc}{reply.headers['location']}", **how)  # type: ignore[arg-type]  # same


def aside(call: Callable[[], Reply]) -> Future[Reply]:
    """Run a visit in a thread of its own."""
    future: Future[Reply] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def until(true: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "this never came"
        time.sleep(0.005)


def need_ipv6() -> None:
    """Skip where [::1] cannot be bound; in CI that is a failure, here as everywhere."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI skips nothing, and [::1] cannot be bound: {error}")
        pytest.skip(f"[::1] cannot be bound here: {error}")
