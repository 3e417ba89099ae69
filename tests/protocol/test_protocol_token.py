"""The token endpoint."""

from typing import Any

import pytest

from oidcclient import OAuthError, ResponseRefused, TransportError
from oidcclient.protocol import (
    PublicClient,
    TokenResponse,
    build_code_request,
    check_token_type,
    granted_scope,
    missing_scopes,
    parse_token_response,
)
from tests.protocol.examples import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CODE,
    ISSUER,
    MARK,
    NOW,
    POLICY,
    REDIRECT_URI,
    REFRESH_TOKEN,
    TOKENS,
    VERIFIER,
    answer,
    changed,
    form,
    metadata,
    raw,
    refused,
    transaction,
)


def tokens(**changes: Any) -> TokenResponse:
    return parse_token_response(answer(changed(TOKENS, changes)))


def test_the_code_is_exchanged_with_the_same_redirect_uri_and_the_verifier() -> None:
    """RFC 6749 section 4.1.3, RFC 7636 section 4.5."""
    request = build_code_request(metadata(), transaction(), CODE, POLICY)
    assert (request.method, request.url) == ("POST", f"{ISSUER}/token")
    assert request.header("content-type") == "application/x-www-form-urlencoded"
    assert form(request) == [
        ("grant_type", "authorization_code"),
        ("code", CODE),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ]
    assert MARK not in repr(request)
    assert request.max_bytes == POLICY.max_response_bytes


def test_a_public_client_sends_its_client_id() -> None:
    """RFC 6749 section 4.1.3."""
    request = build_code_request(metadata(), transaction(), CODE, POLICY)
    ready = PublicClient().authenticate(
        request, client_id=CLIENT_ID, issuer=ISSUER, token_endpoint=f"{ISSUER}/token", now=NOW
    )
    assert form(ready) == [*form(request), ("client_id", CLIENT_ID)]
    assert ready.header("authorization") is None


def test_a_code_goes_into_the_form_as_it_came() -> None:
    """RFC 6749 appendix B."""
    odd = "a+b/c=d&e f%20\N{SNOWMAN}"
    assert dict(form(build_code_request(metadata(), transaction(), odd, POLICY)))["code"] == odd


def test_a_good_answer_is_read_and_hides_its_tokens() -> None:
    """RFC 6749 section 5.1."""
    found = tokens(id_token="eyJ", scope="openid email")
    assert found.access_token == ACCESS_TOKEN
    assert found.token_type == "Bearer"
    assert found.expires_in == 3600.0
    assert found.refresh_token == REFRESH_TOKEN
    assert found.scope == "openid email"
    assert found.id_token == "eyJ"
    assert MARK not in repr(found)
    assert "eyJ" not in repr(found)


def test_unknown_members_are_ignored_and_kept_for_hooks() -> None:
    """RFC 6749 section 5.1."""
    assert tokens(x_colour="blue").raw["x_colour"] == "blue"


@pytest.mark.parametrize("name", ["access_token", "token_type"])
@pytest.mark.parametrize("value", [..., None, "", 5, ["x"], {"x": 1}, True])
def test_an_answer_without_a_token_or_its_type_is_refused(name: str, value: object) -> None:
    """RFC 6749 section 5.1."""
    with refused(ResponseRefused, name):
        tokens(**{name: value})


@pytest.mark.parametrize("name", ["refresh_token", "id_token"])
@pytest.mark.parametrize("value", ["", 5, ["x"], {"x": 1}, True])
def test_an_optional_token_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    """RFC 6749 section 5.1, OIDC Core section 3.1.3.3."""
    with refused(ResponseRefused, name):
        tokens(**{name: value})
    assert getattr(tokens(**{name: None}), name) is None


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
@pytest.mark.parametrize("odd", ["\r\nX: y", "\x00", "\x7f", "\N{SNOWMAN}", "\t"])
def test_a_token_with_characters_that_no_token_has_is_refused(name: str, odd: str) -> None:
    """RFC 6749 appendices A.12 and A.17: it goes into a header."""
    with refused(ResponseRefused, name, "RFC 6749 appendix A"):
        tokens(**{name: f"{MARK}{odd}"})


