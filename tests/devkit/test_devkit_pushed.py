"""Pushed authorization requests (RFC 9126)."""

from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest

from oidcclient_devkit import BrowserStopped


def test_a_pushed_request_is_used_once(app: Any) -> None:
    """RFC 9126 sections 2.2 and 4."""
    answer = app.post("/par", dict(app.request()))
    assert answer.status_code == 201
    assert answer.json()["expires_in"] == 60
    assert answer.headers["cache-control"] == "no-store"
    query = urlencode({"client_id": app.provider.client_id, "request_uri": answer.json()["request_uri"]})
    url = f"{app.provider.issuer}/authorize?{query}"
    assert "code=" in (app.provider.browser().visit(url).header("location") or "")
    with pytest.raises(BrowserStopped):
        app.provider.browser().visit(url)


def test_a_pushed_request_expires(app: Any) -> None:
    request_uri = app.post("/par", dict(app.request())).json()["request_uri"]
    app.provider.move_clock(60)
    assert "60 seconds" in app.refused_page(request_uri=request_uri).page.text


def test_a_pushed_request_belongs_to_its_client(app: Any) -> None:
    request_uri = app.post("/par", dict(app.request())).json()["request_uri"]
    app.refused_page(request_uri=request_uri, client_id="devkit-confidential-basic")


def test_a_confidential_client_authenticates_when_it_pushes(app: Any) -> None:
    form = dict(app.request(client_id="devkit-confidential-post", redirect_uri="http://127.0.0.1/callback"))
    assert app.post("/par", form).status_code == 401
    secret = app.provider.clients["devkit-confidential-post"].client_secret
    assert app.post("/par", form | {"client_secret": secret}).status_code == 201


def test_the_client_id_of_a_push_may_come_from_the_authentication(app: Any) -> None:
    secret = app.provider.clients["devkit-confidential-basic"].client_secret
    form = dict(app.request(redirect_uri="http://127.0.0.1/callback"))
    del form["client_id"]
    auth = ("devkit-confidential-basic", quote_plus(secret))  # RFC 6749 section 2.3.1
    answer = app.http.post(f"{app.provider.issuer}/par", data=form, auth=auth)
    assert answer.status_code == 201
    query = urlencode({"client_id": auth[0], "request_uri": answer.json()["request_uri"]})
    assert "/sign-in/" in app.get(f"/authorize?{query}").headers["location"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "https://attacker.example"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"request_uri": "urn:x"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"acr_values": "gold"}, "unmet_authentication_requirements"),
        ({"client_id": "unknown"}, "invalid_client"),
    ],
)
def test_a_bad_push_is_told_to_the_client(app: Any, changes: dict[str, Any], error: str) -> None:
    answer = app.post("/par", dict(app.request(**changes)))
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] == error


def test_a_client_can_be_bound_to_pushing(app: Any) -> None:
    app.provider.add_client(
        "pushes", redirect_uris=["com.example.devkit:/callback"], require_pushed_authorization_requests=True
    )
    assert app.sign_in(client_id="pushes")["error"] == "unauthorized_client"
    request_uri = app.post("/par", dict(app.request(client_id="pushes"))).json()["request_uri"]
    assert "code" in app.sign_in(client_id="pushes", request_uri=request_uri)
