"""Pushed authorization requests (RFC 9126)."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from oidcclient import OAuthError, ResponseRefused, TransportError, UsageError
from oidcclient.protocol import (
    ClientSecretPost,
    PublicClient,
    PushedRequest,
    authorization_parameters,
    build_par_request,
    parse_par_response,
    pushed_address,
)
from tests.protocol.examples import (
    CLIENT_ID,
    CLIENT_SECRET,
    ISSUER,
    MARK,
    NOW,
    POLICY,
    REQUEST_URI,
    WITH_PAR,
    answer,
    form,
    metadata,
    raw,
    refused,
    transaction,
)

PARAMETERS = authorization_parameters(transaction(), client_id=CLIENT_ID, form_post=False, added={})
GOOD = {"request_uri": REQUEST_URI, "expires_in": 60}


def test_every_parameter_is_pushed_client_id_too_in_a_form() -> None:
    """RFC 9126 section 2.1; section 7.5: PKCE, state and nonce are in the push."""
    request = build_par_request(metadata(**WITH_PAR), PARAMETERS, POLICY)
    assert (request.method, request.url) == ("POST", f"{ISSUER}/par")
    assert request.header("content-type") == "application/x-www-form-urlencoded"
    assert form(request) == PARAMETERS
    assert {"client_id", "state", "nonce", "code_challenge"} <= dict(PARAMETERS).keys()
    assert MARK not in repr(request)


def test_a_push_never_holds_a_request_uri() -> None:
    """RFC 9126 section 2.1."""
    assert "request_uri" not in dict(form(build_par_request(metadata(**WITH_PAR), PARAMETERS, POLICY)))


@pytest.mark.parametrize("auth", [PublicClient(), ClientSecretPost(CLIENT_SECRET)])
def test_a_push_is_authenticated_as_the_token_request_is(auth: PublicClient | ClientSecretPost) -> None:
    """RFC 9126 section 2: and client_id is there once."""
    request = build_par_request(metadata(**WITH_PAR), PARAMETERS, POLICY)
    ready = auth.authenticate(request, client_id=CLIENT_ID, issuer=ISSUER, token_endpoint=f"{ISSUER}/token", now=NOW)
    names = [name for name, _ in form(ready)]
    assert names.count("client_id") == 1
    assert ("client_secret" in names) is isinstance(auth, ClientSecretPost)


def test_without_an_endpoint_nothing_can_be_pushed() -> None:
    """RFC 9126 section 5."""
    with refused(UsageError, "par", "RFC 9126 section 5"):
        build_par_request(metadata(), PARAMETERS, POLICY)


def test_a_good_answer_is_read_and_hides_its_request_uri() -> None:
    """RFC 9126 section 2.2."""
    pushed = parse_par_response(answer(GOOD, 201))
    assert pushed == PushedRequest(REQUEST_URI, 60.0)
    assert MARK not in repr(pushed)


def test_a_push_answered_with_200_is_refused() -> None:
    """RFC 9126 section 2.2."""
    with refused(ResponseRefused, "status", "RFC 9126 section 2.2"):
        parse_par_response(answer(GOOD, 200))


@pytest.mark.parametrize("request_uri", [None, "", 5, [REQUEST_URI], {}, True])
def test_an_answer_without_request_uri_is_refused(request_uri: object) -> None:
    """RFC 9126 section 2.2."""
    with refused(ResponseRefused, "request_uri"):
        parse_par_response(answer({**GOOD, "request_uri": request_uri}, 201))


@pytest.mark.parametrize("expires_in", [None, 0, -1, "60", True, [], 1e15])
def test_an_answer_without_a_lifetime_is_refused(expires_in: object) -> None:
    """RFC 9126 section 2.2."""
    with refused(ResponseRefused, "request_uri", "RFC 9126 section 2.2"):
        parse_par_response(answer({**GOOD, "expires_in": expires_in}, 201))


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"request_uri": 1, "request_uri": 2}'])
def test_an_answer_that_is_no_json_object_is_refused(body: bytes) -> None:
    with refused(ResponseRefused):
        parse_par_response(raw(body, 201))


@pytest.mark.parametrize("status", [400, 401, 403, 405, 413])
def test_an_error_of_the_push_is_the_providers(status: int) -> None:
    """RFC 9126 section 2.3: as at the token endpoint."""
    with refused(OAuthError, "error") as caught:
        parse_par_response(answer({"error": "invalid_request"}, status))
    assert isinstance(caught[0], OAuthError)
    assert (caught[0].error, caught[0].status) == ("invalid_request", status)


@pytest.mark.parametrize("status", [405, 413, 302])
def test_a_refusal_of_the_push_without_an_error_is_refused(status: int) -> None:
    """RFC 9126 section 2.3."""
    with refused(ResponseRefused, "status"):
        parse_par_response(raw(b"", status))


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_server_means_try_again_and_never_an_unpushed_request(status: int) -> None:
    """RFC 9126 section 2.3."""
    with refused(TransportError):
        parse_par_response(raw(b"", status))


def test_the_browser_gets_client_id_and_request_uri_alone() -> None:
    """RFC 9126 section 4, RFC 9101 section 5, FAPI 2.0 section 5.3.3.2."""
    address = pushed_address(metadata(**WITH_PAR), client_id=CLIENT_ID, pushed=PushedRequest(REQUEST_URI, 60))
    assert parse_qsl(urlsplit(address).query) == [("client_id", CLIENT_ID), ("request_uri", REQUEST_URI)]
