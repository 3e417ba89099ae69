"""The redirect over https, with a certificate of the caller's own."""

import datetime as dt
import ipaddress
import socket
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from oidcclient._shell.redirect import Limits, LoopbackReceiver
from oidcclient._shell.redirect.listener import _tls_context
from oidcclient._words.errors import LocalError
from oidcclient._words.receiver import LoginOutcome
from oidcclient._words.ways import Loopback
from tests.redirect.visitor import PATIENCE_S, STATE, Opened, OpenReceiver, aside, connect, follow, send, visit


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Make a self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    _write(folder / "certificate.pem", certificate.public_bytes(serialization.Encoding.PEM))
    _write(folder / "key.pem", _pem_of(key, serialization.NoEncryption()))
    _write(folder / "encrypted.pem", _pem_of(key, serialization.BestAvailableEncryption(b"passphrase")))
    return str(folder / "certificate.pem"), str(folder / "key.pem")


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _pem_of(key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.fixture
def trust(pem: tuple[str, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=pem[0])


@pytest.fixture
def secured(open_receiver: OpenReceiver, pem: tuple[str, str]) -> Opened:
    return open_receiver(Loopback(certificate=pem), Limits(request_seconds=0.5))


def sign_in(opened: Opened, trust: ssl.SSLContext) -> str:
    tab = aside(lambda: follow(opened.good, trust=trust))
    opened.arrived()
    opened.receiver.finish(LoginOutcome(ok=True))
    return tab.result(PATIENCE_S).text


def test_a_certificate_of_the_callers_serves_the_redirect_over_https(secured: Opened, trust: ssl.SSLContext) -> None:
    assert secured.redirect_uri.startswith("https://127.0.0.1:")
    assert secured.start.startswith("https://127.0.0.1:")
    assert "You are signed in" in sign_in(secured, trust)
    assert not secured.receiver.https_was_forced


def test_an_answer_over_tls_ends_with_close_notify(secured: Opened, trust: ssl.SSLContext) -> None:
    with connect(secured.redirect_uri, trust=trust) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        setattr(connection, "suppress_ragged_eofs", False)  # noqa: B010 - the stubs do not know it; an end without close_notify is an error
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert received.startswith(b"HTTP/1.1 400 ")


def test_old_tls_is_refused(pem: tuple[str, str]) -> None:
    assert _tls_context(*pem).minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b""])
def test_plain_http_and_broken_handshakes_are_let_go(secured: Opened, trust: ssl.SSLContext, sent: bytes) -> None:
    began = time.monotonic()
    with connect(secured.redirect_uri) as connection:
        connection.sendall(sent)
        try:
            while connection.recv(1024):
                pass
        except ConnectionResetError:
            pass
    assert time.monotonic() - began < 3
    assert "You are signed in" in sign_in(secured, trust)


def test_a_handshake_that_hangs_keeps_nobody_waiting(secured: Opened, trust: ssl.SSLContext) -> None:
    with connect(secured.redirect_uri):
        began = time.monotonic()
        assert "You are signed in" in sign_in(secured, trust)
        assert time.monotonic() - began < 2


def test_a_browser_held_at_the_close_gets_its_page_encrypted(secured: Opened, trust: ssl.SSLContext) -> None:
    tab = aside(lambda: visit(secured.good, trust=trust))
    secured.arrived()
    secured.receiver.close()
    assert "The sign-in was stopped" in tab.result(PATIENCE_S).text


def test_a_fixed_port_over_tls_lets_the_client_close_first(
    open_receiver: OpenReceiver, pem: tuple[str, str], trust: ssl.SSLContext
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for _ in range(2):
        opened = open_receiver(Loopback(ports=(port,), certificate=pem), Limits(port_tries=1))
        assert "You are signed in" in sign_in(opened, trust)
        opened.receiver.close()


def test_a_certificate_that_cannot_be_used_is_a_clear_error(pem: tuple[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    encrypted = str(Path(pem[1]).with_name("encrypted.pem"))
    for pair in [(str(tmp_path / "missing.pem"), pem[1]), (str(broken), pem[1]), (pem[0], encrypted)]:
        with pytest.raises(LocalError, match="certificate") as failure:
            LoopbackReceiver(Loopback(certificate=pair)).open(STATE)
        assert failure.value.rule == "certificate"
        assert "PEM" in failure.value.hint


def test_plain_http_to_the_tls_port_gets_no_page(secured: Opened) -> None:
    with pytest.raises((OSError, IndexError, ValueError)):
        visit(secured.good)
    assert secured.nothing_came()
    assert b"HTTP/1.1" not in _quietly(secured)


def _quietly(secured: Opened) -> bytes:
    try:
        return send(secured.redirect_uri, b"GET /callback HTTP/1.1\r\n\r\n")
    except OSError:
        return b""
