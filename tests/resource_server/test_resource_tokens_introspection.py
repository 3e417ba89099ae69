"""Asking the authorization server about a token (RFC 7662)."""

import asyncio
import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

import oidcclient
from oidcclient.protocol import PrivateKeyJwt
from oidcclient_devkit import Provider
from oidcclient_devkit.clients import SHARED_SECRET
from oidcclient_dpop.server import (
    AccessRefused,
    ApiRequest,
    AuthorizationServerUnavailable,
    IntrospectedTokens,
    InvalidAccessToken,
    Needs,
    ProtectedResource,
)
from oidcclient_dpop.server.wsgi import DPoPMiddleware
from tests.resource_server.lab import API
from tests.resource_server.server import Server
from tests.resource_server.serving import serve_wsgi
from tests.resource_server.signed_in import signed_in
from tests.resource_server.test_resource_wsgi import who

NOW = time.time()
POLICY = oidcclient.Policy(allow_http_loopback=True, http_timeout=5)
SECRET = "a secret: %+/"


def rules(server: Server, **settings: Any) -> IntrospectedTokens:
    every: dict[str, Any] = {
        "client_id": "the api",
        "client_auth": oidcclient.ClientSecretBasic(SECRET),
        "policy": POLICY,
        **settings,
    }
    return IntrospectedTokens(server.url, API, **every)


@pytest.fixture
def answer(server: Server) -> dict[str, Any]:
    """What the server says of every token."""
    members = {"active": True, "sub": "ann", "scope": "profile", "exp": NOW + 300, "cnf": {"jkt": "k"}}
    server.publish({"keys": []})
    server.replies["/introspect"] = members
    return members


def reason(tokens: IntrospectedTokens) -> str:
    with pytest.raises(InvalidAccessToken) as caught:
        tokens.check("opaque", now=NOW)
    return caught.value.reason


@pytest.mark.parametrize("token", ["\ud800", "t\u00f6k"])
def test_what_is_no_access_token_is_not_asked_about(server: Server, answer: dict[str, Any], token: str) -> None:
    """RFC 6749 appendix A.12."""
    with pytest.raises(InvalidAccessToken):
        rules(server).check(token, now=NOW)
    assert not server.asked


@pytest.mark.parametrize("auth_time", ["1" + "0" * 400, "-1" + "0" * 400, "1e999"], ids=["huge", "tiny", "infinite"])
def test_a_sign_in_at_no_time_is_to_be_done_again(server: Server, answer: dict[str, Any], auth_time: str) -> None:
    """RFC 9470 section 6."""
    answer["cnf"] = None
    resource = ProtectedResource(API, rules(server), mode="dpop_and_bearer", clock=lambda: NOW)
    text = json.dumps({**answer, "auth_time": 0}).replace('"auth_time": 0', f'"auth_time": {auth_time}')
    server.replies["/introspect"] = text.encode()
    with pytest.raises(AccessRefused) as caught:
        resource.check(ApiRequest("GET", "/me", ("Bearer opaque",)), Needs(max_age=300))
    assert caught.value.error == "insufficient_user_authentication"


def test_an_active_token_is_taken(server: Server, answer: dict[str, Any]) -> None:
    checked = rules(server).check("opaque", now=NOW)
    assert (checked.claims["sub"], checked.jkt) == ("ann", "k")
    assert checked.scopes == {"profile"}


def test_the_question_is_a_form_and_brings_no_proof(server: Server, answer: dict[str, Any]) -> None:
    """RFC 7662 section 2.1, RFC 9449 section 6.2."""
    rules(server).check("opaque+/=", now=NOW)
    assert server.forms[-1] == {"token": "opaque+/=", "token_type_hint": "access_token"}
    headers = server.headers[-1]
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert headers["accept"] == "application/json"
    assert "dpop" not in headers


def test_the_api_proves_who_it_is_in_the_header(server: Server, answer: dict[str, Any]) -> None:
    rules(server).check("opaque", now=NOW)
    scheme, _, value = server.headers[-1]["authorization"].partition(" ")
    assert (scheme, base64.b64decode(value)) == ("Basic", b"the+api:a+secret%3A+%25%2B%2F")


def test_the_api_proves_who_it_is_in_the_form(server: Server, answer: dict[str, Any]) -> None:
    rules(server, client_auth=oidcclient.ClientSecretPost(SECRET)).check("opaque", now=NOW)
    assert server.forms[-1]["client_id"] == "the api"
    assert server.forms[-1]["client_secret"] == SECRET


