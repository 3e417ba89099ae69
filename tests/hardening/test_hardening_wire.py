"""Found in review: answers of a provider or an API that go past a limit of time or size."""

import contextlib
import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import anyio
import httpx
import pytest

import oidcclient
from oidcclient._shell.http import AsyncWire, Wire
from oidcclient.hooks import HttpRequest, HttpResponse
from oidcclient.protocol import TokenBase
from oidcclient_devkit import Provider
from tests.hardening.conftest import Serve, drip_headers

SignIn = Callable[..., oidcclient.Session]


@pytest.fixture(params=["sync", "asyncio", "trio"])
def perform(request: pytest.FixtureRequest) -> Iterator[Callable[[HttpRequest, float], HttpResponse]]:
    wires: list[Wire] = []

    def run(outgoing: HttpRequest, timeout: float) -> HttpResponse:
        if request.param == "sync":
            wires.append(Wire(oidcclient.Http(), timeout))
            return wires[-1].perform(outgoing)

        async def once() -> HttpResponse:
            wire = AsyncWire(oidcclient.Http(), timeout)
            try:
                return await wire.perform(outgoing)
            finally:
                await wire.close()

        return anyio.run(once, backend=request.param)

    yield run
    for wire in wires:
        wire.close()


def go_on_informing(connection: socket.socket) -> None:
    for _ in range(30):
        time.sleep(0.1)
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@pytest.mark.parametrize("answer", [drip_headers, go_on_informing])
def test_an_answer_whose_head_drips_is_cut_off(
    serve: Serve,
    perform: Callable[[HttpRequest, float], HttpResponse],
    answer: Callable[[socket.socket], None],
) -> None:
    """
    `Policy.http_timeout`: "the longest one request may take from connecting to the last byte".

    It was kept for the body alone. httpx waits `http_timeout` for each read of the head: a provider that sends one
    byte of a header each nineteen seconds, or one 103 after the other, holds the caller for weeks. In a refresh that
    holds the record's lock as well: no process on the machine can refresh, or sign out.
    """
    began = time.monotonic()
    with pytest.raises(oidcclient.TransportError):
        perform(HttpRequest("GET", serve(answer)), 0.5)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("times", [1, 2])
def test_a_body_is_measured_as_it_is_unpacked(
    serve: Serve, perform: Callable[[HttpRequest, float], HttpResponse], times: int
) -> None:
    """
    `Policy.max_response_bytes`: docs/security.md says "every answer has a size and a time limit".

    httpx unpacks each piece that it reads whole, and only the outcome was measured. With `Content-Encoding: gzip, gzip`
    an answer of some 800 bytes becomes 400 MB in memory before it is refused; 64 KB become tens of gigabytes, and
    the program is killed.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(40)) + packer.flush()
    body = packed if times == 1 else gzip.compress(packed, 9)
    encoding = ", ".join(["gzip"] * times)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    address = serve(lambda connection: connection.sendall(head + body))
    tracemalloc.start()
    try:
        with pytest.raises(oidcclient.OidcError):
            perform(HttpRequest("GET", address, max_bytes=1 << 20), 20)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_refusal_without_end_is_not_read(sign_in: SignIn, oidc_provider: Provider, serve: Serve) -> None:
    """
    An API answers 401 `invalid_token` and a body that never ends.

    `session.http()` reads it all before it tries again, though the program, which streams, would have read nothing:
    bytes keep coming, so no timeout ends it, and all of it is kept in memory.
    """
    served = {"pieces": 0}

    def refuse(connection: socket.socket) -> None:
        connection.sendall(
            b'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer error="invalid_token"\r\nTransfer-Encoding: chunked\r\n\r\n'
        )
        for _ in range(400):  # for ever, if the test did not have to end
            connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            served["pieces"] += 1
            time.sleep(0.005)
        connection.sendall(b"0\r\n\r\n")

    session, base = sign_in(), serve(refuse)
    with session.http(base, timeout=2) as api, contextlib.suppress(httpx.HTTPError), api.stream("GET", "/"):
        pass
    assert served["pieces"] < 200


@pytest.mark.parametrize(
    "path",
    [
        "/tenant/..;/other/collect",
        "/tenant/..;x=1/other",
        "/tenant/.;/../x",
        "/tenant/%2e%2e;/other",
        "/tenant/%252e%252e/other",
        "/tenant/..%3b/other",
    ],
)
def test_a_base_path_is_not_left_by_path_parameters(path: str) -> None:
    """
    Tomcat, Jetty and Spring drop what follows `;` in a segment before they resolve dots, so `/a/..;/b` is `/b` there.

    A proxy routes by that too. A link in an answer of the API, `/tenant/..;/other/collect`, then carries the token to
    what lies beside the base. `%252e` is decoded by the first of two servers in a row.
    """
    assert not TokenBase.parse("https://api.example.com/tenant").covers(f"https://api.example.com{path}")


def test_the_ready_client_signs_through_a_proxy_too(sign_in: SignIn, serve: Serve) -> None:
    """
    `session.http(resource, **options)`: "further arguments of httpx.Client".

    With `proxy=` or `mounts=` httpx goes past the transport that signs: every request went out without a token, and
    nothing said so.
    """
    heads: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def proxy() -> None:
        try:
            connection, _ = listener.accept()
        except OSError:  # nobody came, as it should be for loopback
            return
        with connection:
            heads.append(connection.recv(65_536))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    thread = threading.Thread(target=proxy, daemon=True)
    thread.start()
    try:
        with sign_in().http("http://127.0.0.1:9/", proxy=f"http://127.0.0.1:{listener.getsockname()[1]}") as api:
            try:
                api.get("/")
            except (oidcclient.UsageError, httpx.ConnectError):  # refused by name, or loopback kept off the proxy: fine
                return
        thread.join(5)
    finally:
        listener.close()
    assert b"authorization: bearer" in heads[0].lower()


def test_an_api_that_refuses_every_token_does_not_turn_each_call_into_a_refresh(
    sign_in: SignIn,
    oidc_provider: Provider,
    serve: Serve,
) -> None:
    """
    A hostile API, or one that trusts another issuer, answers every token with `invalid_token`.

    A program that polls it refreshes with each call, for ever: the refresh token rotates each second, each time with
    the risk of losing it, and the provider is hammered until it answers 429 to every program of the person. A token
    that was fetched because of a 401 and is refused at once again says that another one will not help for a while.
    """

    def refuse(connection: socket.socket) -> None:
        connection.sendall(
            b'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer error="invalid_token"\r\nContent-Length: 0\r\n\r\n'
        )

    base = serve(refuse)
    with httpx.Client(auth=sign_in().auth(base), trust_env=False) as api:
        for _ in range(10):
            assert api.get(f"{base}/me").status_code == 401
    assert oidc_provider.count("token") <= 2
