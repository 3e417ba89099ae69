"""A developer learns why a request was refused: in the records and on the pages, and never a secret."""

import base64
import re
import time
from typing import Any

import httpx
import pytest

from oidcclient_devkit import BrowserStopped
from oidcclient_dpop.server import Rule
from tests.devkit.conftest import REDIRECT_URI, VERIFIER, App
from tests.devkit.dpop_app import DPoPApp
from tests.dpop_server.proofs import new_key

BASIC = "devkit-confidential-basic"


def why(app: Any) -> str:
    return str(app.provider.requests[-1].why)


# Proofs

BAD_PROOFS: dict[Rule, tuple[dict[str, Any], list[str]]] = {
    Rule.CLAIMS: ({"jti": None}, ["4.3 step 3", "expected jti, htm, htu and iat", "received ath, htm, htu, iat"]),
    Rule.HTM: ({"htm": "POST"}, ["4.3 step 8", "expected GET, received POST"]),
    Rule.HTU: ({"htu": "https://other.example/x"}, ["4.3 step 9", "received https://other.example/x"]),
    Rule.IAT: ({"iat": int(time.time()) + 1000}, ["4.3 step 11", "at most 30 s behind", "s ahead"]),
    Rule.ATH: ({"ath": None}, ["4.3 step 12", "received nothing"]),
}


@pytest.mark.parametrize("rule", BAD_PROOFS)
def test_a_refused_proof_is_explained(dpop: DPoPApp, rule: Rule) -> None:
    """With the rule, the section, what was expected and what came."""
    claims, words = BAD_PROOFS[rule]
    token = dpop.tokens()["access_token"]
    assert dpop.api("/hello", token, **claims).status_code == 401
    for word in (f"rule {rule} (RFC 9449 section", *words):
        assert word in why(dpop)
    assert token not in why(dpop)


def header(dpop: DPoPApp, *values: str) -> str:
    """Send these DPoP headers, and return what is said about them."""
    token = dpop.tokens()["access_token"]
    headers = [("Authorization", f"DPoP {token}"), *(("DPoP", value) for value in values)]
    assert dpop.http.get(f"{dpop.provider.api}/hello", headers=headers).status_code == 401
    return why(dpop)


def jwt_with(header_json: bytes) -> str:
    return f"{base64.urlsafe_b64encode(header_json).rstrip(b'=').decode()}.e30.AAAA"


CLAIMS = "eyJqdGkiOiJhIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cDovL3giLCJpYXQiOjF9"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((), ["rule header", "received 0 of them"]),
        (("a.b.c", "a.b.c"), ["rule header", "received 2 of them"]),
        (("nonsense",), ["rule jwt (RFC 9449 section 4.3 step 2)"]),
        ((jwt_with(b'{"typ":"JWT","alg":"ES256"}'),), ["rule typ", "expected dpop+jwt, received JWT"]),
        ((jwt_with(b'{"alg":"ES256"}'),), ["rule typ", "received nothing"]),
        ((jwt_with(b'{"typ":"dpop+jwt","alg":"none"}'),), ["rule alg", "one of ES256", "received none"]),
        ((jwt_with(b'{"typ":"dpop+jwt","alg":"ES256","jwk":7}'),), ["rule jwk", "for ES256", "received 7"]),
        (
            (jwt_with(b'{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"RSA","n":"x"}}'),),
            ["rule jwk", "received {'kty': 'RSA'}"],
        ),
        (
            (jwt_with(b'{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","d":"very-secret"}}'),),
            ["rule private_key", "received d, kty", "make a new one"],
        ),
    ],
)
def test_a_malformed_proof_is_explained(dpop: DPoPApp, values: tuple[str, ...], words: list[str]) -> None:
    text = header(dpop, *(value.replace(".e30.", f".{CLAIMS}.") for value in values))
    for word in words:
        assert word in text
    assert "very-secret" not in text


def test_a_proof_by_another_key_is_explained_with_both_thumbprints(dpop: DPoPApp) -> None:
    token, other = dpop.tokens()["access_token"], new_key()
    dpop.api("/hello", token, other)
    assert "rule jkt (RFC 9449 section 4.3 step 12)" in why(dpop)
    assert re.findall(r"[\w-]{43}", why(dpop)) == [dpop.key.jkt, other.jkt]


@pytest.mark.parametrize("alg", ["ES256K", "Ed25519", "RS256"])
def test_keys_of_all_kinds_are_named_by_their_thumbprint(dpop: DPoPApp, alg: str) -> None:
    """RFC 7638."""
    other = new_key(alg)
    dpop.api("/hello", dpop.tokens()["access_token"], other)
    assert f"received {other.jkt}" in why(dpop)


def test_a_second_use_is_explained(dpop: DPoPApp) -> None:
    token = dpop.tokens()["access_token"]
    for _ in range(2):
        dpop.api("/hello", token, jti="the-same-jti")
    assert "rule replay (RFC 9449 section 11.1): the jti the-same-jti was used before" in why(dpop)


