"""Challenges in WWW-Authenticate."""

import pytest

from oidcclient.protocol import HttpResponse, parse_challenges

Found = list[tuple[str, dict[str, str]]]


def challenges(*fields: str) -> Found:
    response = HttpResponse(401, tuple(("WWW-Authenticate", text) for text in fields))
    return [(challenge.scheme, dict(challenge.parameters)) for challenge in parse_challenges(response)]


FIELDS: list[tuple[str, Found]] = [
    ("Bearer", [("bearer", {})]),
    ("BEARER", [("bearer", {})]),
    ('Bearer realm="a"', [("bearer", {"realm": "a"})]),
    ("Bearer Error=invalid_token", [("bearer", {"error": "invalid_token"})]),
    ('Bearer realm = "a" , error="b"', [("bearer", {"realm": "a", "error": "b"})]),
    ('Bearer realm="a, DPoP x=\\"y\\"", error="c"', [("bearer", {"realm": 'a, DPoP x="y"', "error": "c"})]),
    ('Bearer, DPoP algs="ES256 PS256"', [("bearer", {}), ("dpop", {"algs": "ES256 PS256"})]),
    ('Bearer a="1", DPoP b="2", c=3', [("bearer", {"a": "1"}), ("dpop", {"b": "2", "c": "3"})]),
    ("Negotiate abc+/==, Bearer a=b", [("negotiate", {}), ("bearer", {"a": "b"})]),
    ("Negotiate abc", [("negotiate", {})]),
    (', ,Bearer ,, a="1",,', [("bearer", {"a": "1"})]),
    ('Bearer a=""', [("bearer", {"a": ""})]),
    ('Bearer a="1", A="2", b="3"', [("bearer", {"b": "3"})]),
    ("", []),
    (" , ", []),
    ('"Bearer"', []),
    ("=x", []),
    ('Bearer a="unclosed', [("bearer", {})]),
    ('Bearer a="1" b="2"', [("bearer", {})]),
    ("Bearer \N{SNOWMAN}", [("bearer", {})]),
    ("Bearer a=\N{SNOWMAN}, DPoP", [("bearer", {})]),
    ("Bearer " + "a" * 20_000, []),
    ('Bearer a="' + "\\" * 16_000, [("bearer", {})]),
]


@pytest.mark.parametrize(("field", "found"), FIELDS, ids=range(len(FIELDS)))
def test_challenges_are_read_whatever_their_form(field: str, found: Found) -> None:
    """RFC 9110 sections 11.1, 11.2 and 11.6.1: no case, several in one field, commas inside quotes."""
    assert challenges(field) == found


def test_several_fields_are_read() -> None:
    """RFC 9110 section 11.6.1."""
    assert challenges("Bearer", 'DPoP error="use_dpop_nonce"') == [
        ("bearer", {}),
        ("dpop", {"error": "use_dpop_nonce"}),
    ]
    assert challenges() == []
