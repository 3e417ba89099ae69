"""Signing in on another device: requests and answers (RFC 8628)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient import (
    IDTokenRefused,
    LoginDenied,
    LoginTimedOut,
    OAuthError,
    OidcError,
    Policy,
    ResponseRefused,
    TransportError,
    UsageError,
)
from oidcclient.protocol import (
    DEVICE_GRANT,
    AuthorizationRequest,
    DeviceAuthorization,
    DevicePoll,
    HttpResponse,
    IDToken,
    TokenResponse,
    build_device_authorization_request,
    build_device_token_request,
    check_no_nonce,
    device_endpoint,
    parse_device_authorization_response,
    parse_device_token_response,
)
from tests.protocol.examples import (
    DEVICE,
    DEVICE_CODE,
    ISSUER,
    MARK,
    POLICY,
    TOKENS,
    USER_CODE,
    WITH_DEVICE,
    answer,
    assert_no_secret,
    changed,
    form,
    metadata,
    raw,
    refused,
)

LOOPBACK = "http://127.0.0.1:8000"
API = "https://api.example.com"


def parsed(**changes: Any) -> DeviceAuthorization:
    return parse_device_authorization_response(answer(changed(DEVICE, changes)), issuer=ISSUER, policy=POLICY)


# -- the request


def test_the_request_for_codes_asks_for_scopes() -> None:
    """Section 3.1. The client's identity is added by its authentication."""
    request = build_device_authorization_request(
        metadata(**WITH_DEVICE), AuthorizationRequest(scopes=("openid", "email")), POLICY
    )
    assert (request.method, request.url) == ("POST", f"{ISSUER}/device")
    assert form(request) == [("scope", "openid email")]


def test_what_a_caller_wishes_goes_along() -> None:
    """Section 3.1: a server must ignore what it does not know; what was demanded is checked later."""
    asked = AuthorizationRequest(login_hint="ann", max_age=60, resources=(API, f"{API}/b"), extra={"tenant": "t"})
    sent = form(build_device_authorization_request(metadata(**WITH_DEVICE), asked, POLICY))
    assert sent == [
        ("scope", "openid"),
        ("login_hint", "ann"),
        ("max_age", "60"),
        ("tenant", "t"),
        ("resource", API),
        ("resource", f"{API}/b"),
    ]


def test_no_codes_are_asked_of_a_provider_without_the_endpoint() -> None:
    """Section 4."""
    assert device_endpoint(metadata()) is None
    with refused(UsageError, "device", "RFC 8628 section 4") as caught:
        build_device_authorization_request(metadata(), AuthorizationRequest(), POLICY)
    assert "Paste" in caught[0].hint


def test_a_person_has_something_to_do_on_the_other_device() -> None:
    with refused(UsageError, "prompt"):
        build_device_authorization_request(metadata(**WITH_DEVICE), AuthorizationRequest(prompt="none"), POLICY)


# -- the codes


def test_the_codes_are_read_and_the_secret_ones_hidden() -> None:
    """Sections 3.2 and 3.3: the device_code is for the device alone."""
    found = parsed()
    assert found == DeviceAuthorization(
        device_code=DEVICE_CODE,
        user_code=USER_CODE,
        verification_uri="https://example.com/device",
        verification_uri_complete=f"https://example.com/device?user_code={USER_CODE}",
        expires_in=1800.0,
        interval=5.0,
    )
    assert MARK not in repr(found)
    assert USER_CODE not in repr(found)


def test_without_an_interval_five_seconds_are_waited() -> None:
    """Section 3.2: a client MUST use 5 as the default."""
    assert parsed(interval=...).interval == 5.0


@pytest.mark.parametrize("complete", [..., None])
def test_the_address_with_the_code_in_it_may_be_absent(complete: Any) -> None:
    """Section 3.2: OPTIONAL; Entra never sends it."""
    assert parsed(verification_uri_complete=complete).verification_uri_complete is None


