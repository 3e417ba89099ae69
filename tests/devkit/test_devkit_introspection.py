"""Introspection (RFC 7662), with what RFC 9449 section 6.2 and RFC 9470 section 6.2 add."""

import base64
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from oidcclient_devkit.clients import SHARED_SECRET
from tests.devkit.dpop_app import CODE, DPoPApp

API = {"client_id": "devkit-confidential-post", "client_secret": SHARED_SECRET}  # plays an API that checks tokens
OFFLINE = {"scope": "openid profile offline_access", "prompt": "consent"}


def ask(app: Any, token: str, **form: str) -> httpx.Response:
    answer: httpx.Response = app.post("/introspect", API | {"token": token} | form)
    return answer


def test_an_active_token_is_told_of(app: Any, claims_of: Any) -> None:
    """RFC 7662 section 2.2; RFC 9470 section 6.2."""
    token = app.tokens()["access_token"]
    answer = ask(app, token)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    claims = claims_of(token)
    assert answer.json() == claims | {"active": True, "token_type": "Bearer", "username": "ann"}
    assert {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "auth_time", "acr"} <= set(claims)


def test_a_bound_token_is_told_of_with_its_key(dpop: DPoPApp) -> None:
    """RFC 9449 section 6.2."""
    answer = ask(dpop.app, dpop.tokens()["access_token"]).json()
    assert (answer["active"], answer["token_type"], answer["cnf"]) == (True, "DPoP", {"jkt": dpop.key.jkt})


def test_no_proof_is_asked_for_at_introspection(dpop: DPoPApp) -> None:
    """RFC 9449 section 6.2: the one who asks does not have the key."""
    dpop.provider.dpop_nonces(as_="required")
    answer = ask(dpop.app, "unknown")
    assert answer.status_code == 200
    assert "dpop-nonce" not in answer.headers


def test_a_token_of_a_client_has_no_user_name(app: Any) -> None:
    token = app.post("/token", API | {"grant_type": "client_credentials"}).json()["access_token"]
    answer = ask(app, token).json()
    assert answer["sub"] == API["client_id"]
    assert "username" not in answer


def _tampered(token: str) -> str:
    head, _, signature = token.rpartition(".")
    return f"{head}.{'A' * len(signature)}"


@pytest.mark.parametrize("what", ["expired", "over", "revoked", "grant", "unknown", "forged", "id_token"])
def test_of_a_token_that_is_not_active_nothing_is_told(app: Any, what: str) -> None:
    """RFC 7662 section 2.2."""
    tokens = app.tokens()
    token = tokens["access_token"]
    if what == "expired":
        app.provider.expire_tokens()
    if what == "over":
        app.provider.move_clock(tokens["expires_in"])
    if what == "revoked":
        assert app.post("/revoke", {"client_id": app.provider.client_id, "token": token}).status_code == 200
    if what == "grant":
        app.provider.revoke_grants()
    token = {"unknown": "unknown", "forged": _tampered(token), "id_token": tokens["id_token"]}.get(what, token)
    answer = ask(app, token)
    assert (answer.status_code, answer.json()) == (200, {"active": False})


def test_an_unknown_hint_does_no_harm(app: Any) -> None:
    """RFC 7662 section 2.1: the search goes on among all kinds of tokens."""
    token = app.tokens()["access_token"]
    assert ask(app, token, token_type_hint="refresh_token").json()["active"] is True
    assert ask(app, token, token_type_hint="nonsense").json()["active"] is True


# Who may ask


def test_nobody_asks_without_authenticating(app: Any) -> None:
    """RFC 7662 section 2.1: against looking for tokens by guessing."""
    token = app.tokens()["access_token"]
    for form in ({}, {"client_id": app.provider.client_id}, {"client_id": "unknown"}, API | {"client_secret": "wrong"}):
        answer = app.post("/introspect", form | {"token": token})
        assert answer.json()["error"] == "invalid_client"
        assert answer.status_code in {400, 401}
    public = app.post("/introspect", {"client_id": app.provider.client_id, "token": token})
    assert public.status_code == 401


def test_each_way_of_authenticating_works_here(app: Any) -> None:
    user = "devkit-confidential-basic"
    value = base64.b64encode(f"{user}:{quote_plus(SHARED_SECRET)}".encode()).decode()
    answer = app.post("/introspect", {"token": "unknown"}, Authorization=f"Basic {value}")
    assert answer.json() == {"active": False}


def test_a_refresh_token_is_its_clients_business_alone(app: Any) -> None:
    """RFC 7662 section 4: an API that takes an active refresh token for an access token would be fooled."""
    app.provider.sign_in_as("ann")
    theirs = app.redeem(app.sign_in(**OFFLINE)["code"]).json()["refresh_token"]
    assert ask(app, theirs).json() == {"active": False}
    app.provider.add_client(
        "post",
        redirect_uris=["com.example.devkit:/callback"],
        token_endpoint_auth_method="client_secret_post",
        client_secret=SHARED_SECRET,
    )
    me = API | {"client_id": "post"}
    ours = app.redeem(app.sign_in(client_id="post", **OFFLINE)["code"], **me).json()["refresh_token"]
    answer = app.post("/introspect", me | {"token": ours}).json()
    assert (answer["active"], answer["client_id"], answer["username"]) == (True, "post", "ann")
    assert answer["scope"].split() == OFFLINE["scope"].split()
    assert "token_type" not in answer  # RFC 7662 section 2.2: a type of access token
    assert app.refresh(ours, **me).status_code == 200
    assert app.post("/introspect", me | {"token": ours}).json() == {"active": False}  # it was used
    app.provider.expire_tokens(refresh=True)
    assert not any(
        app.post("/introspect", me | {"token": one}).json()["active"] for one in app.provider.core.store.refresh_tokens
    )


@pytest.mark.parametrize("form", [{}, {"token": ["one", "two"]}])
def test_one_token_is_asked_about(app: Any, form: dict[str, Any]) -> None:
    answer = app.post("/introspect", API | form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_introspection_is_a_form_that_is_posted(app: Any) -> None:
    """RFC 7662 section 2.1."""
    url = f"{app.provider.issuer}/introspect"
    assert app.http.post(url, json=API | {"token": "unknown"}).json()["error"] == "invalid_request"
    assert app.http.get(url, params=API | {"token": "unknown"}).status_code == 405


def test_the_metadata_tell_where_and_how(app: Any) -> None:
    """RFC 8414 section 2."""
    document = app.get("/.well-known/openid-configuration").json()
    assert document["introspection_endpoint"] == f"{app.provider.issuer}/introspect"
    methods = document["introspection_endpoint_auth_methods_supported"]
    assert "private_key_jwt" in methods
    assert "none" not in methods
    assert "ES256" in document["introspection_endpoint_auth_signing_alg_values_supported"]
    assert "client_credentials" in document["grant_types_supported"]
    assert app.provider.count("introspect") == 0


def test_a_code_is_no_token(dpop: DPoPApp) -> None:
    assert ask(dpop.app, dpop.app.sign_in(**CODE)["code"]).json() == {"active": False}