@pytest.mark.parametrize("odd", ["Bearer\r\nX: y", "DPoP ", " Bearer", "\N{SNOWMAN}", "Be\x00arer"])
def test_a_token_type_with_characters_that_no_type_has_is_refused(odd: str) -> None:
    """RFC 6749 appendix A.13: it goes into a header."""
    with refused(ResponseRefused, "token_type", "RFC 6749 appendix A.13"):
        tokens(token_type=odd)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(..., None), (None, None), (0, 0.0), (1.5, 1.5), ("3600", 3600.0), (10**12, 1e12)],
)
def test_a_lifetime_is_read(value: object, seconds: float | None) -> None:
    """RFC 6749 section 5.1."""
    assert tokens(expires_in=value).expires_in == seconds


@pytest.mark.parametrize(
    "value", [-1, True, "", "soon", "-5", "1e3", "9" * 12, "\N{SUPERSCRIPT TWO}", [], {}, 1e15, 10**30]
)
def test_a_lifetime_that_is_no_number_of_seconds_is_refused(value: object) -> None:
    """RFC 6749 section 5.1."""
    with refused(ResponseRefused, "expires_in", "RFC 6749 section 5.1"):
        tokens(expires_in=value)


@pytest.mark.parametrize("value", [5, ["openid"], {}, True])
def test_a_scope_that_is_no_text_is_refused(value: object) -> None:
    """RFC 6749 section 5.1."""
    with refused(ResponseRefused, "scope", "RFC 6749 section 5.1"):
        tokens(scope=value)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"access_token":"a","access_token":"b","token_type":"Bearer"}', b"access_token=a"]
)
def test_an_answer_that_is_no_strict_json_object_is_refused(body: bytes) -> None:
    """RFC 6749 sections 3.2 and 5.1: no parameter twice."""
    with refused(ResponseRefused):
        parse_token_response(raw(body))


def test_an_error_of_the_token_endpoint_is_the_providers() -> None:
    """RFC 6749 section 5.2."""
    with refused(OAuthError, "error", "RFC 6749 section 5.2") as caught:
        parse_token_response(answer({"error": "invalid_grant", "error_description": "code used"}, 400))
    assert isinstance(caught[0], OAuthError)
    assert (caught[0].error, caught[0].status) == ("invalid_grant", 400)


@pytest.mark.parametrize("status", [201, 204, 302, 307])
def test_an_answer_with_another_status_is_refused(status: int) -> None:
    """RFC 6749 section 5.1: 200; a redirect would send the code elsewhere."""
    with refused(ResponseRefused, "status"):
        parse_token_response(answer(TOKENS, status))


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_token_endpoint_is_the_wires_fault(status: int) -> None:
    with refused(TransportError):
        parse_token_response(raw(b"", status))


# -- token_type


@pytest.mark.parametrize("name", ["Bearer", "bearer", "BEARER"])
def test_bearer_is_understood_in_any_case(name: str) -> None:
    """RFC 6749 sections 5.1 and 7.1."""
    check_token_type(tokens(token_type=name), known=False)


@pytest.mark.parametrize("name", ["DPoP", "mac", "N_A", "Bearers"])
def test_a_token_of_a_type_that_nobody_knows_is_refused(name: str) -> None:
    """RFC 6749 section 7.1."""
    with refused(ResponseRefused, "token_type", "RFC 6749 section 7.1"):
        check_token_type(tokens(token_type=name), known=False)
    check_token_type(tokens(token_type=name), known=True)


# -- scope


def test_an_omitted_scope_means_as_asked() -> None:
    """RFC 6749 sections 3.3 and 5.1."""
    assert granted_scope(tokens(), ("openid", "email")) == ("openid", "email")
    assert missing_scopes(tokens(), ("openid", "email")) == ()


def test_what_was_not_granted_is_found() -> None:
    """RFC 6749 section 3.3."""
    found = tokens(scope="openid  extra")
    assert granted_scope(found, ("openid", "email")) == ("openid", "extra")
    assert missing_scopes(found, ("openid", "email", "profile")) == ("email", "profile")
    assert granted_scope(tokens(scope=""), ("openid",)) == ()


def test_offline_access_is_granted_where_a_refresh_token_came() -> None:
    """OIDC Core section 11: the scope is not the only sign."""
    assert missing_scopes(tokens(scope="openid"), ("openid", "offline_access")) == ()
    found = tokens(scope="openid", refresh_token=...)
    assert missing_scopes(found, ("openid", "offline_access")) == ("offline_access",)