def test_the_drafts_name_of_the_address_is_understood() -> None:
    """Google sends `verification_url`."""
    found = parsed(verification_uri=..., verification_url="https://www.google.com/device")
    assert found.verification_uri == "https://www.google.com/device"


def test_numbers_in_strings_are_understood() -> None:
    found = parsed(expires_in="900", interval="7")
    assert (found.expires_in, found.interval) == (900.0, 7.0)


def test_an_address_may_lead_into_a_page() -> None:
    """The access portal of AWS does so."""
    address = "https://d-1.example.com/start/#/device?user_code=X"
    assert parsed(verification_uri_complete=address).verification_uri_complete == address


BAD_ANSWERS: list[tuple[str, dict[str, Any]]] = [
    ("device_code", {"device_code": ...}),
    ("device_code", {"device_code": ""}),
    ("device_code", {"device_code": 7}),
    ("user_code", {"user_code": ...}),
    ("user_code", {"user_code": "\x1b[2JWDJB"}),
    ("user_code", {"user_code": "WDJB\u202eMJHT"}),
    ("user_code", {"user_code": "   "}),
    ("user_code", {"user_code": "A" * 65}),
    ("verification_uri", {"verification_uri": ...}),
    ("verification_uri", {"verification_uri": "http://example.com/device"}),
    ("verification_uri", {"verification_uri": "http://127.0.0.1:8000/device"}),
    ("verification_uri", {"verification_uri": "javascript:alert(1)"}),
    ("verification_uri", {"verification_uri": "https://example.com/\x1b[2J"}),
    ("verification_uri", {"verification_uri": "https://exämple.com/"}),
    ("verification_uri", {"verification_uri": "https://ann@example.com/"}),
    ("verification_uri", {"verification_uri": "https://example.com/#\x1b"}),
    ("verification_uri", {"verification_uri": "https://example.com/" + "a" * 9000}),
    ("verification_uri", {"verification_uri_complete": "http://example.com/?user_code=X"}),
    ("verification_uri_complete", {"verification_uri_complete": 7}),
    ("expires_in", {"expires_in": ...}),
    ("expires_in", {"expires_in": "soon"}),
    ("expires_in", {"expires_in": True}),
    ("expires_in", {"expires_in": -1}),
    ("interval", {"interval": -5}),
    ("interval", {"interval": [5]}),
]


@pytest.mark.parametrize(("rule", "changes"), BAD_ANSWERS)
def test_codes_that_nobody_could_use_are_refused(rule: str, changes: dict[str, Any]) -> None:
    """Section 3.2; addresses are https, and nothing in them can command a terminal."""
    with refused(ResponseRefused, rule):
        parsed(**changes)


def test_an_address_on_loopback_needs_the_named_exception() -> None:
    policy = Policy(allow_http_loopback=True)
    members = changed(DEVICE, {"verification_uri": f"{LOOPBACK}/device", "verification_uri_complete": ...})
    found = parse_device_authorization_response(answer(members), issuer=LOOPBACK, policy=policy)
    assert found.verification_uri == f"{LOOPBACK}/device"
    with refused(ResponseRefused, "verification_uri"):
        parse_device_authorization_response(answer(members), issuer=ISSUER, policy=policy)


def test_a_refused_address_shows_no_code() -> None:
    with refused(ResponseRefused, "verification_uri") as caught:
        parsed(verification_uri_complete=f"http://example.com/?user_code={MARK}")
    assert caught[0].received == "http://example.com/"


@pytest.mark.parametrize("error", ["unauthorized_client", "unsupported_grant_type"])
def test_a_client_that_may_not_is_told_what_to_do(error: str) -> None:
    with refused(OAuthError) as caught:
        parse_device_authorization_response(answer({"error": error}, 400), issuer=ISSUER, policy=POLICY)
    assert "device authorization grant" in caught[0].hint


def test_a_busy_provider_gives_no_codes() -> None:
    with refused(TransportError):
        parse_device_authorization_response(HttpResponse(503), issuer=ISSUER, policy=POLICY)


# -- the poll