def test_a_nonce_is_explained_and_not_shown(dpop: DPoPApp) -> None:
    token = dpop.tokens()["access_token"]
    dpop.provider.dpop_nonces(rs="required")
    dpop.api("/hello", token)
    assert "received nothing" in why(dpop)
    dpop.api("/hello", token, nonce="a-nonce-that-is-old")
    assert "another (19 characters, sha256:" in why(dpop)
    assert "a-nonce-that-is-old" not in why(dpop)


def test_the_query_of_an_htu_is_not_shown(dpop: DPoPApp) -> None:
    dpop.api("/hello", dpop.tokens()["access_token"], htu=f"{dpop.provider.api}/hello?token=secret")
    assert "/hello?..." in why(dpop)
    assert "secret" not in why(dpop)


def test_proofs_at_the_provider_are_explained_too(dpop: DPoPApp) -> None:
    dpop.redeem(dpop.code(), htm="GET")
    assert "expected POST, received GET" in why(dpop)
    dpop.post("/par", dict(dpop.app.request()), htm="GET")
    assert "rule htm" in why(dpop)
    dpop.call(f"{dpop.provider.issuer}/userinfo", dpop.tokens()["access_token"], htm="POST")
    assert "rule htm" in why(dpop)


# Codes and clients


def test_a_code_that_was_never_issued_is_explained(app: App) -> None:
    app.redeem("some-code")
    assert "never issued such a code" in why(app)
    assert "some-code" not in why(app)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"code_verifier": "x" * 43}, "RFC 7636 section 4.6"),
        ({"redirect_uri": "http://127.0.0.1/callback"}, "received http://127.0.0.1/callback"),
        ({"redirect_uri": None}, "received nothing"),
    ],
)
def test_a_code_with_something_wrong_beside_it_is_explained(app: App, changes: dict[str, Any], words: str) -> None:
    app.provider.sign_in_as("ann")
    app.redeem(app.sign_in()["code"], **changes)
    assert words in why(app)
    assert VERIFIER not in why(app)


def test_a_code_is_good_once_and_for_a_minute_and_for_one_client(app: App) -> None:
    app.provider.sign_in_as("ann")
    code = app.sign_in()["code"]
    app.redeem(code)
    assert why(app) == ""
    app.redeem(code)
    assert "a code is used once" in why(app)
    code = app.sign_in()["code"]
    app.provider.add_client("other")
    app.redeem(code, client_id="other")
    assert "issued to devkit-desktop" in why(app)
    app.provider.move_clock(61)
    app.redeem(code)
    assert "good for 60 seconds" in why(app)


def test_a_code_without_a_challenge_is_not_blamed_on_the_verifier(app: App) -> None:
    """A confidential client may do without PKCE."""
    app.provider.sign_in_as("ann")
    app.provider.add_client(
        "secret", redirect_uris=[REDIRECT_URI], token_endpoint_auth_method="client_secret_post", client_secret="s"
    )
    code = app.sign_in(client_id="secret", code_challenge=None, code_challenge_method=None)["code"]
    changes = {"client_id": "secret", "client_secret": "s", "code_verifier": None}
    assert [app.redeem(code, **changes).status_code for _ in range(2)] == [200, 400]
    assert "used once" in why(app)


LOOPBACK = "http://127.0.0.1/callback"


def quoted(secret: str) -> tuple[str, str]:
    """RFC 6749 section 2.3.1."""
    from urllib.parse import quote_plus  # noqa: PLC0415 - one helper needs it

    return quote_plus(BASIC), quote_plus(secret)


def test_a_bound_code_that_is_still_good_is_not_called_used(dpop: DPoPApp) -> None:
    code = dpop.code(dpop_jkt="A" * 43)
    dpop.redeem(code)
    assert f"bound to the key with the thumbprint {'A' * 43}, the proof was made by {dpop.key.jkt}" in why(dpop)
    assert "once" not in why(dpop)


def test_a_refresh_with_another_key_is_explained(dpop: DPoPApp) -> None:
    token, other = dpop.tokens()["refresh_token"], new_key()
    dpop.refresh(token, other)
    assert f"thumbprint {dpop.key.jkt}, the proof was made by {other.jkt}" in why(dpop)
    dpop.provider.add_client("other")
    dpop.refresh(token, form={"client_id": "other"})
    assert "issued to devkit-desktop" in why(dpop)
    assert token not in why(dpop)


@pytest.mark.parametrize("jwk", [b"7", b'{"kty":"EC"}', b'{"kty":"none"}'])
def test_a_proof_that_nobody_looked_at_is_no_reason(dpop: DPoPApp, jwk: bytes) -> None:
    token = dpop.tokens()["refresh_token"]
    dpop.refresh(token)
    dpop.provider.misbehave("dpop.ignored_at_refresh")
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": dpop.provider.client_id}
    dpop.app.post("/token", form, dpop=jwt_with(b'{"jwk":%s}' % jwk))
    assert why(dpop).splitlines()[0].startswith("invalid_grant: The refresh token was used before")
    assert "thumbprint" not in why(dpop)


