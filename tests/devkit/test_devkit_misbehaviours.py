"""Each misbehaviour happens when it is switched on, and only then."""

import contextlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from oidcclient_devkit import MISBEHAVIOURS, BrowserStopped, Provider, jwts
from oidcclient_devkit.forms import parse_forms
from tests.devkit.conftest import REDIRECT_URI
from tests.devkit.dpop_app import DPoPApp

OIDC = "/.well-known/openid-configuration"
RFC8414 = "/.well-known/oauth-authorization-server"
WEB_PAGE = "<!doctype html>"
OFFLINE = {"scope": "openid offline_access", "prompt": "consent"}

Check = Callable[[httpx.Response, Provider], bool]

METADATA: dict[str, Check] = {
    "wrong_issuer": lambda a, _: a.json()["issuer"] == "https://attacker.example",
    "issuer_with_slash": lambda a, p: a.json()["issuer"] == f"{p.issuer}/",
    "http_endpoint": lambda a, _: a.json()["token_endpoint"] == "http://login.example.com/token",
    "missing_token_endpoint": lambda a, _: "token_endpoint" not in a.json(),
    "no_dpop": lambda a, _: "dpop_signing_alg_values_supported" not in a.json(),
    "huge": lambda a, _: len(a.content) > 8_000_000,
    "wrong_content_type": lambda a, _: a.headers["content-type"] == "text/html" and "issuer" in a.json(),
    "not_json": lambda a, _: a.text.startswith(WEB_PAGE),
    "not_an_object": lambda a, _: a.json() == [],
    "duplicate_members": lambda a, _: a.text.count('"issuer"') == 2 and bool(a.json()),
    "redirect_to_other_host": lambda a, _: a.headers["location"].startswith("https://attacker.example/"),
    "redirect_to_http": lambda a, _: a.headers["location"].startswith("http://login.example.com/"),
    "redirect_loop": lambda a, p: a.headers["location"] == f"{p.issuer}{OIDC}",
    "only_rfc8414": lambda a, _: a.status_code == 404,
    "bad_authorization_endpoint": lambda a, _: a.json()["authorization_endpoint"] == "file:///etc/passwd",
    "mixed_up": lambda a, _: (
        a.json()["authorization_endpoint"] == "https://attacker.example/authorize"
        and "pushed_authorization_request_endpoint" not in a.json()
    ),
    "lists_alg_none": lambda a, _: {"none", "RS256"} <= set(a.json()["id_token_signing_alg_values_supported"]),
    "no_pkce": lambda a, _: "code_challenge_methods_supported" not in a.json(),
    "no_iss_parameter": lambda a, _: "authorization_response_iss_parameter_supported" not in a.json(),
    "unknown_members": lambda a, _: a.json()["x"] is True and "issuer" in a.json(),
}

JWKS: dict[str, Check] = {
    "unknown_kid": lambda a, p: all(p.keys.find(key["kid"]) is None for key in a.json()["keys"]),
    "no_kid": lambda a, _: all("kid" not in key for key in a.json()["keys"]),
    "decoys": lambda a, _: len(a.json()["keys"]) == 12 and len({key["kid"] for key in a.json()["keys"]}) == 3,
    "private": lambda a, _: all("d" in key for key in a.json()["keys"]),
    "huge": lambda a, _: len(a.content) > 8_000_000,
    "empty": lambda a, _: a.json() == {"keys": []},
    "not_json": lambda a, _: a.text.startswith(WEB_PAGE),
    "redirect_to_other_host": lambda a, _: a.headers["location"] == "https://attacker.example/jwks",
    "stale": lambda a, p: a.json() == {"keys": [key.public() for key in p.keys.older]},
    "wrong_use": lambda a, _: {key["use"] for key in a.json()["keys"]} == {"enc"},
}

