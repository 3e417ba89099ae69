"""The token endpoint, client authentication, ID Tokens, refresh and revocation."""

import base64
import json
import logging
import time
from typing import Any
from urllib.parse import quote_plus

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey

from oidcclient_devkit.clients import SHARED_SECRET

ALGS = ["RS256", "ES256", "PS256", "Ed25519"]
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def test_token_answers_are_kept_by_no_cache(app: Any) -> None:
    """RFC 6749 section 5.1."""
    answer = app.redeem(app.sign_in()["code"])
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.json()["token_type"] == "Bearer"
    assert app.redeem("unknown").headers["cache-control"] == "no-store"


def test_the_id_token_says_who_signed_in_when_and_how(app: Any, claims_of: Any) -> None:
    """OIDC Core section 2."""
    tokens = app.tokens()
    claims = claims_of(tokens["id_token"])
    assert claims["iss"] == app.provider.issuer
    assert claims["aud"] == app.provider.client_id
    assert claims["sub"] == app.provider.users["ann"].sub
    assert claims["nonce"] == "a-nonce"
    assert claims["acr"] == "pwd"
    assert claims["amr"] == ["pwd"]
    assert claims["auth_time"] <= claims["iat"] < claims["exp"]
    assert claims["email"] == "ann@example.com"