@pytest.mark.parametrize(("audience", "path"), [("issuer", ""), ("token_endpoint", "/token")])
def test_the_api_proves_who_it_is_with_a_key(server: Server, answer: dict[str, Any], audience: Any, path: str) -> None:
    from joserfc.jwk import ECKey  # noqa: PLC0415 - used here alone

    key = ECKey.generate_key("P-256").as_dict(private=True)
    rules(server, client_auth=PrivateKeyJwt(key=key, audience=audience)).check("opaque", now=NOW)
    payload = server.forms[-1]["client_assertion"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["aud"] == f"{server.url}{path}"
    assert claims["iss"] == claims["sub"] == "the api"


@pytest.mark.parametrize(
    ("members", "failed"),
    [
        ({"active": False}, "inactive"),
        ({"iss": "https://evil.example.com"}, "iss"),
        ({"aud": "https://other.example.com"}, "aud"),
        ({"aud": ["a", "b"]}, "aud"),
        ({"exp": 1}, "exp"),
        ({"nbf": NOW + 3600}, "nbf"),
        ({"token_type": "Bearer"}, "token_type"),
        ({"token_type": 5}, "token_type"),
        ({"token_type": "refresh_token", "cnf": None}, "token_type"),
        ({"token_type": "DPoP", "cnf": None}, "token_type"),
        ({"token_type": "DPoP", "cnf": {"x5t#S256": "x"}}, "token_type"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(
    server: Server, answer: dict[str, Any], members: dict[str, Any], failed: str
) -> None:
    answer.update(members)
    assert reason(rules(server)) == failed


@pytest.mark.parametrize(
    "members",
    [
        {"aud": [API, "x"]},
        {"token_type": "DPoP"},
        {"token_type": "dpop"},
        {"token_type": "Bearer", "cnf": None},
        {"exp": None, "sub": None},
    ],
)
def test_an_answer_that_fits_is_taken(server: Server, answer: dict[str, Any], members: dict[str, Any]) -> None:
    answer.update({"iss": server.url, **members})
    rules(server).check("opaque", now=NOW)


@pytest.mark.parametrize(
    "reply",
    [
        (401, {"error": "invalid_client"}),
        (500, {}),
        (200, b"no json"),
        (200, {}),
        (200, {"active": "true"}),
        (200, {"active": 1}),
        (200, []),
    ],
)
def test_an_answer_that_is_none_is_no_fault_of_the_token(server: Server, answer: dict[str, Any], reply: Any) -> None:
    server.replies["/introspect"] = reply
    with pytest.raises(AuthorizationServerUnavailable) as caught:
        rules(server).check("opaque", now=NOW)
    assert "opaque" not in str(caught.value)


def test_a_server_without_that_endpoint_is_told_of(server: Server, answer: dict[str, Any]) -> None:
    server.publish({"keys": []}, introspection_endpoint=None)
    with pytest.raises(AuthorizationServerUnavailable, match="introspection_endpoint"):
        rules(server).check("opaque", now=NOW)


def test_the_endpoint_is_looked_for_once_in_a_while(server: Server, answer: dict[str, Any]) -> None:
    tokens = rules(server, cached=0)
    answer["exp"] = NOW + 999_999
    for moment in (NOW, NOW + 10, NOW + 90_000):
        tokens.check("opaque", now=moment)
    assert server.asked["/.well-known/oauth-authorization-server"] == 2


def test_an_endpoint_that_is_given_needs_no_metadata(server: Server, answer: dict[str, Any]) -> None:
    rules(server, endpoint=f"{server.url}/introspect").check("opaque", now=NOW)
    assert set(server.asked) == {"/introspect"}


def test_the_endpoint_is_https(server: Server) -> None:
    with pytest.raises(oidcclient.DiscoveryRefused):
        rules(server, endpoint="http://login.example.com/introspect")
    with pytest.raises(oidcclient.UsageError):
        rules(server, policy=oidcclient.Policy())
    with pytest.raises(ValueError, match="audience"):
        IntrospectedTokens(server.url, "", client_id="a", client_auth=oidcclient.PublicClient(), policy=POLICY)


def test_a_good_answer_is_remembered_for_a_short_while(server: Server, answer: dict[str, Any]) -> None:
    tokens = rules(server)
    for moment in (NOW, NOW + 9.9):
        tokens.check("opaque", now=moment)
    assert server.asked["/introspect"] == 1
    answer["active"] = False
    with pytest.raises(InvalidAccessToken):
        tokens.check("opaque", now=NOW + 10)


def test_a_bad_answer_is_not_remembered(server: Server, answer: dict[str, Any]) -> None:
    tokens = rules(server)
    answer["active"] = False
    assert reason(tokens) == "inactive"
    answer["active"] = True
    tokens.check("opaque", now=NOW)


def test_tokens_of_the_devkit_are_asked_about_at_the_devkit(oidc_provider: Provider, tmp_path: Path) -> None:
    """The whole way, from the sign-in to a revocation."""

    def app_at(url: str) -> Any:
        tokens = IntrospectedTokens(
            oidc_provider.issuer,
            url,
            client_id="devkit-confidential-basic",
            client_auth=oidcclient.ClientSecretBasic(SHARED_SECRET),
            policy=POLICY,
            cached=0,
        )
        return DPoPMiddleware(who, ProtectedResource(url, tokens))

    with serve_wsgi(app_at) as url, signed_in(oidc_provider, tmp_path, url) as calls:
        assert calls.get("/me").json() == {"sub": oidc_provider.users["ann"].sub}
        assert oidc_provider.requests.of("introspect")[-1].header("dpop") is None
        oidc_provider.revoke_grants()
        with pytest.raises(oidcclient.SessionExpired):  # what our client makes of invalid_token
            calls.get("/me")


def test_the_same_on_an_event_loop(server: Server, answer: dict[str, Any]) -> None:
    tokens = rules(server)

    async def main() -> None:
        first = await tokens.check_async("opaque", now=NOW)
        assert await tokens.check_async("opaque", now=NOW) is first
        answer["active"] = False
        with pytest.raises(InvalidAccessToken):
            await tokens.check_async("another", now=NOW)
        server.replies["/introspect"] = (500, {})
        with pytest.raises(AuthorizationServerUnavailable):
            await tokens.check_async("another", now=NOW)
        await tokens.close_async()

    asyncio.run(main())
    tokens.close()