TOKEN: dict[str, Check] = {
    "type_mac": lambda a, _: a.json()["token_type"] == "mac",
    "missing_token_type": lambda a, _: "token_type" not in a.json(),
    "missing_access_token": lambda a, _: "access_token" not in a.json(),
    "empty_access_token": lambda a, _: a.json()["access_token"] == "",
    "not_json": lambda a, _: a.text.startswith(WEB_PAGE),
    "not_an_object": lambda a, _: a.json() == [],
    "duplicate_members": lambda a, _: a.text.count('"access_token"') == 2 and bool(a.json()),
    "huge": lambda a, _: len(a.content) > 8_000_000,
    "escape_sequences": lambda a, _: a.status_code == 400 and "\x1b" in a.json()["error_description"],
    "scope_changed": lambda a, _: a.json()["scope"] == "openid everything",
    "expires_in_string": lambda a, _: a.json()["expires_in"] == "300",
    "expires_in_negative": lambda a, _: a.json()["expires_in"] == -1,
    "expires_in_missing": lambda a, _: "expires_in" not in a.json(),
    "redirect": lambda a, _: a.headers["location"] == "https://attacker.example/token",
    "invalid_grant": lambda a, _: a.json()["error"] == "invalid_grant",
    "too_many_requests": lambda a, _: a.status_code == 429 and a.headers["retry-after"] == "1",
    "unavailable": lambda a, _: a.status_code == 503 and a.headers["retry-after"] == "1",
    "type_in_other_case": lambda a, _: a.json()["token_type"] == "bEARER",
    "missing_refresh_token": lambda a, _: "refresh_token" not in a.json(),
    "missing_scope": lambda a, _: "scope" not in a.json(),
    "unknown_members": lambda a, _: a.json()["x"] == {"y": 1} and "access_token" in a.json(),
}

PAR: dict[str, Check] = {
    "status_200": lambda a, _: a.status_code == 200 and "request_uri" in a.json(),
    "missing_request_uri": lambda a, _: "request_uri" not in a.json(),
    "missing_expires_in": lambda a, _: "expires_in" not in a.json(),
    "foreign_request_uri": lambda a, p: a.json()["request_uri"] not in p.core.store.pushed,
    "error": lambda a, _: a.json()["error"] == "invalid_request",
    "too_many_requests": lambda a, _: a.status_code == 429,
    "unavailable": lambda a, _: a.status_code == 503,
    "expired_at_once": lambda a, p: a.status_code == 201 and not p.core.store.pushed,
    "not_json": lambda a, _: a.text.startswith(WEB_PAGE),
    "huge": lambda a, _: len(a.content) > 8_000_000,
    "redirect": lambda a, _: a.headers["location"] == "https://attacker.example/par",
}

REVOKE: dict[str, Check] = {
    "error": lambda a, _: a.status_code == 400 and a.json()["error"] == "unsupported_token_type",
    "unavailable": lambda a, _: a.status_code == 503 and a.headers["retry-after"] == "1",
    "redirect": lambda a, _: a.headers["location"] == "https://attacker.example/revoke",
    "huge": lambda a, _: len(a.content) > 8_000_000,
}


DEVICE: dict[str, Check] = {
    "missing_device_code": lambda a, _: "device_code" not in a.json(),
    "missing_user_code": lambda a, _: "user_code" not in a.json(),
    "missing_verification_uri": lambda a, _: "verification_uri" not in a.json(),
    "missing_expires_in": lambda a, _: "expires_in" not in a.json(),
    "missing_complete_uri": lambda a, _: "verification_uri_complete" not in a.json(),
    "old_name": lambda a, p: a.json()["verification_url"] == f"{p.issuer}/device" and len(a.json()) == 6,
    "http_verification_uri": lambda a, _: a.json()["verification_uri"].startswith("http://login.example.com/"),
    "bad_verification_uri": lambda a, _: a.json()["verification_uri"].startswith("javascript:"),
    "bad_complete_uri": lambda a, _: a.json()["verification_uri_complete"].startswith("file:"),
    "hostile_user_code": lambda a, _: "\x1b" in a.json()["user_code"],
    "error": lambda a, _: a.json()["error"] == "unauthorized_client",
    "too_many_requests": lambda a, _: a.status_code == 429 and a.headers["retry-after"] == "1",
    "unavailable": lambda a, _: a.status_code == 503 and a.headers["retry-after"] == "1",
    "redirect": lambda a, _: a.headers["location"] == "https://attacker.example/device",
    "not_json": lambda a, _: a.text.startswith(WEB_PAGE),
    "huge": lambda a, _: len(a.content) > 8_000_000,
}


