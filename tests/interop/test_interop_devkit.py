"""The devkit's provider and API, used by clients that are not ours: `openid-client` (npm), `requests-oauth2client`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from requests_oauth2client import DPoPKey, DPoPToken, MissingDPoPNonce, OAuth2Client

from oidcclient_devkit import Provider
from tests.interop.node import NodeProgram
from tests.interop.wire import REDIRECT_URI

SCOPE = "openid profile email offline_access"
Tell = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def openid_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProgram]:
    with NodeProgram("relying.mjs", tmp_path_factory.mktemp("relying") / "stderr", {}) as program:
        yield program


@pytest.fixture
def tell(openid_client: NodeProgram) -> Tell:
    """Have `openid-client` do something, with success."""

    def run(what: str, **options: Any) -> dict[str, Any]:
        told = openid_client.ask({"do": what, **options})
        assert "good" in told, told
        good: dict[str, Any] = told["good"]
        return good

    return run


def sign_in(tell: Tell, provider: Provider, *, alg: str = "ES256", push: bool = False) -> dict[str, Any]:
    """Sign ann in with `openid-client`; its page is where her browser ends."""
    about = {"issuer": provider.issuer, "clientId": provider.client_id, "scope": SCOPE}
    started = tell("start", alg=alg, push=push, **about)
    page = provider.browser().visit(started["url"])
    assert page.text == "You may close this page."
    return {**tell("finish"), "jkt": started["jkt"]}


@pytest.mark.parametrize("push", [False, True], ids=["plain", "pushed"])
@pytest.mark.parametrize("nonces", ["off", "optional", "required"])
def test_openid_client_signs_in_refreshes_and_calls(
    oidc_provider: Provider, tell: Tell, nonces: Any, push: bool
) -> None:
    """RFC 9449 sections 5 to 10, from the other side."""
    oidc_provider.dpop_nonces(as_=nonces, rs=nonces)
    signed_in = sign_in(tell, oidc_provider, push=push)
    assert signed_in["type"] == "dpop"
    assert tell("refresh") == {"type": "dpop", "changed": True}
    sub = signed_in["claims"]["sub"]
    assert tell("userinfo", sub=sub)["email"] == "ann@example.com"
    me = tell("call", method="GET", url=f"{oidc_provider.api}/me?a=b")
    assert (me["status"], me["body"]["sub"]) == (200, sub)
    echo = tell("call", method="POST", url=f"{oidc_provider.api}/echo", body="hello")
    assert (echo["status"], echo["body"]["body"]) == (200, "hello")
    assert oidc_provider.count("par") == (0 if not push else 2 if nonces == "required" else 1)
    challenged = [request.endpoint for request in oidc_provider.requests if request.status in {400, 401}]
    assert challenged == ([("par" if push else "token"), "api"] if nonces == "required" else [])


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "Ed25519", "PS256", "RS256"])
def test_openid_client_may_use_each_algorithm(oidc_provider: Provider, tell: Tell, alg: str) -> None:
    oidc_provider.sign_in_as("ann")
    sign_in(tell, oidc_provider, alg=alg)
    assert tell("call", method="GET", url=f"{oidc_provider.api}/me")["status"] == 200


def test_openid_client_is_refused_with_another_key(
    oidc_provider: Provider, tell: Tell, openid_client: NodeProgram
) -> None:
    sign_in(tell, oidc_provider)
    call = {"do": "call", "method": "GET", "url": f"{oidc_provider.api}/me", "otherKey": True}
    assert "invalid_token" in openid_client.ask(call)["refused"]


class Requests:
    """An app made with `requests-oauth2client`."""

    def __init__(self, provider: Provider, session: requests.Session, alg: str) -> None:
        self.provider = provider
        self.http = session
        self.client = OAuth2Client.from_discovery_endpoint(
            issuer=provider.issuer,
            client_id=provider.client_id,
            redirect_uri=REDIRECT_URI,
            session=session,
            dpop_bound_access_tokens=True,
            dpop_alg=alg,
            testing=True,  # it takes an issuer on loopback
        )

    def sign_in(self, *, push: bool = False) -> DPoPToken:
        """Sign ann in; nobody listens where her browser is sent in the end, and the address is what matters."""
        request = self.client.authorization_request(scope=SCOPE, prompt="consent")
        address = self.client.pushed_authorization_request(request).uri if push else request.uri
        browser = self.provider.browser()
        with pytest.raises(OSError, match="refused"):
            browser.visit(address)
        answer = request.validate_callback(browser.page.header("location") or "")
        # It checks ID Tokens well, and then cannot build the checked token again if that is bound to a key.
        token = self.client.authorization_code(answer, validate=False)
        assert isinstance(token, DPoPToken)
        return token


@pytest.fixture
def requests_client(oidc_provider: Provider) -> Iterator[Callable[..., Requests]]:
    with requests.Session() as session:
        session.trust_env = False
        yield lambda alg="ES256": Requests(oidc_provider, session, alg)


@pytest.mark.parametrize("push", [False, True], ids=["plain", "pushed"])
@pytest.mark.parametrize("nonces", ["off", "optional", "required"])
def test_requests_oauth2client_signs_in_refreshes_and_calls(
    oidc_provider: Provider, requests_client: Callable[..., Requests], nonces: Any, push: bool
) -> None:
    """The same with Python's `requests-oauth2client`."""
    oidc_provider.dpop_nonces(as_=nonces, rs=nonces)
    app = requests_client()
    first = app.sign_in(push=push)
    second = app.client.refresh_token(first)
    assert isinstance(second, DPoPToken)
    assert second.access_token != first.access_token
    assert app.client.userinfo(second)["email"] == "ann@example.com"
    assert app.http.get(f"{oidc_provider.api}/me?a=b", auth=second).json()["name"] == "Ann Example"
    assert app.http.post(f"{oidc_provider.api}/echo", data="hello", auth=second).json()["body"] == "hello"


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "EdDSA", "PS256", "RS256"])
def test_requests_oauth2client_may_use_each_algorithm(
    oidc_provider: Provider, requests_client: Callable[..., Requests], alg: str
) -> None:
    oidc_provider.sign_in_as("ann")
    app = requests_client(alg)
    assert app.http.get(f"{oidc_provider.api}/me", auth=app.sign_in()).status_code == 200


def test_requests_oauth2client_is_refused_with_another_key(
    oidc_provider: Provider, requests_client: Callable[..., Requests]
) -> None:
    app = requests_client()
    token = app.sign_in()
    stolen = DPoPToken(token.access_token, _dpop_key=DPoPKey.generate())
    with pytest.raises(MissingDPoPNonce) as refusal:  # it takes any challenge of DPoP for one that has a nonce
        app.http.get(f"{oidc_provider.api}/me", auth=stolen)
    answer = refusal.value.response
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
