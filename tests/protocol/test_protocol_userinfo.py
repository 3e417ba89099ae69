"""The UserInfo endpoint."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from oidcclient import OAuthError, ResponseRefused, TransportError, UsageError
from oidcclient._words.values import AccessToken
from oidcclient.protocol import (
    HttpResponse,
    SignedJwt,
    build_userinfo_request,
    check_userinfo_sub,
    parse_userinfo_response,
    verify_userinfo,
)
from tests.protocol.examples import (
    ACCESS_TOKEN,
    CLIENT_ID,
    ISSUER,
    MARK,
    POLICY,
    answer,
    changed,
    keys,
    metadata,
    raw,
    refused,
)
from tests.protocol.signing import signer, unsigned

SIGNED = {"iss": ISSUER, "aud": CLIENT_ID, "sub": "ann", "email": "ann@example.com"}


def token(kind: str = "Bearer") -> AccessToken:
    return AccessToken(ACCESS_TOKEN, kind, None, ())


def jwt_answer(text: str) -> HttpResponse:
    return raw(text.encode(), 200, "application/jwt")


def signed(text: str) -> SignedJwt:
    found = parse_userinfo_response(jwt_answer(text))
    assert isinstance(found, SignedJwt)
    return found


def verify(text: str, allowed: tuple[str, ...] = ("ES256",)) -> Any:
    return verify_userinfo(signed(text), keys(), issuer=ISSUER, client_id=CLIENT_ID, allowed=allowed)


@pytest.mark.parametrize(("kind", "scheme"), [("bearer", "Bearer"), ("BEARER", "Bearer"), ("DPoP", "DPoP")])
def test_the_token_goes_into_the_header_and_nowhere_else(kind: str, scheme: str) -> None:
    """RFC 6750 section 2, RFC 9700 section 4.3.2, OIDC Core section 5.3.1."""
    request = build_userinfo_request(metadata(), token(kind), POLICY)
    assert (request.method, request.body) == ("GET", b"")
    assert request.header("authorization") == f"{scheme} {ACCESS_TOKEN}"
    assert not urlsplit(request.url).query
    assert MARK not in repr(request)
    assert request.max_bytes == POLICY.max_response_bytes


def test_without_an_endpoint_there_is_no_userinfo() -> None:
    with refused(UsageError, "userinfo_endpoint"):
        build_userinfo_request(metadata(userinfo_endpoint=...), token(), POLICY)


def test_claims_in_json_are_read() -> None:
    """OIDC Core section 5.3.2."""
    assert parse_userinfo_response(answer({"sub": "ann", "name": "Ann"})) == {"sub": "ann", "name": "Ann"}


@pytest.mark.parametrize("content_type", ["text/html", "", "text/plain", "application/jose"])
def test_an_answer_that_is_neither_json_nor_a_jwt_is_refused(content_type: str) -> None:
    """OIDC Core section 5.3.2."""
    with refused(ResponseRefused, "content-type", "OIDC Core 5.3.2"):
        parse_userinfo_response(raw(b'{"sub": "ann"}', 200, content_type))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"sub": "a", "sub": "b"}', b"\xff"])
def test_an_answer_that_is_no_strict_json_object_is_refused(body: bytes) -> None:
    with refused(ResponseRefused):
        parse_userinfo_response(raw(body))


@pytest.mark.parametrize("body", [b"", b"a.b", b"\xff.\xff.\xff", b"a.b.c.d.e"])
def test_a_jwt_answer_that_is_none_is_refused(body: bytes) -> None:
    """OIDC Core section 5.3.2."""
    with refused(ResponseRefused, "format"):
        parse_userinfo_response(raw(body, 200, "application/jwt"))


@pytest.mark.parametrize(
    ("status", "header", "error"),
    [
        (401, 'Bearer realm="x", error="invalid_token", error_description="expired"', "invalid_token"),
        (403, 'Bearer error="insufficient_scope", scope="profile"', "insufficient_scope"),
        (400, "bearer error=invalid_request", "invalid_request"),
        (401, 'Bearer, DPoP error="invalid_dpop_proof"', "invalid_dpop_proof"),
    ],
)
def test_an_error_in_the_challenge_is_the_providers(status: int, header: str, error: str) -> None:
    """RFC 6750 sections 3 and 3.1, OIDC Core section 5.3.3."""
    with refused(OAuthError, "error") as caught:
        parse_userinfo_response(HttpResponse(status, (("WWW-Authenticate", header),), b""))
    refusal = caught[0]
    assert isinstance(refusal, OAuthError)
    assert (refusal.error, refusal.status) == (error, status)
    assert refusal.hint


def test_the_description_in_a_challenge_is_kept() -> None:
    """RFC 6750 section 3."""
    header = 'Bearer error="invalid_token", error_description="ex\x1bpired", error_uri="https://a.example"'
    with refused(OAuthError) as caught:
        parse_userinfo_response(HttpResponse(401, (("WWW-Authenticate", header),), b"<html>"))
    refusal = caught[0]
    assert isinstance(refusal, OAuthError)
    assert (refusal.error_description, refusal.error_uri) == ("ex\\x1bpired", "https://a.example")


def test_an_error_in_the_body_is_the_providers() -> None:
    with refused(OAuthError, "error"):
        parse_userinfo_response(answer({"error": "invalid_token"}, 401))


@pytest.mark.parametrize("header", ["Bearer", 'Bearer error=""', 'Bearer realm="x"', "\N{SNOWMAN}", 'Basic error="x'])
def test_a_refusal_that_says_no_error_is_refused(header: str) -> None:
    with refused(ResponseRefused, "status"):
        parse_userinfo_response(HttpResponse(401, (("WWW-Authenticate", header),), MARK.encode()))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_userinfo_endpoint_is_the_wires_fault(status: int) -> None:
    with refused(TransportError):
        parse_userinfo_response(HttpResponse(status, (("WWW-Authenticate", 'Bearer error="invalid_token"'),), b""))


# -- signed


def test_signed_userinfo_is_verified() -> None:
    """OIDC Core sections 5.3.2 and 5.3.4."""
    assert verify(signer().sign(SIGNED))["email"] == "ann@example.com"
    assert verify(signer().sign({**SIGNED, "aud": ["other", CLIENT_ID]}))["sub"] == "ann"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("signature", signer(which=1).sign(SIGNED, kid=signer().kid)),
        ("kid", signer(which=1).sign(SIGNED)),
        ("alg", unsigned(SIGNED)),
        ("alg", signer("RS256").sign(SIGNED)),
        ("typ", signer().sign(SIGNED, typ="at+jwt")),
    ],
    ids=["another key", "unknown kid", "none", "another algorithm", "another typ"],
)
def test_userinfo_with_a_wrong_signature_is_refused(rule: str, text: str) -> None:
    """OIDC Core section 5.3.4."""
    with refused(ResponseRefused, rule):
        verify(text)


@pytest.mark.parametrize("iss", [..., None, "https://evil.example", f"{ISSUER}/", [ISSUER]])
def test_signed_userinfo_of_another_issuer_is_refused(iss: object) -> None:
    """OIDC Core section 5.3.2."""
    with refused(ResponseRefused, "iss", "OIDC Core 5.3.2"):
        verify(signer().sign(changed(SIGNED, {"iss": iss})))


@pytest.mark.parametrize("aud", [..., None, "other", [], ["other"], {CLIENT_ID: 1}, 5])
def test_signed_userinfo_for_another_client_is_refused(aud: object) -> None:
    """OIDC Core section 5.3.2."""
    with refused(ResponseRefused, "aud", "OIDC Core 5.3.2"):
        verify(signer().sign(changed(SIGNED, {"aud": aud})))


# -- sub


@pytest.mark.parametrize("sub", [..., None, "", "bob", "Ann", "ann ", 5, ["ann"], True])
def test_claims_about_somebody_else_are_refused(sub: object) -> None:
    """OIDC Core section 5.3.2: present, and the ID Token's, compared with case."""
    with refused(ResponseRefused, "sub", "OIDC Core 5.3.2"):
        check_userinfo_sub(changed({"sub": ..., "name": "Ann"}, {"sub": sub}), "ann")


def test_claims_about_this_user_are_accepted() -> None:
    check_userinfo_sub({"sub": "ann"}, "ann")
