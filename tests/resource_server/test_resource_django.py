"""A Django site: plain views and Django REST framework, over WSGI and ASGI, on real sockets too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from oidcclient_devkit import Provider
from oidcclient_dpop.server import (
    Cors,
    JWTAccessTokens,
    MemoryReplayCache,
    NonceIssuer,
    ProofVerifier,
    ProtectedResource,
    events,
)
from tests.resource_server.django_site import set_up
from tests.resource_server.lab import API, ISSUER, Lab, access_token, jwks
from tests.resource_server.serving import serve_asgi, serve_wsgi
from tests.resource_server.signed_in import POLICY, signed_in
from tests.resource_server.test_resource_asgi import Pairs, credentials

set_up()

from django.conf import settings  # noqa: E402 - configured by the line above
from django.core.asgi import get_asgi_application  # noqa: E402 - configured by the line above
from django.core.wsgi import get_wsgi_application  # noqa: E402 - configured by the line above
from django.test import Client  # noqa: E402 - configured by the line above

from oidcclient_dpop.server import django as protection  # noqa: E402 - configured by the line above

PAGE = "https://app.example.com"
SECRET = b"s" * 32


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(resource: ProtectedResource | str) -> Client:
        monkeypatch.setattr(settings, protection.SETTING, resource)
        return Client()

    return run


def ask(client: Client, path: str, headers: Pairs, **extra: Any) -> Any:
    return client.get(path, headers=dict(headers), RAW_URI=path, **extra)


@pytest.mark.parametrize("path", ["/me", "/plain"])
def test_a_view_knows_who_asks(lab: Lab, use: Any, path: str) -> None:
    answer = ask(use(lab.resource()), path, credentials(lab, path))
    assert (answer.status_code, answer.json()["sub"]) == (200, "ann")


def test_django_rest_framework_gets_a_user_and_the_verified_request(lab: Lab, use: Any) -> None:
    answer = ask(use(lab.resource()), "/me", credentials(lab))
    assert answer.json() == {"sub": "ann", "user": "ann", "known": True}


@pytest.mark.parametrize("path", ["/me", "/plain", "/signed"])
def test_a_request_without_a_token_is_challenged_without_an_error(lab: Lab, use: Any, path: str) -> None:
    answer = use(lab.resource(mode="dpop_and_bearer")).get(path)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer resource_metadata=")
    assert ', DPoP algs="' in answer["WWW-Authenticate"]
    assert "error" not in answer["WWW-Authenticate"]


@pytest.mark.parametrize("path", ["/me", "/plain", "/either"])
def test_a_bad_token_is_refused_by_its_rule(lab: Lab, use: Any, path: str) -> None:
    answer = ask(use(lab.resource()), path, credentials(lab, path, exp=1))
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer["WWW-Authenticate"]
    assert answer.json() == {"error": "invalid_token", "error_description": "The access token has expired"}


@pytest.mark.parametrize("path", ["/admin", "/plain"])
def test_a_scope_that_is_missing_is_named(lab: Lab, use: Any, path: str) -> None:
    answer = ask(use(lab.resource()), path, credentials(lab, path, scope="other"))
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]


@pytest.mark.parametrize("path", ["/me", "/plain"])
def test_where_it_cannot_be_told_the_client_is_asked_to_try_again(lab: Lab, use: Any, path: str) -> None:
    client = use(lab.resource(replay=MemoryReplayCache(1)))
    assert ask(client, path, credentials(lab, path)).status_code == 200
    answer = ask(client, path, credentials(lab, path))
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert not answer.has_header("WWW-Authenticate")


def test_another_authentication_may_decide_where_no_token_was_sent(lab: Lab, use: Any) -> None:
    client = use(lab.resource())
    assert client.get("/either").json() == {"auth": False}
    bearer = {"Authorization": f"Bearer {access_token(lab.signer)}"}  # a scheme that is not taken here
    assert client.get("/either", headers=bearer).json() == {"auth": False}
    assert lab.events == []
    basic = {"Authorization": "Basic !"}
    assert client.get("/either", headers=basic).status_code == 401
    assert lab.events == [events.RequestRefused(401, None, None)]


def test_a_tool_may_ask_for_the_challenge_of_no_request(lab: Lab, use: Any) -> None:
    from oidcclient_dpop.server.rest_framework import DPoPAuthentication  # noqa: PLC0415 - needs the settings

    use(lab.resource())
    assert DPoPAuthentication().authenticate_header(None).startswith("DPoP algs=")
    assert lab.events == []


def test_a_view_that_says_its_permissions_as_it_runs_asks_of_an_accepted_request(lab: Lab, use: Any) -> None:
    client = use(lab.resource())
    assert ask(client, "/writing", credentials(lab, "/writing")).status_code == 200
    headers = dict(credentials(lab, "/writing", "POST"))
    assert client.post("/writing", headers=headers, RAW_URI="/writing").status_code == 403
    assert lab.events[-2:] == [
        events.RequestAccepted("DPoP"),
        events.RefusedLater(403, "insufficient_scope", "DPoP"),
    ]


@pytest.mark.parametrize("path", ["/me", "/plain", "/signed", "/either", "/writing"])
def test_no_refusal_is_stored(lab: Lab, use: Any, path: str) -> None:
    """RFC 9111 section 5.2.2.5; with nonces or without."""
    client = use(lab.resource())
    bad = dict(credentials(lab, path, exp=1)), dict(credentials(lab, path, "POST", scope="other"))
    answers = [client.get(path), client.get(path, headers=bad[0]), client.post(path, headers=bad[1], RAW_URI=path)]
    refusals = [answer for answer in answers if answer.status_code in {401, 403}]
    assert refusals
    assert all(answer["Cache-Control"] == "no-store" for answer in refusals)


def test_every_answer_carries_the_nonce_and_pages_can_read_it(lab: Lab, use: Any) -> None:
    nonces = NonceIssuer(SECRET)
    client = use(lab.resource(nonces=nonces, proofs=ProofVerifier(nonces=nonces), cors=Cors([PAGE])))
    for path in ("/me", "/plain"):
        for headers in ([], credentials(lab, path)):
            answer = ask(client, path, headers, HTTP_ORIGIN=PAGE)
            assert answer["DPoP-Nonce"]
            assert answer["Cache-Control"] == "no-store"
            assert answer["Access-Control-Allow-Origin"] == PAGE
            assert answer["Access-Control-Expose-Headers"] == "DPoP-Nonce, WWW-Authenticate"
            assert "Origin" in answer["Vary"]
    assert answer["Vary"] == "Accept, Origin"


def test_preflights_metadata_and_open_views_need_no_token(lab: Lab, use: Any) -> None:
    client = use(lab.resource(cors=Cors([PAGE])))
    answer = client.options("/me", HTTP_ORIGIN=PAGE, HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST")
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (204, PAGE)
    assert client.get("/.well-known/oauth-protected-resource").json()["resource"] == API
    assert client.get("/open").json() == {"open": True}


def test_no_cookie_speaks_for_a_request_so_no_csrf_token_is_asked(lab: Lab, use: Any) -> None:
    use(lab.resource())
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/plain", headers=dict(credentials(lab, "/plain", "POST")), RAW_URI="/plain")
    assert answer.status_code == 200


def test_the_resource_may_be_named_by_its_path(lab: Lab, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.resource_server.django_site.resource", lab.resource(), raising=False)
    assert ask(use("tests.resource_server.django_site.resource"), "/me", credentials(lab)).status_code == 200


def test_nobody_asks_for_claims_that_were_not_checked(lab: Lab) -> None:
    from django.test import RequestFactory  # noqa: PLC0415 - used here alone

    with pytest.raises(LookupError):
        protection.verified_request(RequestFactory().get("/"))


def test_an_error_of_the_site_is_not_ours(lab: Lab, use: Any) -> None:
    client = use(lab.resource())
    client.raise_request_exception = False
    assert client.get("/no-such-page").status_code == 404


@pytest.fixture(params=["wsgi", "asgi"])
def served(request: pytest.FixtureRequest, lab: Lab, use: Any) -> Iterator[str]:
    def app_at(url: str) -> Any:
        use(ProtectedResource(url, JWTAccessTokens(ISSUER, API, jwks=jwks(lab.signer))))
        return get_wsgi_application() if request.param == "wsgi" else get_asgi_application()

    with (serve_wsgi if request.param == "wsgi" else serve_asgi)(app_at) as url:
        yield url


def test_a_site_behind_a_real_server_keeps_every_rule(served: str, lab: Lab) -> None:
    with httpx.Client(trust_env=False) as client:
        path = "/files/a%20b"
        good = credentials(lab, path, base=served)
        assert client.get(f"{served}{path}?q=1", headers=good).json() == {"sub": "ann", "name": "a b"}
        assert client.get(f"{served}{path}", headers=good).status_code == 401
        twice = [*credentials(lab, path, base=served), ("Authorization", "Bearer abc")]
        assert client.get(f"{served}{path}", headers=twice).status_code == 400
        assert client.get(f"{served}{path}").status_code == 401
        for headers, status in ((credentials(lab, "/waiting", base=served), 200), ([], 401)):
            assert client.get(f"{served}/waiting", headers=headers).status_code == status


def test_our_client_calls_it_with_a_token_of_the_devkit(oidc_provider: Provider, tmp_path: Path, use: Any) -> None:
    nonces = NonceIssuer(SECRET)

    def app_at(url: str) -> Any:
        tokens = JWTAccessTokens(oidc_provider.issuer, url, policy=POLICY)
        use(ProtectedResource(url, tokens, nonces=nonces))
        return get_wsgi_application()

    with serve_wsgi(app_at) as url, signed_in(oidc_provider, tmp_path, url) as calls:
        for path in ("/me", "/plain", "/me"):
            answer = calls.get(path)
            assert (answer.status_code, answer.json()["sub"]) == (200, oidc_provider.users["ann"].sub)
            assert answer.headers["dpop-nonce"]
        assert calls.get("/admin").status_code == 403
