"""Client registration (RFC 7591, OpenID Connect Registration), with what RFC 9449 section 5.2 adds."""

from typing import Any

import httpx
import pytest

from oidcclient_devkit.clients import SCOPES
from oidcclient_devkit.grant_rules import DEVICE_CODE
from tests.devkit.conftest import REDIRECT_URI, App
from tests.devkit.dpop_app import DPoPApp

NATIVE = {"application_type": "native", "token_endpoint_auth_method": "none", "redirect_uris": [REDIRECT_URI]}
SERVICE = {"grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_post"}


def register(app: App, metadata: Any) -> httpx.Response:
    return app.http.post(f"{app.provider.issuer}/register", json=metadata)


def registered(app: App, metadata: Any) -> dict[str, Any]:
    answer = register(app, metadata)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    members: dict[str, Any] = answer.json()
    return members


def error_of(answer: httpx.Response) -> str:
    assert answer.status_code == 400
    error: str = answer.json()["error"]
    return error


def test_a_native_app_registers_and_signs_in(app: App) -> None:
    """RFC 7591 section 3.2.1."""
    members = registered(app, NATIVE | {"client_name": "Photo Album", "scope": "openid profile unknown"})
    assert members["client_id_issued_at"] == pytest.approx(app.provider.core.now(), abs=5)
    assert (members["grant_types"], members["response_types"]) == (["authorization_code"], ["code"])
    assert members["scope"] == "openid profile"  # section 2: a server may replace what was asked for
    assert not {"client_secret", "client_secret_expires_at"} & set(members)
    client_id = members["client_id"]
    person = app.provider.browser()
    code = app.sign_in(person, client_id=client_id)["code"]
    assert any("Photo Album" in page.text for page in person.pages)
    tokens = app.redeem(code, client_id=client_id).json()
    assert tokens["scope"] == "openid profile"
    assert tokens["id_token"]


def test_what_is_left_open_is_told(app: App) -> None:
    """RFC 7591 section 2, OIDC Registration section 2."""
    members = registered(app, {"redirect_uris": ["https://app.example/cb"]})
    assert members["application_type"] == "web"
    assert members["token_endpoint_auth_method"] == "client_secret_basic"
    assert members["scope"] == " ".join(SCOPES)
    assert members["dpop_bound_access_tokens"] is False
    assert len(members["client_secret"]) >= 32
    assert members["client_secret_expires_at"] == 0


def test_each_registration_is_a_client_of_its_own(app: App) -> None:
    first, second = (registered(app, {"redirect_uris": ["https://app.example/cb"]}) for _ in range(2))
    assert first["client_id"] != second["client_id"]
    assert first["client_secret"] != second["client_secret"]


def test_a_service_registers_and_gets_tokens_of_its_own(app: App) -> None:
    members = registered(app, SERVICE)
    assert (members["redirect_uris"], members["response_types"]) == ([], [])
    form = {"grant_type": "client_credentials"} | {name: members[name] for name in ("client_id", "client_secret")}
    assert app.post("/token", form).json()["token_type"] == "Bearer"
    assert app.post("/token", form | {"client_secret": "wrong"}).status_code == 401


def test_a_device_registers(app: App) -> None:
    members = registered(app, {"grant_types": [DEVICE_CODE], "token_endpoint_auth_method": "none"})
    assert app.post("/device-authorization", {"client_id": members["client_id"]}).status_code == 200


def test_a_client_with_a_key_registers_it(app: App) -> None:
    key = app.provider.keys.client_key.public()
    members = registered(app, SERVICE | {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]}})
    assert members["jwks"] == {"keys": [key]}
    assert "client_secret" not in members
    assert app.provider.clients[members["client_id"]].jwks == {"keys": [key]}


def test_the_algorithm_that_is_registered_has_a_key_at_once(app: App) -> None:
    members = registered(app, NATIVE | {"id_token_signed_response_alg": "PS256"})
    assert "PS256" in {key["alg"] for key in app.get("/jwks").json()["keys"]}
    assert app.provider.clients[members["client_id"]].id_token_signed_response_alg == "PS256"


def test_unknown_members_are_ignored(app: App) -> None:
    """RFC 7591 section 2."""
    members = registered(app, NATIVE | {"software_id": "x", "client_name#ja": "x", "nonsense": [], "client_id": "mine"})
    assert not {"software_id", "nonsense"} & set(members)
    assert members["client_id"] != "mine"


def test_the_metadata_tell_where(app: App) -> None:
    document = app.get("/.well-known/openid-configuration").json()
    assert document["registration_endpoint"] == f"{app.provider.issuer}/register"