@pytest.mark.parametrize(
    ("form", "auth", "words"),
    [
        ({}, None, "names no client"),
        ({"client_id": "nobody"}, None, "No client has the client_id nobody; there are devkit-desktop"),
        ({"client_id": BASIC}, None, "registered with client_secret_basic, the request used none"),
        ({"client_id": BASIC, "client_secret": "s"}, None, "the request used client_secret_post"),
        ({}, (BASIC, "wrong-secret"), "but not with what is registered"),
        ({}, ("devkit-desktop", "x"), "registered with none, the request used client_secret_basic"),
        ({"client_id": BASIC, "client_assertion": "nonsense"}, None, "the request used"),
    ],
)
def test_a_client_that_does_not_authenticate_is_explained(
    app: App, form: dict[str, str], auth: tuple[str, str] | None, words: str
) -> None:
    basic = httpx.Auth() if auth is None else httpx.BasicAuth(*auth)
    app.http.post(f"{app.provider.issuer}/token", data={"grant_type": "refresh_token", **form}, auth=basic)
    assert words in why(app)
    assert "wrong-secret" not in why(app)


def test_what_is_no_basic_authentication_is_explained(app: App) -> None:
    app.post("/token", {"grant_type": "refresh_token"}, authorization="Basic %%%")
    assert "names no client" in why(app)


# Pages and other answers


def test_a_refused_sign_in_is_explained_where_the_app_and_the_page_say_it(app: App) -> None:
    app.provider.sign_in_as("ann")
    answer = app.sign_in(code_challenge=None)
    assert why(app) == f"invalid_request: {answer['error_description']}"
    page = app.refused_page(redirect_uri="https://elsewhere.example/").page
    assert "not registered" in why(app)
    assert "redirect_uri: https://elsewhere.example/" in why(app)
    assert 'href="/log"' in page.text


def test_an_error_that_comes_in_a_form_is_explained(app: App) -> None:
    app.provider.sign_in_as("ann")
    url = app.url(response_mode="form_post", redirect_uri=LOOPBACK, max_age="soon")
    assert app.http.get(url).status_code == 200
    assert why(app) == "invalid_request: The max_age is a number of seconds."


def test_a_wrong_password_is_explained(app: App) -> None:
    browser = app.provider.browser()
    browser._password = "wrong"
    with pytest.raises(BrowserStopped):
        browser.visit(app.url())
    assert why(app) == "That name and password do not go together."
    assert app.provider.requests[-1].line == "POST /sign-in/..."


@pytest.mark.parametrize(
    ("path", "words"),
    [("/par", "invalid_request: "), ("/revoke", "The token is missing"), ("/introspect", "The token is missing")],
)
def test_each_endpoint_for_programs_says_why(app: App, path: str, words: str) -> None:
    secret = app.provider.clients[BASIC].client_secret or ""
    app.http.post(f"{app.provider.issuer}{path}", data={}, auth=quoted(secret))
    assert words in why(app)


def test_a_request_without_a_token_is_explained(app: App) -> None:
    assert app.api("/me").json() == {}
    assert why(app) == "No access token was sent"


def test_a_body_that_is_too_large_is_recorded(app: App) -> None:
    app.http.post(f"{app.provider.issuer}/token", content=b"x" * 1_048_577)
    assert "more than 1048576 bytes" in why(app)


def test_a_full_memory_of_proofs_is_explained(dpop: DPoPApp) -> None:
    from oidcclient_dpop.server import MemoryReplayCache  # noqa: PLC0415 - one test needs it

    token = dpop.tokens()["access_token"]
    dpop.provider.core.proofs.replay = MemoryReplayCache(1)
    assert dpop.api("/hello", token).status_code == 200
    refused = dpop.api("/hello", token)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "More DPoP proofs" in why(dpop)


def test_what_is_done_on_purpose_is_said(app: App) -> None:
    app.provider.sign_in_as("ann")
    app.provider.misbehave("token.scope_changed", times=1)
    app.redeem(app.sign_in()["code"])
    assert why(app) == "The devkit misbehaves as it was told: token.scope_changed"
    app.provider.misbehave("token.invalid_grant", times=1)
    app.redeem(app.sign_in()["code"])
    assert why(app).splitlines() == [
        "invalid_grant: The devkit was told to.",
        "The devkit misbehaves as it was told: token.invalid_grant",
    ]
    app.provider.answer("jwks", 418, body=b"")
    app.get("/jwks")
    assert why(app).splitlines() == ["I'm a Teapot", "A test prepared this answer."]
    app.provider.answer("jwks", 499, body=b"[]")
    app.get("/jwks")
    assert why(app).splitlines()[0] == "499"
    app.get("/jwks")
    assert why(app) == ""


def test_a_stand_in_is_explained(dpop: DPoPApp) -> None:
    token = dpop.tokens()["access_token"]
    dpop.provider.misbehave("dpop.bearer_challenge")
    dpop.api("/hello", token)
    assert why(dpop).splitlines() == [
        "invalid_token: Only Bearer is known here",
        "The devkit misbehaves as it was told: dpop.bearer_challenge",
    ]


def test_what_came_from_outside_is_shown_in_part(app: App) -> None:
    app.post("/token", {"grant_type": "refresh_token", "client_id": "n" * 2000})
    assert "(2000 characters)" in why(app)
    assert len(why(app)) < 1500
