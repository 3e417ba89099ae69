"""An Authlib server that binds codes and refresh tokens (RFC 9449 sections 5 and 10), and registers clients."""

from __future__ import annotations

from typing import Any

import pytest

from oidcclient_dpop.server import NonceIssuer
from oidcclient_dpop.server.events import BindingRefused, ProofVerified
from tests.authlib_server.conftest import SERVICE, OwnApp
from tests.dpop_server.proofs import new_key


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


# Codes


def test_a_code_is_bound_by_dpop_jkt(app: OwnApp) -> None:
    """Section 10; a proof that does not fit spends nothing."""
    form = app.form(app.authorize(dpop_jkt=app.key.jkt)["code"])
    assert error_of(app.plain("/token", form)) == (400, "invalid_dpop_proof")
    assert error_of(app.post("/token", form, new_key())) == (400, "invalid_grant")
    assert app.events.count(BindingRefused("token", "code")) == 2
    assert app.post("/token", form).json()["token_type"] == "DPoP"


@pytest.mark.parametrize("asked", ["short", "x" * 44, "=" * 43, ""])
def test_a_dpop_jkt_that_is_no_thumbprint_is_refused(app: OwnApp, asked: str) -> None:
    """Section 10."""
    assert app.authorize(dpop_jkt=asked)["error"] == "invalid_request"
    assert not app.server.codes


def test_a_dpop_jkt_comes_once(app: OwnApp) -> None:
    """RFC 6749 section 3.1."""
    assert app.authorize(dpop_jkt=[app.key.jkt, app.key.jkt])["error"] == "invalid_request"
    assert error_of(app.post("/par", app.request(dpop_jkt=[app.key.jkt] * 2))) == (400, "invalid_request")


@pytest.mark.parametrize(("proves", "asks"), [(True, False), (False, True), (True, True)])
def test_a_push_binds_the_code_by_its_proof_or_its_parameter(app: OwnApp, proves: bool, asks: bool) -> None:
    """Section 10.1."""
    request = app.request(dpop_jkt=app.key.jkt if asks else None)
    pushed = (app.post if proves else app.plain)("/par", request).json()
    form = app.form(app.authorize(request_uri=pushed["request_uri"])["code"])
    assert error_of(app.post("/token", form, new_key())) == (400, "invalid_grant")
    assert error_of(app.plain("/token", form)) == (400, "invalid_dpop_proof")
    assert app.post("/token", form).json()["token_type"] == "DPoP"


def test_a_push_without_either_binds_nothing(app: OwnApp) -> None:
    pushed = app.plain("/par", app.request()).json()
    form = app.form(app.authorize(request_uri=pushed["request_uri"])["code"])
    assert app.plain("/token", form).json()["token_type"] == "Bearer"


def test_a_push_whose_proof_and_dpop_jkt_disagree_is_refused(app: OwnApp) -> None:
    """Section 10.1."""
    assert error_of(app.post("/par", app.request(dpop_jkt=new_key().jkt))) == (400, "invalid_dpop_proof")
    assert app.events == [ProofVerified("par", app.key.jkt), BindingRefused("par", "pushed")]
    assert error_of(app.plain("/par", app.request(dpop_jkt="short"))) == (400, "invalid_request")
    assert not app.server.pushed


def test_a_push_is_asked_for_a_nonce_too(build: Any) -> None:
    """Section 8.2."""
    app = build(nonces=NonceIssuer(b"s" * 32))
    asked = app.post("/par", app.request())
    assert error_of(asked) == (400, "use_dpop_nonce")
    answer = app.post("/par", app.request(), nonce=asked.headers["dpop-nonce"])
    assert answer.status_code == 201
    assert answer.headers.get_list("dpop-nonce") == asked.headers.get_list("dpop-nonce")


def test_a_proof_for_the_push_is_none_for_the_token_endpoint(app: OwnApp) -> None:
    """Section 4.3 step 9."""
    issuer = "https://login.example"
    assert error_of(app.post("/par", app.request(), htu=f"{issuer}/token")) == (400, "invalid_dpop_proof")


# Refresh tokens


def test_the_refresh_token_of_a_public_client_is_bound(app: OwnApp) -> None:
    """Section 5; a thief without the key cannot even spend it."""
    token = app.tokens()["refresh_token"]
    assert error_of(app.post("/token", app.refresh_form(token), new_key())) == (400, "invalid_grant")
    assert app.events[-1] == BindingRefused("token", "refresh")
    again = app.post("/token", app.refresh_form(token)).json()
    assert error_of(app.post("/token", app.refresh_form(again["refresh_token"]), new_key()))[1] == "invalid_grant"
    assert app.post("/token", app.refresh_form(again["refresh_token"])).status_code == 200


def test_a_confidential_client_may_change_its_key(app: OwnApp) -> None:
    """Section 5."""
    form = app.form(app.authorize(client_id="service")["code"], **SERVICE)
    token = app.post("/token", form).json()["refresh_token"]
    other = new_key()
    again = app.post("/token", app.refresh_form(token, **SERVICE), other).json()
    asked = app.plain("/introspect", SERVICE | {"token": again["access_token"]}).json()
    assert asked["cnf"] == {"jkt": other.jkt}


def test_dpop_does_not_stop_at_a_refresh(app: OwnApp) -> None:
    token = app.tokens()["refresh_token"]
    assert error_of(app.plain("/token", app.refresh_form(token))) == (400, "invalid_dpop_proof")
    assert app.events[-1] == BindingRefused("token", "stopped")
    assert app.post("/token", app.refresh_form(token)).json()["token_type"] == "DPoP"


def test_dpop_does_not_start_at_a_refresh(app: OwnApp) -> None:
    token = app.plain("/token", app.form(app.authorize()["code"])).json()["refresh_token"]
    assert error_of(app.post("/token", app.refresh_form(token))) == (400, "invalid_grant")
    assert app.events[-1] == BindingRefused("token", "started")
    assert app.plain("/token", app.refresh_form(token)).json()["token_type"] == "Bearer"


# Registration


def test_a_client_registers_to_be_held_to_proofs(app: OwnApp) -> None:
    """Section 5.2; RFC 7591."""
    metadata = {"redirect_uris": ["https://app.example/cb"], "token_endpoint_auth_method": "none"}
    answer = app.http.post("/register", json=metadata | {"dpop_bound_access_tokens": True})
    assert answer.status_code == 201
    client_id = answer.json()["client_id"]
    assert answer.json()["dpop_bound_access_tokens"] is True
    form = app.form(app.authorize(client_id=client_id)["code"], client_id=client_id)
    assert error_of(app.plain("/token", form)) == (400, "invalid_dpop_proof")
    assert app.post("/token", form).json()["token_type"] == "DPoP"
    assert app.http.post("/register", json=metadata).json()["dpop_bound_access_tokens"] is False


@pytest.mark.parametrize("value", ["true", 1, None, []])
def test_a_registration_says_true_or_false(app: OwnApp, value: Any) -> None:
    answer = app.http.post("/register", json={"client_name": "app", "dpop_bound_access_tokens": value})
    assert error_of(answer) == (400, "invalid_client_metadata")
