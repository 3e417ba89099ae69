"""What tokens and sessions open: userinfo, the protected API, sign-out; and the documents."""

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from oidcclient_devkit import Provider

DIGEST = {"Authorization": 'Digest username="ann", uri="/hello"'}


def test_both_metadata_documents_are_the_same(app: Any, oidc_provider: Provider) -> None:
    """OIDC Discovery section 4, RFC 8414 section 3."""
    one = app.get("/.well-known/openid-configuration")
    two = app.get("/.well-known/oauth-authorization-server")
    assert one.json() == two.json()
    assert one.json()["issuer"] == oidc_provider.issuer
    assert one.json()["authorization_response_iss_parameter_supported"] is True
    assert one.json()["code_challenge_methods_supported"] == ["S256"]
    assert "none" not in one.json()["id_token_signing_alg_values_supported"]


def test_the_jwks_has_public_keys_only(app: Any) -> None:
    keys = app.get("/jwks").json()["keys"]
    assert {key["alg"] for key in keys} >= {"RS256", "ES256", "EdDSA"}
    assert all("d" not in key and key["use"] in {"sig", "enc"} for key in keys)


def test_userinfo_tells_what_the_scope_allows(app: Any) -> None:
    """OIDC Core section 5.4."""
    token = app.tokens(scope="openid email")["access_token"]
    answer = app.get("/userinfo", authorization=f"Bearer {token}")
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"sub", "email", "email_verified"}
    assert app.post("/userinfo", {"access_token": token}).json() == answer.json()


def test_userinfo_is_signed_if_the_client_registered_so(app: Any) -> None:
    """OIDC Core section 5.3.2."""
    app.provider.add_client(
        "signed", redirect_uris=["com.example.devkit:/callback"], userinfo_signed_response_alg="PS256"
    )
    token = app.redeem(app.sign_in(client_id="signed")["code"], client_id="signed").json()["access_token"]
    answer = app.get("/userinfo", authorization=f"Bearer {token}")
    assert answer.headers["content-type"] == "application/jwt"
    keys = KeySet.import_key_set(app.provider.keys.jwks())
    claims = jwt.decode(answer.text, keys, algorithms=["PS256"]).claims
    assert claims["iss"] == app.provider.issuer
    assert claims["aud"] == "signed"


def test_userinfo_wants_the_openid_scope(app: Any) -> None:
    """RFC 6750 section 3.1."""
    token = app.tokens(scope="profile")["access_token"]
    answer = app.get("/userinfo", authorization=f"Bearer {token}")
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="openid"' in answer.headers["www-authenticate"]


def test_the_api_serves_whoever_has_a_token(app: Any) -> None:
    token = app.tokens()["access_token"]
    assert app.api("/hello", token).json() == {"hello": "world"}
    assert app.api("/me", token).json()["name"] == "Ann Example"
    headers = {"Authorization": f"bearer {token}"}
    answer = app.http.post(f"{app.provider.api}/echo", content=b"some words", headers=headers)
    assert answer.json()["body"] == "some words"


def test_a_request_without_a_token_gets_no_error_code(app: Any) -> None:
    """RFC 6750 section 3.1."""
    for headers in ({}, {"Authorization": "Basic eDp5"}, DIGEST, {"Authorization": "Bearer"}):
        answer = app.http.get(f"{app.provider.api}/hello", headers=headers)
        assert answer.status_code == 401
        assert "error" not in answer.headers["www-authenticate"]
        assert "resource_metadata=" in answer.headers["www-authenticate"]


def test_the_api_describes_itself(app: Any) -> None:
    """RFC 9728 section 2."""
    document = app.api("/.well-known/oauth-protected-resource").json()
    assert document["resource"] == app.provider.api
    assert document["authorization_servers"] == [app.provider.issuer]


def test_a_token_is_sent_in_one_way(app: Any) -> None:
    """RFC 6750 section 2."""
    token = app.tokens()["access_token"]
    answer = app.post("/userinfo", {"access_token": token}, authorization=f"Bearer {token}")
    assert answer.status_code == 400
    assert app.get(f"/userinfo?access_token={token}").json()["error"] == "invalid_request"


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "e30.e30.x"])
def test_a_token_that_is_none_is_invalid(app: Any, token: str) -> None:
    answer = app.api("/hello", token)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_an_id_token_is_no_access_token(app: Any) -> None:
    """RFC 9068 section 4, RFC 8725 section 3.11."""
    assert app.api("/hello", app.tokens()["id_token"]).status_code == 401


def test_an_unsigned_token_is_refused(app: Any) -> None:
    _, claims, _ = app.tokens()["access_token"].split(".")
    assert app.api("/hello", f"eyJhbGciOiJub25lIn0.{claims}.").status_code == 401
    assert app.api("/hello", f"eyJhbGciOiJSUzI1NiJ9.{claims}.AAAA").status_code == 401


def test_a_changed_token_is_refused(app: Any) -> None:
    head, claims, signature = app.tokens()["access_token"].split(".")
    other = "B" if signature[0] == "A" else "A"
    for bad in (f"{other}{signature[1:]}", "", "A"):
        assert app.api("/hello", f"{head}.{claims}.{bad}").status_code == 401