@pytest.mark.parametrize("alg", ALGS)
def test_the_id_token_is_signed_as_the_client_registered(app: Any, alg: str, header_of: Any) -> None:
    app.provider.add_client("alg", redirect_uris=["com.example.devkit:/callback"], id_token_signed_response_alg=alg)
    keys = KeySet.import_key_set(app.get("/jwks").json())
    tokens = app.redeem(app.sign_in(client_id="alg")["code"], client_id="alg").json()
    assert header_of(tokens["id_token"])["alg"] == alg
    claims = jwt.decode(tokens["id_token"], keys, algorithms=[alg]).claims
    import hashlib  # noqa: PLC0415 - for the half hash only

    digest = (hashlib.sha512 if alg == "Ed25519" else hashlib.sha256)(tokens["access_token"].encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    assert claims["at_hash"] == half


def test_eddsa_by_its_old_name_is_served_too(app: Any, header_of: Any) -> None:
    app.provider.add_client("old", redirect_uris=["com.example.devkit:/callback"], id_token_signed_response_alg="EdDSA")
    tokens = app.redeem(app.sign_in(client_id="old")["code"], client_id="old").json()
    assert header_of(tokens["id_token"])["alg"] == "EdDSA"


def test_the_claims_parameter_asks_for_single_claims(app: Any, claims_of: Any) -> None:
    """OIDC Core section 5.5."""
    wanted = json.dumps({"userinfo": {"email": None}, "id_token": {"name": {"essential": True}}})
    tokens = app.tokens(scope="openid", claims=wanted)
    assert claims_of(tokens["id_token"])["name"] == "Ann Example"
    userinfo = app.get("/userinfo", authorization=f"Bearer {tokens['access_token']}").json()
    assert userinfo == {"sub": app.provider.users["ann"].sub, "email": "ann@example.com"}


def test_the_access_token_is_a_jwt_for_the_resource(app: Any, header_of: Any, claims_of: Any) -> None:
    """RFC 9068 section 2, RFC 8707 section 2."""
    resource = f"{app.provider.api}/hello"
    token = app.tokens(resource=resource)["access_token"]
    assert header_of(token)["typ"] == "at+jwt"
    assert claims_of(token)["aud"] == resource
    assert claims_of(token)["client_id"] == app.provider.client_id
    assert claims_of(app.tokens()["access_token"])["aud"] == app.provider.api


def test_several_resources_can_be_asked_for_and_narrowed(app: Any, claims_of: Any) -> None:
    """RFC 8707 section 2.2."""
    app.provider.resources.append("https://other.example")
    both = [app.provider.api, "https://other.example"]
    assert claims_of(app.tokens(resource=both)["access_token"])["aud"] == both
    code = app.sign_in(resource=both)["code"]
    assert claims_of(app.redeem(code, resource=both[1]).json()["access_token"])["aud"] == both[1]
    code = app.sign_in(resource=both[0])["code"]
    assert app.redeem(code, resource=both[1]).json()["error"] == "invalid_target"


def test_a_bound_token_names_its_key(app: Any, claims_of: Any) -> None:
    """RFC 7800 section 3: what sender-constrained tokens will carry."""
    code = app.sign_in()["code"]
    app.provider.core.store.codes[code].grant.confirmation = {"jkt": "a-thumbprint"}
    assert claims_of(app.redeem(code).json()["access_token"])["cnf"] == {"jkt": "a-thumbprint"}


# The code


def test_a_code_is_refused_the_second_time_and_its_tokens_die(app: Any) -> None:
    """RFC 6749 section 4.1.2."""
    code = app.sign_in()["code"]
    token = app.redeem(code).json()["access_token"]
    assert app.api("/hello", token).status_code == 200
    assert app.redeem(code).json()["error"] == "invalid_grant"
    assert app.api("/hello", token).status_code == 401


def test_a_code_dies_after_a_minute(app: Any) -> None:
    code = app.sign_in()["code"]
    app.provider.move_clock(60)
    assert app.redeem(code).json()["error"] == "invalid_grant"


def test_a_wrong_verifier_is_an_invalid_grant_and_spends_the_code(app: Any) -> None:
    """RFC 7636 section 4.6."""
    code = app.sign_in()["code"]
    assert app.redeem(code, code_verifier="x" * 43).json()["error"] == "invalid_grant"
    assert app.redeem(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("verifier", [None, "short"])
def test_a_missing_or_malformed_verifier_is_refused(app: Any, verifier: str | None) -> None:
    assert app.redeem(app.sign_in()["code"], code_verifier=verifier).status_code == 400


def test_a_verifier_without_a_challenge_is_refused(app: Any) -> None:
    """RFC 9700 section 2.1.1."""
    changes = {"client_id": "devkit-confidential-post", "redirect_uri": "http://127.0.0.1:1/callback"}
    code = _code_without_browser(app, code_challenge=None, code_challenge_method=None, **changes)
    answer = app.redeem(code, client_secret=SHARED_SECRET, **changes)
    assert answer.json()["error"] == "invalid_request"


def test_a_confidential_client_may_go_without_pkce(app: Any) -> None:
    changes = {"client_id": "devkit-confidential-post", "redirect_uri": "http://127.0.0.1:1/callback"}
    code = _code_without_browser(app, code_challenge=None, code_challenge_method=None, **changes)
    assert app.redeem(code, client_secret=SHARED_SECRET, code_verifier=None, **changes).status_code == 200


@pytest.mark.parametrize(
    "redirect_uri", ["com.example.devkit:/other", "http://127.0.0.1/callback", None], ids=["path", "other", "none"]
)
def test_the_redirect_uri_is_repeated_byte_for_byte(app: Any, redirect_uri: str | None) -> None:
    """RFC 6749 section 4.1.3."""
    assert app.redeem(app.sign_in()["code"], redirect_uri=redirect_uri).json()["error"] == "invalid_grant"


def test_a_code_of_another_client_is_refused(app: Any) -> None:
    app.provider.add_client("other")
    assert app.redeem(app.sign_in()["code"], client_id="other").json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "client_id": "devkit-desktop"}, "invalid_request"),
        ({"grant_type": "refresh_token", "client_id": "devkit-desktop"}, "invalid_request"),
        ({"grant_type": ["refresh_token", "refresh_token"]}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "invalid_client"),
        ({"grant_type": "authorization_code", "client_id": "unknown"}, "invalid_client"),
    ],
)
def test_a_malformed_token_request_is_refused(app: Any, form: dict[str, Any], error: str) -> None:
    assert app.post("/token", form).json()["error"] == error