def challenge(answer: httpx.Response) -> str:
    return str(answer.headers["www-authenticate"])


API: dict[str, Check] = {
    "no_challenge": lambda a, _: a.status_code == 401 and "www-authenticate" not in a.headers,
    "token_refused": lambda a, _: a.status_code == 401 and challenge(a) == 'Bearer error="invalid_token"',
    "insufficient_scope": lambda a, _: a.status_code == 403 and 'scope="everything"' in challenge(a),
    "step_up": lambda a, _: a.status_code == 401 and 'acr_values="phr", max_age="0"' in challenge(a),
    "unavailable": lambda a, _: a.status_code == 503 and a.headers["retry-after"] == "1",
    "redirect_to_other_host": lambda a, _: a.headers["location"] == "https://attacker.example/me",
}

Pairs = list[tuple[str, str]]

CALLBACK: dict[str, Callable[[Pairs], bool]] = {
    "wrong_iss": lambda p: dict(p)["iss"] == "https://attacker.example",
    "missing_iss": lambda p: "iss" not in dict(p),
    "two_iss": lambda p: [n for n, _ in p].count("iss") == 2,
    "wrong_state": lambda p: dict(p)["state"] == "another-state",
    "missing_state": lambda p: "state" not in dict(p),
    "two_states": lambda p: p.count(("state", "a-state")) == 2,
    "two_codes": lambda p: [n for n, _ in p].count("code") == 2,
    "wrong_code": lambda p: dict(p)["code"] == "another-code",
    "no_code": lambda p: "code" not in dict(p),
    "error": lambda p: dict(p)["error"] == "access_denied" and "code" not in dict(p),
    "error_with_wrong_iss": lambda p: dict(p)["iss"] == "https://attacker.example" and "error" in dict(p),
    "hostile_error": lambda p: "<script>" in dict(p)["error_description"] and "\x1b" in dict(p)["error_description"],
    "code_and_error": lambda p: {"code", "error"} <= set(dict(p)),
    "unknown_parameters": lambda p: {"code", "state", "session_state", "authuser"} <= set(dict(p)),
}

Claims = dict[str, Any]

CLAIMS: dict[str, Callable[[Claims, Provider], bool]] = {
    "wrong_iss": lambda c, _: c["iss"] == "https://attacker.example",
    "missing_iss": lambda c, _: "iss" not in c,
    "wrong_aud": lambda c, _: c["aud"] == "another-client",
    "missing_aud": lambda c, _: "aud" not in c,
    "untrusted_aud": lambda c, p: c["aud"] == [p.client_id, "another-client"] and c["azp"] == p.client_id,
    "many_aud_no_azp": lambda c, p: c["aud"] == [p.client_id, "another-client"] and "azp" not in c,
    "aud_list": lambda c, p: c["aud"] == [p.client_id],
    "wrong_azp": lambda c, _: c["azp"] == "another-client",
    "wrong_nonce": lambda c, _: c["nonce"] == "another-nonce",
    "missing_nonce": lambda c, _: "nonce" not in c,
    "missing_at_hash": lambda c, _: "at_hash" not in c,
    "unknown_claims": lambda c, _: c["https://example.com/x"] == {"a": 1},
    "wrong_at_hash": lambda c, _: set(c["at_hash"]) == {"A"},
    "expired": lambda c, _: c["exp"] < c["iat"],
    "missing_exp": lambda c, _: "exp" not in c,
    "exp_string": lambda c, _: c["exp"] == "tomorrow",
    "iat_future": lambda c, p: c["iat"] > p.core.now() + 3_000,
    "iat_past": lambda c, p: c["iat"] < p.core.now() - 1_000_000,
    "missing_iat": lambda c, _: "iat" not in c,
    "missing_sub": lambda c, _: "sub" not in c,
    "other_sub": lambda c, _: c["sub"] == "u-somebody-else",
    "long_sub": lambda c, _: len(c["sub"]) == 256,
    "sub_number": lambda c, _: c["sub"] == 12345,
    "missing_auth_time": lambda c, _: "auth_time" not in c,
    "old_auth_time": lambda c, p: c["auth_time"] < p.core.now() - 1_000_000,
    "other_acr": lambda c, _: c["acr"] == "0",
    "missing_acr": lambda c, _: "acr" not in c,
}

