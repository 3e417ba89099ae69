"""Bytes from the network to values."""

import json

import pytest

from oidcclient import OAuthError, OidcError, ResponseRefused, TransportError
from oidcclient.protocol import HttpResponse, _parsing
from tests.protocol.examples import MARK, answer, raw, refused

NOT_JSON = [
    b"",
    b"{",
    b"{}x",
    b"{'a': 1}",
    b"nul",
    b"\xff\xfe{\x00}\x00",
    b'{"a": "\xff"}',
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"a": -Infinity}',
    b'{"a": 1e400}',
    b'{"a": -1e400}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": "\\ud800"}',
    b'{"\\udfff": 1}',
    b'{"a": ' * 100_000,
    b"[" * 100_000,
    b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"a": ' + b'{"a": ' * 100 + b"1" + b"}" * 101,
    f'{{"access_token": "{MARK}"'.encode(),
    f'{{"access_token": "{MARK}\\ud800"}}'.encode(),
    f'{{"access_token": "{MARK}'.encode() + b'\xff"}',
]


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_is_not_strict_json_is_refused_and_never_shown(body: bytes) -> None:
    """RFC 8259 sections 4 and 8."""
    with refused(ResponseRefused, "json", "RFC 8259"):
        _parsing.json_object(body, "the answer")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"null", b"true"])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    with refused(ResponseRefused, "json", "RFC 8259 section 4"):
        _parsing.json_object(body, "the answer")


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 1}', b'{"x": {"a": 1, "b": 2, "a": 3}}', b'{"a": 1, "\\u0061": 2}'])
def test_a_member_named_twice_is_refused_at_any_depth(body: bytes) -> None:
    """RFC 6749 section 3.2, RFC 8259 section 4."""
    with refused(ResponseRefused, "duplicate", "RFC 8259 section 4"):
        _parsing.json_object(body, "the answer")


def test_json_of_reasonable_depth_is_parsed() -> None:
    members = {"a": [[[{"b": [1.5, True, None, "\N{SNOWMAN}"]}]]], "empty": {}, "none": []}
    assert _parsing.json_object(json.dumps(members).encode(), "the answer") == members


@pytest.mark.parametrize(
    ("text", "data"), [("", b""), ("AA", b"\x00"), ("-_8", b"\xfb\xff"), ("eyJhIjoxfQ", b'{"a":1}')]
)
def test_base64url_is_decoded(text: str, data: bytes) -> None:
    """RFC 7515 section 2."""
    assert _parsing.b64url_decode(text) == data
    assert _parsing.b64url_encode(data) == text


@pytest.mark.parametrize("text", ["A", "AB", "AA=", "AA==", "+/8", "A A", "AA\n", "\N{SNOWMAN}", "AAA\ud800", "A.AA"])
def test_base64url_in_another_than_its_only_form_is_refused(text: str) -> None:
    """RFC 7515 section 2: two texts for one signature would defeat whoever remembers texts."""
    with pytest.raises(ValueError, match="base64url"):
        _parsing.b64url_decode(text)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("0", 0.0),
        ("-1", None),
        ("1.5", None),
        ("12345678", None),
        ("\N{SUPERSCRIPT TWO}", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("", None),
    ],
)
def test_retry_after_in_seconds_is_understood(value: str, seconds: float | None) -> None:
    """RFC 9110 section 10.2.3."""
    assert _parsing.retry_after(HttpResponse(503, (("Retry-After", value),))) == seconds


@pytest.mark.parametrize(
    ("value", "usable"),
    [
        (0, True),
        (-1.5, True),
        (1e14, True),
        (1e15, False),
        (10**400, False),
        (float("inf"), False),
        (float("nan"), False),
        (True, False),
        ("5", False),
        (None, False),
        ([5], False),
    ],
)
def test_only_a_number_that_a_clock_can_use_is_finite(value: object, usable: bool) -> None:
    assert _parsing.finite(value) is usable


def parsed(response: HttpResponse) -> OidcError:
    return _parsing.parse_error(response, "the answer")


def test_an_error_of_the_provider_keeps_its_fields() -> None:
    """RFC 6749 section 5.2."""
    members = {"error": "invalid_client", "error_description": "no such client", "error_uri": "https://a.example/e"}
    error = parsed(answer(members, 401))
    assert isinstance(error, OAuthError)
    assert (error.error, error.status) == ("invalid_client", 401)
    assert (error.error_description, error.error_uri) == ("no such client", "https://a.example/e")


@pytest.mark.parametrize("member", [5, None, ["a"], {"a": 1}, True])
def test_a_description_that_is_no_text_is_ignored(member: object) -> None:
    error = parsed(answer({"error": "invalid_grant", "error_description": member, "error_uri": member}, 400))
    assert isinstance(error, OAuthError)
    assert (error.error_description, error.error_uri) == (None, None)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_means_try_again_whatever_it_says(status: int) -> None:
    """RFC 9126 section 2.3, RFC 6585 section 4."""
    response = HttpResponse(status, (("Retry-After", "7"),), b'{"error": "invalid_request"}')
    error = parsed(response)
    assert isinstance(error, TransportError)
    assert (error.status, error.retry_after) == (status, 7.0)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"error": 5}', b'{"error": ""}'])
def test_a_server_that_fails_without_an_oauth_error_means_try_again(body: bytes) -> None:
    error = parsed(raw(body, 500))
    assert isinstance(error, TransportError)
    assert error.status == 500


@pytest.mark.parametrize("status", [204, 302, 307, 400, 404, 405, 413])
def test_a_refusal_without_an_oauth_error_is_itself_refused_and_its_body_not_shown(status: int) -> None:
    """RFC 6749 section 5.2, RFC 9126 section 2.3; a redirect of a request that holds secrets is never followed."""
    with refused(ResponseRefused, "status", "RFC 6749 section 5.2"):
        raise parsed(raw(f"<p>{MARK}".encode(), status, "text/html"))