def test_a_token_request_is_a_form(app: Any) -> None:
    answer = app.http.post(f"{app.provider.issuer}/token", json=app.form("a-code"))
    assert answer.json()["error"] == "invalid_request"


def test_a_client_uses_its_own_grants_only(app: Any) -> None:
    app.provider.add_client("codeless", grant_types=[])
    assert app.redeem("a-code", client_id="codeless").json()["error"] == "unauthorized_client"
    assert app.refresh("a-token", client_id="codeless").json()["error"] == "unauthorized_client"


def test_no_token_is_logged(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        tokens = app.tokens(scope="openid offline_access", prompt="consent")
    for name in ("access_token", "refresh_token", "id_token"):
        assert tokens[name] not in caplog.text


# Client authentication


def _code_without_browser(app: Any, **changes: Any) -> str:
    app.provider.sign_in_as("ann")
    answer = app.post("/authorize", dict(app.request(**changes)))
    code: str = answer.headers["location"].partition("code=")[2].partition("&")[0]
    return code


@pytest.fixture
def redeem_as(app: Any) -> Any:
    def redeem(who: str, headers: dict[str, str] | None = None, /, **changes: Any) -> Any:
        redirect_uri = "http://127.0.0.1:1/callback"
        code = _code_without_browser(app, client_id=who, redirect_uri=redirect_uri)
        form = app.form(code, **{"client_id": who, "redirect_uri": redirect_uri, **changes})
        return app.http.post(f"{app.provider.issuer}/token", data=form, headers=headers)

    return redeem


def _basic(user: str, secret: str) -> dict[str, str]:
    """RFC 6749 section 2.3.1: both parts are form-encoded first."""
    value = base64.b64encode(f"{quote_plus(user)}:{quote_plus(secret)}".encode()).decode()
    return {"Authorization": f"Basic {value}"}


def test_client_secret_basic(redeem_as: Any) -> None:
    client_id = "devkit-confidential-basic"
    assert redeem_as(client_id, _basic(client_id, SHARED_SECRET), client_id=None).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        _basic("devkit-confidential-basic", "wrong"),
        _basic("unknown", SHARED_SECRET),
        {"Authorization": "Basic !"},
        {"Authorization": "Basic " + base64.b64encode(b"\xff").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"devkit-confidential-basic").decode()},
        {"Authorization": "Bearer x"},
    ],
)
def test_a_wrong_secret_is_an_invalid_client_with_a_challenge(redeem_as: Any, headers: dict[str, str]) -> None:
    """RFC 6749 section 5.2."""
    answer = redeem_as("devkit-confidential-basic", headers)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_client_secret_post(redeem_as: Any) -> None:
    client_id = "devkit-confidential-post"
    assert redeem_as(client_id, client_secret=SHARED_SECRET).status_code == 200
    assert redeem_as(client_id, client_secret="wrong").status_code == 401


def test_a_client_authenticates_in_its_registered_way_only(redeem_as: Any) -> None:
    assert redeem_as("devkit-confidential-basic", client_secret=SHARED_SECRET).status_code == 401


def test_two_ways_of_authenticating_are_one_too_many(redeem_as: Any) -> None:
    """RFC 6749 section 2.3."""
    client_id = "devkit-confidential-basic"
    answer = redeem_as(client_id, _basic(client_id, SHARED_SECRET), client_secret=SHARED_SECRET)
    assert answer.json()["error"] == "invalid_request"


def test_the_client_id_in_the_body_is_that_of_the_authentication(redeem_as: Any) -> None:
    client_id = "devkit-confidential-basic"
    answer = redeem_as(client_id, _basic(client_id, SHARED_SECRET), client_id="devkit-desktop")
    assert answer.json()["error"] == "invalid_request"