def test_a_poll_names_the_grant_and_the_code() -> None:
    """Section 3.4."""
    request = build_device_token_request(metadata(), parsed(), AuthorizationRequest(), POLICY)
    assert (request.method, request.url) == ("POST", f"{ISSUER}/token")
    assert form(request) == [("grant_type", DEVICE_GRANT), ("device_code", DEVICE_CODE)]


def test_a_poll_names_the_resource_again() -> None:
    """RFC 8707 section 2.2."""
    asked = AuthorizationRequest(resources=(API,))
    assert ("resource", API) in form(build_device_token_request(metadata(), parsed(), asked, POLICY))


@pytest.mark.parametrize("poll", DevicePoll)
@pytest.mark.parametrize("status", [400, 403, 428])
def test_nobody_has_decided_yet(poll: DevicePoll, status: int) -> None:
    """Section 3.5. Some providers have another status for it."""
    assert parse_device_token_response(answer({"error": poll.value}, status)) is poll


def test_the_tokens_end_the_polling() -> None:
    found = parse_device_token_response(answer(TOKENS))
    assert isinstance(found, TokenResponse)
    assert found.token_type == "Bearer"


@pytest.mark.parametrize(
    ("response", "kind", "rule"),
    [
        (answer({"error": "access_denied", "error_description": "no"}, 400), LoginDenied, "error"),
        (answer({"error": "expired_token"}, 400), LoginTimedOut, "expired_token"),
        (answer({"error": "invalid_grant"}, 400), OAuthError, "error"),
        (answer({"error": "invalid_client"}, 401), OAuthError, "error"),
        (answer({"error": "unauthorized_client"}, 400), OAuthError, "error"),
        (raw(b"[]", 400), ResponseRefused, "status"),
        (answer({}), ResponseRefused, "access_token"),
        (HttpResponse(429), TransportError, None),
        (HttpResponse(502), TransportError, None),
    ],
)
def test_every_other_answer_has_an_error_of_its_own(response: HttpResponse, kind: Any, rule: str | None) -> None:
    """Section 3.5."""
    with refused(kind, rule):
        parse_device_token_response(response)


def test_an_id_token_that_answers_another_request_is_refused() -> None:
    """OIDC Core 2: a nonce that is present must be the one sent, and none was."""
    check_no_nonce(IDToken("raw", {"sub": "ann"}, "ES256"))
    with refused(IDTokenRefused, "nonce"):
        check_no_nonce(IDToken("raw", {"sub": "ann", "nonce": MARK}, "ES256"))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        name: JSON_VALUES | st.just(value)
        for name, value in {**DEVICE, **TOKENS, "error": "slow_down", "verification_url": "https://a.example"}.items()
    },
)


@given(members=MEMBERS, status=st.sampled_from([200, 400, 401, 429, 500]))
def test_whatever_the_answer_holds_it_is_codes_or_an_error(members: dict[str, Any], status: int) -> None:
    response = raw(json.dumps(members).encode(), status)
    try:
        found = parse_device_authorization_response(response, issuer=ISSUER, policy=POLICY)
    except OidcError as error:
        assert_no_secret(error)
    else:
        assert found.user_code.isprintable()
        assert found.verification_uri.startswith("https://")
        assert found.interval >= 0


@given(members=MEMBERS, status=st.sampled_from([200, 400, 401, 429, 500]))
def test_whatever_a_poll_brings_it_is_tokens_a_wait_or_an_error(members: dict[str, Any], status: int) -> None:
    response = raw(json.dumps(members).encode(), status)
    try:
        found = parse_device_token_response(response)
    except OidcError as error:
        assert_no_secret(error)
    else:
        assert isinstance(found, TokenResponse | DevicePoll)


@given(body=st.binary(max_size=200))
def test_whatever_bytes_come_there_is_no_other_error(body: bytes) -> None:
    for status in (200, 400):
        with pytest.raises(OidcError):
            parse_device_authorization_response(raw(body, status), issuer=ISSUER, policy=POLICY)
        with pytest.raises(OidcError):
            parse_device_token_response(raw(body, status))
