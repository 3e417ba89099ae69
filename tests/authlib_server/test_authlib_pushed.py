"""Pushed requests at an Authlib server: what is kept, and what comes back (RFC 9126, RFC 9449 section 10.1)."""

from __future__ import annotations

from typing import Any

import pytest

from oidcclient_dpop.server.authlib import TokenBinding
from tests.authlib_server.conftest import SERVICE, OwnApp
from tests.authlib_server.own_server import ISSUER, OwnServer
from tests.dpop_server.proofs import new_key


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_nothing_beside_a_pushed_request_counts(app: OwnApp) -> None:
    """RFC 9126 section 4: a dpop_jkt of the browser's does not take the place of the key."""
    pushed = app.post("/par", app.request()).json()
    answer = app.authorize(request_uri=pushed["request_uri"], dpop_jkt=new_key().jkt, state="the browser's")
    assert "state" not in answer
    assert app.post("/token", app.form(answer["code"])).json()["token_type"] == "DPoP"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "https://evil.example"}, "invalid_request"),
        ({"response_type": "unknown"}, "unsupported_response_type"),
        ({"code_challenge_method": "unknown"}, "invalid_request"),
        ({"state": ["one", "two"]}, "invalid_request"),
        ({"request_uri": "https://app.example/request"}, "invalid_request"),
        ({"request": "a.request.object"}, "request_not_supported"),
    ],
)
def test_a_push_is_checked_as_at_the_authorization_endpoint(app: OwnApp, changes: Any, error: str) -> None:
    """RFC 9126 sections 2.1 and 2.3: the answer is the client's, and never goes by way of the browser."""
    assert error_of(app.post("/par", app.request(**changes))) == (400, error)
    assert not app.server.pushed


def test_who_pushed_a_request_is_not_kept_with_it(app: OwnApp) -> None:
    """RFC 9126 section 2.1."""
    assert app.post("/par", app.request(**SERVICE)).status_code == 201
    (kept,) = app.server.pushed.values()
    assert kept["client_id"] == ["service"]
    assert kept["dpop_jkt"] == [app.key.jkt]
    assert "client_secret" not in kept


def test_a_client_pushes_for_itself(app: OwnApp) -> None:
    answer = app.post("/par", app.request(client_id=["app", "bound"]))
    assert error_of(answer) == (400, "invalid_request")


@pytest.mark.parametrize("changes", [{"client_id": "bound"}, {"request_uri": "urn:ietf:params:oauth:request_uri:gone"}])
def test_a_request_uri_is_for_the_client_that_pushed(app: OwnApp, changes: dict[str, str]) -> None:
    """RFC 9126 section 2.2; what is not found is no request without a key."""
    pushed = app.post("/par", app.request()).json()
    asked = {"request_uri": pushed["request_uri"]} | changes
    assert error_of(app.http.get("/authorize", params=app.request(**asked))) == (400, "invalid_request_uri")
    assert not app.server.codes


def test_a_push_whose_proof_nobody_would_see_is_a_mistake_of_the_servers() -> None:
    server = OwnServer(TokenBinding({"token": f"{ISSUER}/token"}))
    with pytest.raises(LookupError, match="'par'"):
        server.create_push_response({}, ["none"], keep=server.pushed.__setitem__)