# What the header says, and how many parts there are.
FORMS: dict[str, tuple[dict[str, Any], int]] = {
    "alg_none": ({"alg": "none"}, 3),
    "hs256_public_key": ({"alg": "HS256"}, 3),
    "hs256_client_secret": ({"alg": "HS256"}, 3),
    "zeroed_signature": ({"alg": "RS256"}, 3),
    "no_signature": ({"alg": "RS256"}, 3),
    "wrong_key": ({"alg": "RS256"}, 3),
    "stale_key": ({"alg": "RS256"}, 3),
    "jku_header": ({"jku": "https://attacker.example/jwks"}, 3),
    "jwk_header": ({"alg": "RS256"}, 3),
    "x5u_header": ({"x5u": "https://attacker.example/x5u"}, 3),
    "crit_header": ({"crit": ["urn:example:must-understand"]}, 3),
    "two_parts": ({"alg": "RS256"}, 2),
    "encrypted": ({"enc": "A256GCM"}, 5),
}

OTHERWISE_TESTED = {
    *(f"{place}.slow" for place in ("metadata", "jwks", "token", "par", "userinfo", "revoke")),
    *("device_authorization.slow", "token.pending", "token.slow_down"),
    *(f"callback.{name}" for name in ("fragment", "form_post", "status_307")),
    "id_token.absent",
    "id_token.not_a_jwt",
    *(name for name in MISBEHAVIOURS if name.startswith(("userinfo.", "dpop."))),
}


def test_every_misbehaviour_is_tested_here() -> None:
    tables: dict[str, Iterable[str]] = {
        "metadata": METADATA,
        "jwks": JWKS,
        "token": TOKEN,
        "par": PAR,
        "callback": CALLBACK,
        "revoke": REVOKE,
        "api": API,
        "device_authorization": DEVICE,
    }
    names = {f"{place}.{name}" for place, table in tables.items() for name in table}
    names |= {f"id_token.{name}" for name in (*CLAIMS, *FORMS)}
    assert names | OTHERWISE_TESTED == set(MISBEHAVIOURS)
    assert all(misbehaviour.does for misbehaviour in MISBEHAVIOURS.values())


@pytest.mark.parametrize("name", METADATA)
def test_metadata(app: Any, name: str) -> None:
    assert not _holds(METADATA[name], app.get(OIDC), app.provider)
    app.provider.misbehave(f"metadata.{name}")
    assert METADATA[name](app.get(OIDC), app.provider)


def test_metadata_only_at_the_rfc_8414_address(app: Any) -> None:
    app.provider.misbehave("metadata.only_rfc8414")
    assert app.get(OIDC).status_code == 404
    assert app.get(RFC8414).json()["issuer"] == app.provider.issuer


@pytest.mark.parametrize("name", JWKS)
def test_jwks(app: Any, name: str) -> None:
    assert not _holds(JWKS[name], app.get("/jwks"), app.provider)
    app.provider.misbehave(f"jwks.{name}")
    assert JWKS[name](app.get("/jwks"), app.provider)


@pytest.mark.parametrize("name", TOKEN)
def test_token(app: Any, name: str) -> None:
    app.provider.sign_in_as("ann")
    assert not _holds(TOKEN[name], app.redeem(app.sign_in(**OFFLINE)["code"]), app.provider)
    app.provider.misbehave(f"token.{name}")
    assert TOKEN[name](app.redeem(app.sign_in(**OFFLINE)["code"]), app.provider)


def test_a_token_error_stays_an_error(app: Any) -> None:
    app.provider.misbehave("token.type_mac")
    assert app.redeem("unknown").json()["error"] == "invalid_grant"


