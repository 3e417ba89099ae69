"""RFC 9449 section 4.3 steps 1 to 3: one header field, a JWT, and the claims of a proof."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from oidcclient_dpop.server import Rule
from tests.dpop_server.proofs import ClientKey, b64, claims_of, header_of, part, seal
from tests.dpop_server.verifying import NOW, URL, good, refused, verify

# Steps 1 and 2


def test_no_proof_is_refused() -> None:
    assert refused().rule is Rule.HEADER


def test_two_proofs_are_refused_however_they_come(key: ClientKey) -> None:
    one, two = good(key), good(key)
    for values in ([one, two], [one, one], [f"{one}, {two}"], [f"{one},"], [one, ""]):
        assert refused(*values).rule is Rule.HEADER


def _spoil(first: Any = None, second: Any = None) -> Callable[[ClientKey], str]:
    """Replace a segment and sign it well."""
    return lambda key: seal(key, first or header_of(key), second or claims_of("GET", URL, iat=NOW))


MALFORMED: dict[str, Callable[[ClientKey], str]] = {
    "empty": lambda _: "",
    "a word": lambda _: "proof",
    "two parts": lambda key: good(key).rpartition(".")[0],
    "five parts": lambda key: f"{good(key)}.x.y",
    "a space in front": lambda key: f" {good(key)}",
    "a line break": lambda key: f"{good(key)}\n",
    "not ASCII": lambda key: f"{good(key)}\u00e9",
    "too long": lambda key: good(key, more="x" * 8_192),
    "padding": lambda key: seal(key, part(header_of(key)) + "=", claims_of("GET", URL)),
    "another alphabet": lambda key: seal(key, "+" + part(header_of(key)), claims_of("GET", URL)),
    "stray bits": _spoil(second=b64(b"{}")[:-1] + "1"),
    "an odd length": _spoil(second="A"),
    "header not JSON": _spoil(first=b64(b"{")),
    "header a list": _spoil(first=[1]),
    "header with a member twice": _spoil(first=b64(b'{"typ":"dpop+jwt","typ":"dpop+jwt"}')),
    "payload not JSON": _spoil(second=b64(b"{'a': 1}")),
    "payload a text": _spoil(second=b64(b'"x"')),
    "payload not UTF-8": _spoil(second=b64(b'{"jti": "\xff"}')),
    "payload in UTF-16": _spoil(second=b64(json.dumps(claims_of("GET", URL, iat=NOW)).encode("utf-16"))),
    "payload with a byte order mark": _spoil(second=b64(b"\xef\xbb\xbf{}")),
    "payload with a claim twice": _spoil(second=b64(b'{"jti":"x","jti":"y"}')),
    "payload with NaN": _spoil(second=b64(b'{"jti":"x","iat":NaN}')),
    "payload with Infinity": _spoil(second=b64(b'{"jti":"x","iat":-Infinity}')),
    "payload with more after it": _spoil(second=b64(b"{} {}")),
    "payload nested deeply": _spoil(second=b64(b"[" * 5_000)),
    "payload with an endless number": _spoil(second=b64(b'{"iat":' + b"1" * 5_000 + b"}")),
    "critical headers": lambda key: seal(key, header_of(key, crit=["exp"], exp=1), claims_of("GET", URL, iat=NOW)),
    "an encoded payload that is none": lambda key: seal(
        key, header_of(key, crit=["b64"], b64=False), claims_of("GET", URL, iat=NOW)
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_jwt_is_refused(key: ClientKey, name: str) -> None:
    assert refused(MALFORMED[name](key)).rule is Rule.JWT


@pytest.mark.parametrize("junk", ["    ", "!!!!", "\n\n\n\n", "====", "+/+/", "=+/ "])
@pytest.mark.parametrize("segment", ["header", "payload", "signature"])
def test_what_is_no_base64url_is_refused_within_a_segment(key: ClientKey, segment: str, junk: str) -> None:
    """Python's decoder leaves out what it does not know, and so many characters change no length."""
    header, payload = part(header_of(key)), part(claims_of("GET", URL, iat=NOW))
    where = {"header": header, "payload": payload, "signature": ""}
    signed = {name: f"{text[:8]}{junk}{text[8:]}" if name == segment else text for name, text in where.items()}
    proof = seal(key, signed["header"], signed["payload"])
    if segment == "signature":
        first, dot, signature = proof.rpartition(".")
        proof = f"{first}{dot}{signature[:8]}{junk}{signature[8:]}"
    assert refused(proof).rule is Rule.JWT


# Step 3


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat"])
def test_a_claim_that_is_missing_or_of_another_type_is_refused(key: ClientKey, name: str) -> None:
    assert refused(good(key, **{name: None})).rule is Rule.CLAIMS
    claims = claims_of("GET", URL, iat=NOW)
    for value in (None, True, ["GET"], {"a": 1}, "1700000000" if name == "iat" else 1_700_000_000):
        assert refused(seal(key, header_of(key), claims | {name: value})).rule is Rule.CLAIMS


@pytest.mark.parametrize("name", ["nonce", "ath"])
def test_an_optional_claim_is_a_text(key: ClientKey, name: str) -> None:
    claims = claims_of("GET", URL, iat=NOW)
    for value in (None, 1, ["x"]):
        assert refused(seal(key, header_of(key), claims | {name: value})).rule is Rule.CLAIMS


def test_a_jti_is_of_a_sensible_length(key: ClientKey) -> None:
    """Section 11.1."""
    assert refused(good(key, jti="")).rule is Rule.CLAIMS
    assert refused(good(key, jti="x" * 129)).rule is Rule.CLAIMS
    assert verify(good(key, jti="x" * 128)).jti == "x" * 128
