"""The border to httpx: what goes out, what comes back, and how failures are told."""

import logging
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import oidcclient
from oidcclient._shell.http import AsyncWire, Wire
from oidcclient.hooks import HttpRequest, HttpResponse

Perform = Callable[[HttpRequest], HttpResponse]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    seen: list[tuple[str, dict[str, str]]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        if self.path.startswith("/drip"):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            stop = threading.Event()
            for _ in range(50):
                stop.wait(0.1)
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return
            return
        body = b"x" * 5000 if self.path.startswith("/large") else b"{}"
        self.send_response(302 if self.path.startswith("/away") else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Location", "/elsewhere")
        self.send_header("Set-Cookie", "track=me; Path=/")
        self.send_header("Set-Cookie", "again=you; Path=/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.seen = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(params=["sync", "asyncio", "trio"])
def perform(request: pytest.FixtureRequest) -> Iterator[Callable[..., Perform]]:
    wires: list[Wire] = []

    def make(options: oidcclient.Http | None = None, timeout: float = 5) -> Perform:
        settings = options or oidcclient.Http()
        if request.param == "sync":
            wires.append(Wire(settings, timeout))
            return wires[-1].perform

        async def once(outgoing: HttpRequest) -> HttpResponse:
            wire = AsyncWire(settings, timeout)
            try:
                return await wire.perform(outgoing)
            finally:
                await wire.close()

        return lambda outgoing: anyio.run(once, outgoing, backend=request.param)

    yield make
    for wire in wires:
        wire.close()


def get(server: Server, path: str = "/", **more: object) -> HttpRequest:
    return HttpRequest("GET", f"http://127.0.0.1:{server.server_port}{path}", **more)  # type: ignore[arg-type] # varies


def test_a_redirect_is_handed_over_and_not_followed(server: Server, perform: Callable[..., Perform]) -> None:
    """A code, a token or a proof must not follow a Location."""
    answer = perform()(get(server, "/away"))
    assert (answer.status, answer.header("LOCATION")) == (302, "/elsewhere")
    assert [path for path, _ in server.seen] == ["/away"]


def test_no_cookie_is_kept(server: Server, perform: Callable[..., Perform]) -> None:
    """A cookie would let a provider link a user's accounts."""
    ask = perform()
    assert len(ask(get(server)).all_headers("set-cookie")) == 2
    ask(get(server))
    assert all("cookie" not in headers for _, headers in server.seen)


def test_an_answer_that_is_too_large_is_cut_off(server: Server, perform: Callable[..., Perform]) -> None:
    with pytest.raises(oidcclient.ResponseRefused) as refusal:
        perform()(get(server, "/large?secret=1", max_bytes=1000))
    assert refusal.value.rule == "size"
    assert "secret" not in str(refusal.value)


def test_an_answer_that_drips_is_cut_off(server: Server, perform: Callable[..., Perform]) -> None:
    """Each byte comes in time, the whole does not."""
    with pytest.raises(oidcclient.TransportError, match=r"longer than"):
        perform(timeout=0.5)(get(server, "/drip"))


def test_a_refused_connection_is_a_transport_error_without_the_query(perform: Callable[..., Perform]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        request = HttpRequest(
            "POST", f"http://127.0.0.1:{port}/token?secret=1", (("Authorization", "s3cret"),), b"c0de"
        )
        with pytest.raises(oidcclient.TransportError) as failure:
            perform()(request)
    told = "".join(traceback.format_exception(failure.value)) + repr(failure.value) + repr(request)
    assert "/token" in str(failure.value)
    assert not [word for word in ("secret=1", "s3cret", "c0de") if word in told.replace(__file__, "")]


def test_an_address_nobody_could_call_is_a_transport_error(perform: Callable[..., Perform]) -> None:
    with pytest.raises(oidcclient.TransportError):
        perform()(HttpRequest("GET", "http://exa\x00mple/"))


def test_loopback_never_goes_through_a_proxy(
    server: Server, perform: Callable[..., Perform], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`native-login` row "Proxy environment"."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert perform()(get(server)).status == 200
    assert perform(oidcclient.Http(proxy="http://127.0.0.1:9"))(get(server)).status == 200


def test_other_addresses_do_go_through_the_proxy(server: Server, perform: Callable[..., Perform]) -> None:
    address = f"http://user:pass@127.0.0.1:{server.server_port}"
    options = oidcclient.Http(proxy=address)
    assert "pass" not in repr(options)
    assert perform(options)(HttpRequest("GET", "http://login.example.com/x")).status == 200
    assert server.seen[0][0] == "http://login.example.com/x"


def test_certificates_cannot_be_left_unchecked() -> None:
    """RFC 8414 section 6.1."""
    with pytest.raises(oidcclient.UsageError):
        oidcclient.Http(verify=False)


class Tls:
    """A certificate for 127.0.0.1, signed by itself."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(__import__("ipaddress").ip_address("127.0.0.1"))]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls(tmp_path)


@pytest.fixture
def tls_server(server: Server, tls: Tls) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    context.load_verify_locations(tls.certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


def https(server: Server, **more: object) -> HttpRequest:
    return HttpRequest("GET", f"https://127.0.0.1:{server.server_port}/", **more)  # type: ignore[arg-type] # varies


def test_an_unknown_authority_is_refused_with_a_hint(tls_server: Server, perform: Callable[..., Perform]) -> None:
    with pytest.raises(oidcclient.TransportError) as failure:
        perform()(https(tls_server))
    assert "Http(verify=" in failure.value.hint


def test_a_private_authority_can_be_named(tls_server: Server, tls: Tls, perform: Callable[..., Perform]) -> None:
    context = ssl.create_default_context(cafile=str(tls.certificate))
    assert perform(oidcclient.Http(verify=context))(https(tls_server)).status == 200
    assert perform(oidcclient.Http(verify=str(tls.certificate)))(https(tls_server)).status == 200


def test_a_client_certificate_is_used_for_the_request_that_carries_it(
    tls_server: Server, tls: Tls, perform: Callable[..., Perform]
) -> None:
    """RFC 8705: what a hook supplies through `TransportMaterial`."""
    ask = perform(oidcclient.Http(verify=str(tls.certificate)))
    assert ask(https(tls_server, certificate=(str(tls.certificate), str(tls.key)))).status == 200


def test_a_transport_takes_the_place_of_the_network(oidc_provider: object, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(404)

    client = oidcclient.Client(
        "https://login.example.com/t",
        "app",
        http=oidcclient.Http(transport=httpx.MockTransport(answer)),
        store=oidcclient.MemoryStore(),
    )
    with client, pytest.raises(oidcclient.DiscoveryRefused):
        client.login(open_browser=lambda _address: None)
    assert asked == [
        "https://login.example.com/t/.well-known/openid-configuration",
        "https://login.example.com/.well-known/oauth-authorization-server/t",
        "https://login.example.com/.well-known/openid-configuration/t",
    ]