@pytest.mark.parametrize("name", PAR)
def test_par(app: Any, name: str) -> None:
    assert not _holds(PAR[name], app.post("/par", dict(app.request())), app.provider)
    app.provider.core.store.pushed.clear()
    app.provider.misbehave(f"par.{name}")
    assert PAR[name](app.post("/par", dict(app.request())), app.provider)


@pytest.mark.parametrize("name", REVOKE)
def test_revoke(app: Any, name: str) -> None:
    form = {"token": "x", "client_id": app.provider.client_id}
    assert not _holds(REVOKE[name], app.post("/revoke", form), app.provider)
    app.provider.misbehave(f"revoke.{name}")
    assert REVOKE[name](app.post("/revoke", form), app.provider)


def ask_for_codes(app: Any) -> httpx.Response:
    answer: httpx.Response = app.post("/device-authorization", {"client_id": app.provider.client_id})
    return answer


@pytest.mark.parametrize("name", DEVICE)
def test_device_authorization(app: Any, name: str) -> None:
    assert not _holds(DEVICE[name], ask_for_codes(app), app.provider)
    app.provider.misbehave(f"device_authorization.{name}")
    assert DEVICE[name](ask_for_codes(app), app.provider)


@pytest.mark.parametrize(("name", "error"), [("pending", "authorization_pending"), ("slow_down", "slow_down")])
def test_polls_alone_are_told_to_wait(app: Any, name: str, error: str) -> None:
    app.provider.sign_in_as("ann")
    app.provider.misbehave(f"token.{name}")
    assert app.redeem(app.sign_in()["code"]).status_code == 200
    codes = ask_for_codes(app).json()
    app.provider.approve_device(codes["user_code"])
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": codes["device_code"],
        "client_id": app.provider.client_id,
    }
    assert app.post("/token", form).json()["error"] == error


@pytest.mark.parametrize("name", API)
def test_api(app: Any, name: str) -> None:
    app.provider.sign_in_as("ann")
    token = app.tokens()["access_token"]
    assert not _holds(API[name], app.api("/hello", token), app.provider)
    app.provider.misbehave(f"api.{name}")
    assert API[name](app.api("/hello", token), app.provider)


def test_the_api_challenges_with_the_scheme_that_was_tried(dpop: DPoPApp) -> None:
    token = dpop.tokens()["access_token"]
    dpop.provider.misbehave("api.step_up", acr_values="mfa", max_age=60)
    expected = 'DPoP error="insufficient_user_authentication", acr_values="mfa", max_age="60"'
    assert challenge(dpop.api("/hello", token)) == expected


def test_stale_keys_are_those_before_the_last_rotation(app: Any) -> None:
    before = app.get("/jwks").json()
    app.provider.misbehave("jwks.stale")
    assert app.get("/jwks").json() == {"keys": []}
    app.provider.rotate_keys()
    assert app.get("/jwks").json() == before


def test_a_stale_key_is_one_that_nobody_publishes(app: Any, header_of: Any) -> None:
    app.provider.sign_in_as("ann")
    app.provider.misbehave("id_token.stale_key")
    kid = header_of(app.tokens()["id_token"])["kid"]
    assert kid not in {key["kid"] for key in app.get("/jwks").json()["keys"]}


def test_the_response_can_come_in_a_fragment(app: Any) -> None:
    app.provider.sign_in_as("ann")
    app.provider.misbehave("callback.fragment")
    location = urlsplit(app.provider.browser().visit(app.url()).header("location"))
    assert (location.query, "code" in dict(parse_qsl(location.fragment))) == ("", True)


def test_the_response_can_come_in_a_form_that_was_not_asked_for(app: Any) -> None:
    app.provider.sign_in_as("ann")
    app.provider.misbehave("callback.form_post")
    page = app.http.get(app.url(state="<state>")).text
    (form,) = parse_forms(page)
    assert (form.action, form.method) == (REDIRECT_URI, "POST")
    assert {"code", "state"} <= {name for name, _, _ in form.fields}