def test_a_token_for_another_resource_is_refused(app: Any) -> None:
    """RFC 9068 section 4."""
    app.provider.resources.append("https://other.example")
    token = app.tokens(resource="https://other.example")["access_token"]
    answer = app.api("/hello", token)
    assert answer.status_code == 401
    assert "somebody else" in answer.json()["error_description"]


def test_a_token_for_a_part_of_the_api_opens_that_part(app: Any) -> None:
    token = app.tokens(resource=f"{app.provider.api}/hello")["access_token"]
    assert app.api("/hello", token).status_code == 200
    assert app.api("/me", token).status_code == 401


def test_a_token_without_the_scope_is_insufficient(app: Any) -> None:
    answer = app.api("/me", app.tokens(scope="openid")["access_token"])
    assert answer.status_code == 403
    assert answer.json()["error"] == "insufficient_scope"


def test_an_expired_token_is_refused(app: Any) -> None:
    token = app.tokens()["access_token"]
    app.provider.move_clock(299)
    assert app.api("/hello", token).status_code == 200
    app.provider.move_clock(1)
    assert app.api("/hello", token).status_code == 401


def test_there_is_nothing_elsewhere(app: Any) -> None:
    assert app.get("/nowhere").status_code == 404
    assert "no page at /nowhere" in app.get("/nowhere").text
    assert app.get("/token").status_code == 405
    assert app.api("/nowhere").status_code == 404
    assert app.http.post(f"{app.provider.api}/me").status_code == 405
    assert app.provider.count("unknown") == 5


def test_a_huge_request_is_refused(app: Any) -> None:
    assert app.http.post(f"{app.provider.issuer}/token", content=b"x" * 2_000_000).status_code == 413


def test_the_first_page_says_what_this_is(app: Any) -> None:
    text = app.get("/").text
    assert app.provider.issuer in text
    assert app.provider.api in text
    assert "devkit-desktop" in text
    assert "prefers-color-scheme: dark" in app.get("/style.css").text


# Sign-out (OpenID Connect RP-Initiated Logout)


@pytest.fixture
def signed_in(app: Any) -> tuple[Any, str]:
    browser = app.provider.browser()
    id_token = app.redeem(app.sign_in(browser)["code"]).json()["id_token"]
    return browser, id_token


def test_an_id_token_ends_the_session_and_leads_back(app: Any, signed_in: tuple[Any, str]) -> None:
    app.provider.add_client("logout", post_logout_redirect_uris=["com.example.devkit:/bye"])
    browser, id_token = signed_in
    browser.visit(f"{app.provider.issuer}/end-session?id_token_hint={id_token}")
    assert "You are signed out" in browser.page.text
    assert app.sign_in(browser, prompt="none")["error"] == "login_required"


def test_without_an_id_token_the_person_is_asked(app: Any, signed_in: tuple[Any, str]) -> None:
    browser, _ = signed_in
    browser.visit(f"{app.provider.issuer}/end-session?client_id=devkit-desktop")
    assert "Devkit desktop app" in browser.pages[-2].text
    assert "You are signed out" in browser.page.text


def test_an_id_token_of_somebody_else_does_not_end_this_session(app: Any, signed_in: tuple[Any, str]) -> None:
    browser, _ = signed_in
    other = app.redeem(app.sign_in(app.provider.browser("bob"))["code"]).json()["id_token"]
    browser.visit(f"{app.provider.issuer}/end-session?id_token_hint={other}")
    assert "Sign out?" in browser.pages[-2].text


def test_whoever_did_not_sign_in_is_signed_out_without_a_question(app: Any) -> None:
    cookie = app.post("/authorize", dict(app.request())).headers["set-cookie"].partition(";")[0]
    app.http.cookies.clear()
    assert "You are signed out" in app.get("/end-session", cookie=f"other=1; {cookie}").text


@pytest.mark.parametrize("state", ["", "a-state"])
def test_sign_out_leads_to_a_registered_address(app: Any, state: str) -> None:
    target = "http://127.0.0.1:1/signed-out"
    query = f"client_id=devkit-desktop&post_logout_redirect_uri={target}" + (f"&state={state}" if state else "")
    location = app.get(f"/end-session?{query}").headers["location"]
    assert location == target + (f"?state={state}" if state else "")


@pytest.mark.parametrize(
    "query",
    [
        "id_token_hint=nonsense",
        "client_id=devkit-desktop&post_logout_redirect_uri=https://attacker.example",
        "post_logout_redirect_uri=https://attacker.example",
    ],
)
def test_sign_out_leads_nowhere_else(app: Any, query: str) -> None:
    answer = app.get(f"/end-session?{query}")
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_the_hint_and_the_client_belong_together(app: Any, signed_in: tuple[Any, str]) -> None:
    answer = app.get(f"/end-session?client_id=another&id_token_hint={signed_in[1]}")
    assert answer.status_code == 400


def test_an_access_token_is_no_hint(app: Any) -> None:
    token = app.tokens()["access_token"]
    assert app.get(f"/end-session?id_token_hint={token}").status_code == 400