def test_every_endpoint_of_the_metadata_is_there(app: App) -> None:
    """RFC 8414, OIDC Discovery, RFC 7009, 7591, 7662, 8628, 9126; and no endpoint is left out."""
    document = app.get("/.well-known/oauth-authorization-server").json()
    named = {name for name in document if name.endswith(("_endpoint", "_uri"))}
    assert named == {
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "pushed_authorization_request_endpoint",
        "device_authorization_endpoint",
        "registration_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
        "end_session_endpoint",
    }
    for name in named:
        assert document[name].startswith(f"{app.provider.issuer}/")
        assert app.http.options(document[name]).status_code in {204, 405}
    assert document["protected_resources"] == [app.provider.api]
    assert document["dpop_signing_alg_values_supported"]


# Refused


@pytest.mark.parametrize(
    ("uris", "kind"),
    [
        ([], "native"),
        (["com.example.app:/cb#part"], "native"),
        (["/cb"], "native"),
        (["app:/cb"], "native"),  # RFC 8252 section 8.4: no dot
        (["http://app.example/cb"], "native"),
        (["http://127.0.0.1/cb"], "web"),  # RFC 9700 section 2.6
        (["com.example.app:/cb"], "web"),
        (["https://app.example/cb", "http://app.example/cb"], "web"),
    ],
)
def test_a_bad_redirect_uri_is_refused(app: App, uris: list[str], kind: str) -> None:
    """RFC 7591 section 3.2.2."""
    clients = set(app.provider.clients)
    answer = register(app, NATIVE | {"redirect_uris": uris, "application_type": kind})
    assert error_of(answer) == "invalid_redirect_uri"
    assert answer.json()["error_description"]
    assert set(app.provider.clients) == clients


PRIVATE = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "A" * 43}


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uris": REDIRECT_URI},
        {"redirect_uris": [1]},
        {"application_type": "desktop"},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": 1},
        {"token_endpoint_auth_method": "private_key_jwt"},  # without keys
        {"grant_types": "authorization_code"},
        {"grant_types": ["implicit"]},
        {"grant_types": ["authorization_code", "client_credentials"]},  # RFC 6749 section 4.4: a public client
        {"grant_types": ["password"]},  # RFC 9700 section 2.4
        {"response_types": ["token"]},
        {"grant_types": ["refresh_token"], "response_types": ["code"]},  # RFC 7591 section 2.1
        {"client_name": ""},
        {"scope": ["openid"]},
        {"jwks": {"keys": [PRIVATE]}},
        {"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}},
        {"jwks": {"keys": "none"}},
        {"jwks": []},
        {"jwks_uri": "https://app.example/jwks"},
        {"jwks": {"keys": []}, "jwks_uri": "https://app.example/jwks"},  # RFC 7591 section 2: never both
        {"id_token_signed_response_alg": "none"},
        {"id_token_signed_response_alg": "HS256"},
        {"post_logout_redirect_uris": ["app:/cb"]},
        {"require_pushed_authorization_requests": "yes"},
        {"dpop_bound_access_tokens": "true"},
        {"dpop_bound_access_tokens": None},
    ],
)
def test_bad_metadata_are_refused(app: App, changes: dict[str, Any]) -> None:
    """RFC 7591 section 3.2.2."""
    clients = set(app.provider.clients)
    answer = register(app, NATIVE | changes)
    assert error_of(answer) == "invalid_client_metadata"
    assert answer.json()["error_description"]
    assert set(app.provider.clients) == clients


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"1", b'"text"', b"[" * 100_000])
def test_a_registration_is_a_json_object(app: App, body: bytes) -> None:
    """RFC 7591 section 3.1."""
    url = f"{app.provider.issuer}/register"
    answer = app.http.post(url, content=body, headers={"Content-Type": "application/json"})
    assert error_of(answer) == "invalid_client_metadata"


def test_a_form_is_no_registration(app: App) -> None:
    assert error_of(app.post("/register", NATIVE)) == "invalid_client_metadata"
    assert app.get("/register").status_code == 405


# DPoP


def test_a_client_registers_to_be_held_to_proofs(dpop: DPoPApp) -> None:
    """RFC 9449 section 5.2."""
    members = registered(dpop.app, NATIVE | {"dpop_bound_access_tokens": True})
    assert members["dpop_bound_access_tokens"] is True
    form = {"client_id": members["client_id"]}
    code = dpop.app.sign_in(**form)["code"]
    assert error_of(dpop.app.redeem(code, **form)) == "invalid_dpop_proof"
    assert dpop.redeem(code, form=form).json()["token_type"] == "DPoP"


def test_pushing_may_be_registered_too(app: App) -> None:
    """RFC 9126 section 6."""
    members = registered(app, NATIVE | {"require_pushed_authorization_requests": True})
    assert app.sign_in(client_id=members["client_id"])["error"] == "unauthorized_client"