@pytest.mark.parametrize("name", ["fragment", "form_post", "status_307"])
def test_pages_before_the_response_are_left_alone(app: Any, name: str) -> None:
    """It happens when the browser goes back to the app, once."""
    app.provider.misbehave(f"callback.{name}", times=1)
    browser = app.provider.browser()
    with contextlib.suppress(BrowserStopped):
        browser.visit(app.url())
    paths = [urlsplit(page.url).path.split("/")[1] for page in browser.pages]
    assert paths[:6] == ["authorize", "sign-in", "sign-in", "consent", "consent"]
    assert "callback" in app.provider.requests[-1].why
    if name == "status_307":
        assert browser.page.status == 307


@pytest.mark.parametrize("name", CALLBACK)
def test_callback(app: Any, name: str) -> None:
    app.provider.sign_in_as("ann")
    app.provider.misbehave(f"callback.{name}")
    page = app.provider.browser().visit(app.url())
    pairs = parse_qsl(urlsplit(page.header("location") or "").query, keep_blank_values=True)
    assert CALLBACK[name](pairs)


@pytest.mark.parametrize("name", CLAIMS)
def test_id_token_claims(app: Any, name: str, claims_of: Any) -> None:
    app.provider.sign_in_as("ann")
    app.provider.misbehave(f"id_token.{name}")
    token = app.tokens()["id_token"]
    assert CLAIMS[name](claims_of(token), app.provider)
    assert _verifies(app, token), "only the claims are wrong"


@pytest.mark.parametrize("name", FORMS)
def test_id_token_forms(app: Any, name: str, header_of: Any) -> None:
    app.provider.sign_in_as("ann")
    app.provider.misbehave(f"id_token.{name}")
    token = app.tokens()["id_token"]
    header, parts = FORMS[name]
    assert header.items() <= header_of(token).items()
    assert len(token.split(".")) == parts
    assert not _verifies(app, token)


@pytest.mark.parametrize("name", ["jwk_header", "wrong_key"])
def test_the_attackers_signature_is_a_good_one(app: Any, name: str, header_of: Any) -> None:
    app.provider.sign_in_as("ann")
    app.provider.misbehave(f"id_token.{name}")
    token = app.tokens()["id_token"]
    attacker = app.provider.keys.foreign("RS256")
    assert jwts.verify(token, lambda _: [attacker.key], ["RS256"])
    if name == "jwk_header":
        assert header_of(token)["jwk"] == attacker.public()


def test_hs256_tokens_verify_for_whom_falls_for_them(app: Any) -> None:
    """RFC 8725 section 2.1: the public key taken as a shared secret."""
    import hashlib  # noqa: PLC0415 - for this one attack
    import hmac  # noqa: PLC0415 - for this one attack

    app.provider.sign_in_as("ann")
    for name, secret in (
        ("hs256_public_key", app.provider.keys.signing("RS256").key.as_pem(private=False)),
        ("hs256_client_secret", app.provider.client_id.encode()),
    ):
        app.provider.behave()
        app.provider.misbehave(f"id_token.{name}")
        text, _, signature = app.tokens()["id_token"].rpartition(".")
        mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        import base64  # noqa: PLC0415 - for this one attack

        assert base64.urlsafe_b64encode(mac).rstrip(b"=").decode() == signature


def test_the_id_token_can_be_absent_or_nonsense(app: Any) -> None:
    app.provider.sign_in_as("ann")
    app.provider.misbehave("id_token.absent", times=1)
    assert "id_token" not in app.tokens()
    app.provider.misbehave("id_token.not_a_jwt", times=1)
    assert app.tokens()["id_token"] == "nonsense"
    assert _verifies(app, app.tokens()["id_token"])