@pytest.fixture
def assertion(app: Any) -> Any:
    def make(method: str, **changes: Any) -> dict[str, str]:
        now = int(time.time())
        claims = {
            "iss": f"devkit-confidential-{method}",
            "sub": f"devkit-confidential-{method}",
            "aud": app.provider.issuer,
            "jti": f"jti-{time.monotonic_ns()}",
            "iat": now,
            "exp": now + 60,
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        if method == "secret-jwt":
            token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SHARED_SECRET))
        else:
            token = jwt.encode({"alg": "ES256"}, claims, app.provider.keys.client_key.key)
        return {"client_assertion_type": ASSERTION, "client_assertion": token}

    return make


@pytest.mark.parametrize("method", ["secret-jwt", "private-key-jwt"])
def test_a_client_assertion_authenticates_once(redeem_as: Any, assertion: Any, method: str) -> None:
    """RFC 7523 section 3."""
    client_id = f"devkit-confidential-{method}"
    proof = assertion(method)
    assert redeem_as(client_id, **proof).status_code == 200
    assert redeem_as(client_id, **proof).json()["error"] == "invalid_client"
    assert redeem_as(client_id, client_id=None, **assertion(method)).status_code == 200


def test_a_client_assertion_may_be_meant_for_the_token_endpoint(redeem_as: Any, assertion: Any, app: Any) -> None:
    client_id = "devkit-confidential-private-key-jwt"
    for audience in (f"{app.provider.issuer}/token", [app.provider.issuer]):
        assert redeem_as(client_id, **assertion("private-key-jwt", aud=audience)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://attacker.example"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 9_999_999_999},
        {"nbf": "later"},
        {"jti": None},
        {"iss": "somebody-else"},
        {"sub": "unknown"},
    ],
)
def test_a_bad_client_assertion_is_refused(redeem_as: Any, assertion: Any, changes: dict[str, Any]) -> None:
    answer = redeem_as("devkit-confidential-private-key-jwt", **assertion("private-key-jwt", **changes))
    assert answer.json()["error"] == "invalid_client"


def test_a_client_assertion_for_several_servers_is_refused(redeem_as: Any, assertion: Any, app: Any) -> None:
    """Audience injection: another server could use it here."""
    audience = [app.provider.issuer, "https://attacker.example"]
    answer = redeem_as("devkit-confidential-private-key-jwt", **assertion("private-key-jwt", aud=audience))
    assert answer.json()["error"] == "invalid_client"


@pytest.mark.parametrize("text", ["nonsense", "e30.e30", "W10.W10.x"])
def test_a_client_assertion_that_is_no_jwt_is_refused(redeem_as: Any, text: str) -> None:
    answer = redeem_as("devkit-confidential-private-key-jwt", client_assertion_type=ASSERTION, client_assertion=text)
    assert answer.json()["error"] == "invalid_client"


def test_a_client_assertion_by_another_key_is_refused(redeem_as: Any, assertion: Any) -> None:
    proof = assertion("private-key-jwt")
    proof["client_assertion"] = proof["client_assertion"].rpartition(".")[0] + "." + "A" * 86
    assert redeem_as("devkit-confidential-private-key-jwt", **proof).json()["error"] == "invalid_client"


def test_a_client_assertion_is_for_the_client_that_sends_it(redeem_as: Any, assertion: Any) -> None:
    answer = redeem_as(
        "devkit-confidential-private-key-jwt", client_id="devkit-desktop", **assertion("private-key-jwt")
    )
    assert answer.json()["error"] == "invalid_request"


def test_a_public_key_is_no_shared_secret(redeem_as: Any, assertion: Any) -> None:
    """RFC 8725 section 3.1: one key, one algorithm."""
    proof = assertion(
        "secret-jwt", iss="devkit-confidential-private-key-jwt", sub="devkit-confidential-private-key-jwt"
    )
    assert redeem_as("devkit-confidential-private-key-jwt", **proof).json()["error"] == "invalid_client"


# Refresh and revocation


@pytest.fixture
def lasting(app: Any) -> dict[str, Any]:
    tokens: dict[str, Any] = app.tokens(scope="openid profile offline_access", prompt="consent")
    return tokens


