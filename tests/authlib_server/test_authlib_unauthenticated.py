"""Grants that authenticate no client: their proofs are checked all the same (RFC 9449 section 5)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from authlib.oauth2 import OAuth2Request

from oidcclient_dpop.server import NonceIssuer
from oidcclient_dpop.server.authlib.pushed import PushedPayload
from oidcclient_dpop.server.events import ProofVerified
from tests.authlib_server.conftest import OwnApp
from tests.authlib_server.own_grants import ASSERTION_KEY, AssertionGrant, CodeGrant
from tests.authlib_server.own_server import ISSUER
from tests.dpop_server.proofs import new_key


def assertion(client_id: str = "app") -> dict[str, str]:
    token = AssertionGrant.sign(
        ASSERTION_KEY, client_id, ISSUER, "ann", expires_at=int(time.time()) + 60, header={"alg": "ES256"}
    )
    return {"grant_type": AssertionGrant.GRANT_TYPE, "assertion": token, "scope": "read"}


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_a_proof_binds_the_token_of_an_assertion(app: OwnApp) -> None:
    """RFC 7523."""
    token = app.post("/token", assertion()).json()
    assert token["token_type"] == "DPoP"
    assert app.server.access_tokens[token["access_token"]].dpop_jkt == app.key.jkt
    assert app.events == [ProofVerified("token", app.key.jkt)]
    assert app.plain("/token", assertion()).json()["token_type"] == "Bearer"


@pytest.mark.parametrize("claims", [{"htm": "GET"}, {"iat": 1}, {"htu": f"{ISSUER}/par"}])
def test_a_bad_proof_refuses_an_assertion(app: OwnApp, claims: dict[str, Any]) -> None:
    assert error_of(app.post("/token", assertion(), **claims)) == (400, "invalid_dpop_proof")
    assert not app.server.access_tokens


def test_an_assertion_is_asked_for_a_nonce(build: Any) -> None:
    """Section 8."""
    app = build(nonces=NonceIssuer(b"s" * 32))
    asked = app.post("/token", assertion())
    assert error_of(asked) == (400, "use_dpop_nonce")
    answer = app.post("/token", assertion(), nonce=asked.headers["dpop-nonce"])
    assert answer.json()["token_type"] == "DPoP"


def test_an_assertion_of_a_client_that_must_has_a_proof(app: OwnApp) -> None:
    """Section 5.2."""
    assert error_of(app.plain("/token", assertion("bound"))) == (400, "invalid_dpop_proof")
    assert app.post("/token", assertion("bound")).json()["token_type"] == "DPoP"


def test_a_code_is_bound_where_a_grant_knows_its_clients_in_its_own_way(
    app: OwnApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Section 10; a proof that does not fit spends nothing."""
    own_way = lambda grant: app.server.query_client(grant.request.payload.client_id)  # noqa: E731 - a method
    monkeypatch.setattr(CodeGrant, "authenticate_token_endpoint_client", own_way)
    form = app.form(app.authorize(dpop_jkt=app.key.jkt)["code"])
    assert error_of(app.post("/token", form, new_key())) == (400, "invalid_grant")
    assert error_of(app.plain("/token", form)) == (400, "invalid_dpop_proof")
    assert app.post("/token", form).json()["token_type"] == "DPoP"


def test_a_grant_is_found_without_an_answer_too(app: OwnApp) -> None:
    request = OAuth2Request("POST", f"{ISSUER}/token")
    request.payload = PushedPayload({"grant_type": [AssertionGrant.GRANT_TYPE]})
    assert isinstance(app.server.get_token_grant(request), AssertionGrant)