def test_an_unsigned_userinfo_can_be_wrong(app: Any) -> None:
    app.provider.sign_in_as("ann")
    token = app.tokens()["access_token"]

    def userinfo(name: str) -> httpx.Response:
        app.provider.misbehave(f"userinfo.{name}", times=1)
        answer: httpx.Response = app.get("/userinfo", authorization=f"Bearer {token}")
        return answer

    assert userinfo("other_sub").json()["sub"] == "u-somebody-else"
    assert "sub" not in userinfo("no_sub").json()
    assert userinfo("not_json").text.startswith(WEB_PAGE)
    assert len(userinfo("huge").content) > 8_000_000
    assert userinfo("redirect_to_other_host").headers["location"] == "https://attacker.example/userinfo"


def test_a_signed_userinfo_can_be_wrong(app: Any, header_of: Any, claims_of: Any) -> None:
    app.provider.sign_in_as("ann")
    app.provider.add_client(
        "signed", redirect_uris=["com.example.devkit:/callback"], userinfo_signed_response_alg="ES256"
    )
    token = app.redeem(app.sign_in(client_id="signed")["code"], client_id="signed").json()["access_token"]

    def userinfo(name: str) -> str:
        app.provider.misbehave(f"userinfo.{name}", times=1)
        text: str = app.get("/userinfo", authorization=f"Bearer {token}").text
        return text

    assert not _verifies(app, userinfo("wrong_key"), "ES256")
    assert header_of(userinfo("alg_none"))["alg"] == "none"
    assert "iss" not in claims_of(userinfo("no_iss"))
    assert "aud" not in claims_of(userinfo("no_aud"))
    assert claims_of(userinfo("wrong_aud"))["aud"] == "another-client"


def test_options_change_what_is_done(app: Any) -> None:
    app.provider.misbehave("metadata.wrong_issuer", issuer="https://other.example")
    assert app.get(OIDC).json()["issuer"] == "https://other.example"
    app.provider.misbehave("jwks.huge", size=10)
    assert app.get("/jwks").json()["padding"] == "x" * 10
    app.provider.misbehave("token.too_many_requests", retry_after=7, status=503, error="busy")
    answer = app.redeem("x")
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["error"]) == (503, "7", "busy")


def test_a_misbehaviour_can_be_limited_and_ended(app: Any) -> None:
    app.provider.misbehave("jwks.empty", times=2)
    assert [len(app.get("/jwks").json()["keys"]) for _ in range(3)] == [0, 0, 5]
    app.provider.misbehave("jwks.empty")
    app.provider.behave()
    assert app.get("/jwks").json()["keys"]


@pytest.mark.parametrize("name", ["nonsense", "token.nonsense"])
def test_a_name_nobody_has_is_refused(oidc_provider: Provider, name: str) -> None:
    with pytest.raises(ValueError, match=r"token\.type_mac"):
        oidc_provider.misbehave(name)


@pytest.mark.parametrize("place", ["metadata", "jwks", "token", "par", "userinfo", "revoke", "device_authorization"])
def test_an_answer_can_take_longer_than_a_client_waits(app: Any, place: str) -> None:
    path = {"metadata": OIDC, "device_authorization": "/device-authorization"}.get(place, f"/{place}")
    app.provider.misbehave(f"{place}.slow", seconds=60)
    method = "POST" if place in {"token", "par", "revoke", "device_authorization"} else "GET"
    with pytest.raises(httpx.ReadTimeout):
        app.http.request(method, f"{app.provider.issuer}{path}", timeout=0.05)


def _holds(check: Check, answer: httpx.Response, provider: Provider) -> bool:
    try:
        return check(answer, provider)
    except (KeyError, TypeError):
        return False


def _verifies(app: Any, token: str, alg: str = "RS256") -> bool:
    try:
        keys = KeySet.import_key_set(app.provider.keys.jwks())
        return bool(json.loads(jws.deserialize_compact(token, keys, algorithms=[alg]).payload))
    except (JoseError, ValueError):
        return False


def test_the_readme_lists_every_misbehaviour() -> None:
    text = (Path(__file__).parents[2] / "src" / "oidcclient_devkit" / "README.md").read_text(encoding="utf-8")
    assert [row for row in _rows() if row not in text] == []


def _rows() -> list[str]:
    return [f"| `{name}` | {misbehaviour.does} |" for name, misbehaviour in MISBEHAVIOURS.items()]