def test_a_refresh_gives_new_tokens_without_nonce(app: Any, lasting: dict[str, Any], claims_of: Any) -> None:
    """RFC 6749 section 6, OIDC Core section 12.2."""
    answer = app.refresh(lasting["refresh_token"])
    assert answer.status_code == 200
    tokens = answer.json()
    assert tokens["refresh_token"] != lasting["refresh_token"]
    assert app.api("/me", tokens["access_token"]).status_code == 200
    before, after = claims_of(lasting["id_token"]), claims_of(tokens["id_token"])
    assert after["sub"] == before["sub"]
    assert after["auth_time"] == before["auth_time"]
    assert "nonce" not in after


def test_a_refresh_token_used_twice_revokes_its_family(app: Any, lasting: dict[str, Any]) -> None:
    """RFC 9700 section 4.14.2."""
    tokens = app.refresh(lasting["refresh_token"]).json()
    assert app.refresh(lasting["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.api("/me", tokens["access_token"]).status_code == 401


def test_a_refresh_may_narrow_the_scope_and_never_widen_it(app: Any, lasting: dict[str, Any]) -> None:
    answer = app.refresh(lasting["refresh_token"], scope="openid")
    assert answer.json()["scope"] == "openid"
    answer = app.refresh(answer.json()["refresh_token"], scope="openid email")
    assert answer.json()["error"] == "invalid_scope"


def test_a_refresh_token_of_another_client_is_refused(app: Any, lasting: dict[str, Any]) -> None:
    app.provider.add_client("other")
    assert app.refresh(lasting["refresh_token"], client_id="other").json()["error"] == "invalid_grant"


def test_an_unknown_refresh_token_is_refused(app: Any) -> None:
    assert app.refresh("unknown").json()["error"] == "invalid_grant"


def test_a_refresh_token_expires(app: Any, lasting: dict[str, Any]) -> None:
    app.provider.move_clock(31 * 86_400)
    assert app.refresh(lasting["refresh_token"]).json()["error"] == "invalid_grant"


def test_the_next_refresh_can_be_refused(app: Any, lasting: dict[str, Any]) -> None:
    app.provider.refuse_refresh()
    assert app.refresh(lasting["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.refresh(lasting["refresh_token"]).status_code == 200


def test_revoking_a_refresh_token_takes_its_family_along(app: Any, lasting: dict[str, Any]) -> None:
    """RFC 7009 section 2.1."""
    form = {"client_id": app.provider.client_id, "token": lasting["refresh_token"], "token_type_hint": "refresh_token"}
    assert app.post("/revoke", form).status_code == 200
    assert app.refresh(lasting["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.api("/me", lasting["access_token"]).status_code == 401


def test_revoking_an_access_token_leaves_the_rest(app: Any, lasting: dict[str, Any]) -> None:
    form = {"client_id": app.provider.client_id, "token": lasting["access_token"]}
    assert app.post("/revoke", form).status_code == 200
    assert app.api("/me", lasting["access_token"]).status_code == 401
    assert app.refresh(lasting["refresh_token"]).status_code == 200


def test_nobody_revokes_the_tokens_of_another_client(app: Any, lasting: dict[str, Any]) -> None:
    app.provider.add_client("other")
    for name in ("refresh_token", "access_token"):
        assert app.post("/revoke", {"client_id": "other", "token": lasting[name]}).status_code == 200
    assert app.api("/me", lasting["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_id": "devkit-desktop"}, "invalid_request"),
        ({"client_id": "devkit-desktop", "token": "x", "token_type_hint": "saml"}, "unsupported_token_type"),
        ({"token": "x"}, "invalid_client"),
        ({"token": ["x", "y"]}, "invalid_request"),
    ],
)
def test_a_malformed_revocation_is_refused(app: Any, form: dict[str, Any], error: str) -> None:
    assert app.post("/revoke", form).json()["error"] == error


def test_revoking_an_unknown_token_is_fine(app: Any) -> None:
    """RFC 7009 section 2.2."""
    assert app.post("/revoke", {"client_id": "devkit-desktop", "token": "unknown"}).status_code == 200
