"""The provider's keys, and which of them may verify what."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from oidcclient import DiscoveryRefused, IDTokenRefused, TransportError
from oidcclient.protocol import KeySet, key_set_from, keys_for, parse_jwt, parse_key_set, verify_jwt
from tests.protocol.examples import MARK, answer, raw, refused
from tests.protocol.signing import ALGORITHMS, Signer, b64, number, signer

WHAT = "the ID Token"


def test_a_key_set_is_read_and_unknown_kinds_are_kept_and_never_used() -> None:
    """RFC 7517 section 5."""
    strange = {"kty": "QUANTUM", "kid": "q"}
    found = parse_key_set(answer({"keys": [strange, signer().jwk()], "more": 1}))
    assert found.keys == (strange, signer().jwk())
    assert [keys_for(found, kid="q", algorithm=name) for name in ALGORITHMS] == [()] * len(ALGORITHMS)


@pytest.mark.parametrize("members", [{}, {"keys": None}, {"keys": {}}, {"keys": "x"}, {"keys": [5]}, {"keys": [[]]}])
def test_what_is_no_key_set_is_refused(members: dict[str, Any]) -> None:
    """RFC 7517 section 5."""
    with refused(DiscoveryRefused, "keys", "RFC 7517 section 5"):
        parse_key_set(answer(members))


def test_a_key_set_of_unreasonable_size_is_refused() -> None:
    assert len(key_set_from({"keys": [signer().jwk()] * 100}).keys) == 100
    with refused(DiscoveryRefused, "keys"):
        key_set_from({"keys": [signer().jwk()] * 101})


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"<html>"])
def test_keys_that_are_no_json_are_refused(body: bytes) -> None:
    with refused(DiscoveryRefused, "json"):
        parse_key_set(raw(body))


def test_keys_that_cannot_be_had_are_refused() -> None:
    with refused(TransportError):
        parse_key_set(raw(b"", 503))


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_key_set_with_a_private_key_is_refused(member: str) -> None:
    """OIDC Discovery section 3, jwks_uri."""
    with refused(DiscoveryRefused, "private key", "OIDC Discovery 3"):
        key_set_from({"keys": [signer().jwk(), signer("RS256").jwk(**{member: MARK})]})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_that_fits_verifies(algorithm: str) -> None:
    """RFC 7518 section 3.1, RFC 8037, RFC 9864."""
    good = signer(algorithm)
    jwt = parse_jwt(good.sign({"a": 1}), WHAT, IDTokenRefused)
    verify_jwt(jwt, key_set_from({"keys": [good.jwk()]}), allowed=ALGORITHMS, what=WHAT, error=IDTokenRefused)


UNFIT: list[tuple[str, str, dict[str, Any]]] = [
    ("another type", "ES256", {"kty": "RSA"}),
    ("another curve", "ES256", {"crv": "P-384"}),
    ("no curve", "ES256", {"crv": None}),
    ("another curve of OKP", "Ed25519", {"crv": "X25519"}),
    ("for encryption", "ES256", {"use": "enc"}),
    ("for a use of no text", "ES256", {"use": ["sig"]}),
    ("for another operation", "ES256", {"key_ops": ["sign"]}),
    ("for operations of no list", "ES256", {"key_ops": "verify"}),
    ("for another algorithm", "RS256", {"alg": "PS256"}),
    ("for an algorithm of no text", "RS256", {"alg": ["RS256"]}),
    ("of another kid", "ES256", {"kid": "other"}),
    ("of a kid of no text", "ES256", {"kid": ["key-ES256-0"]}),
    ("without kid", "ES256", {"kid": None}),
    ("without type", "RS256", {"kty": None}),
    ("without modulus", "RS256", {"n": None}),
    ("a modulus of no text", "RS256", {"n": 5}),
    ("a modulus that is no base64url", "RS256", {"n": "*"}),
    ("a modulus without end", "RS256", {"n": b64(b"\xff" * 5000)}),
]


@pytest.mark.parametrize(("algorithm", "changes"), [case[1:] for case in UNFIT], ids=[case[0] for case in UNFIT])
def test_a_key_that_does_not_fit_is_never_used(algorithm: str, changes: dict[str, Any]) -> None:
    """OIDC Core section 10.1: kid, type, curve, use and alg all fit. RFC 8725 section 3.1: one key, one algorithm."""
    found = key_set_from({"keys": [signer(algorithm).jwk(**changes)]})
    assert keys_for(found, kid=signer(algorithm).kid, algorithm=algorithm) == ()


def test_a_key_that_says_it_verifies_is_used() -> None:
    """RFC 7517 section 4.3."""
    jwk = signer().jwk(key_ops=["verify"], use=None, alg=None)
    assert keys_for(key_set_from({"keys": [jwk]}), kid=jwk["kid"], algorithm="ES256") == (jwk,)


def test_an_rsa_key_below_2048_bits_is_never_used() -> None:
    """RFC 7518 section 3.3."""
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak on purpose
    weak = Signer("RS256", "weak", short)
    jwt = parse_jwt(weak.sign({"a": 1}), WHAT, IDTokenRefused)
    with refused(IDTokenRefused, "kid"):
        verify_jwt(jwt, key_set_from({"keys": [weak.jwk()]}), allowed=("RS256",), what=WHAT, error=IDTokenRefused)


def test_a_modulus_padded_to_look_long_is_still_short() -> None:
    """RFC 7518 section 3.3."""
    short = rsa.generate_private_key(65537, 1024).public_key().public_numbers().n  # noqa: S505 - weak on purpose
    jwk = {"kty": "RSA", "kid": "a", "n": number(short, 512), "e": "AQAB"}
    assert keys_for(key_set_from({"keys": [jwk]}), kid="a", algorithm="RS256") == ()


@pytest.mark.parametrize("algorithm", ["HS256", "none", "ES256K", "RS1", ""])
def test_no_key_fits_an_algorithm_that_is_none_of_ours(algorithm: str) -> None:
    """RFC 8725 section 3.1."""
    for jwk in (signer().jwk(), signer().jwk(alg=algorithm), signer().jwk(kty=None, crv=None, alg=None)):
        assert keys_for(key_set_from({"keys": [jwk]}), kid=None, algorithm=algorithm) == ()


@pytest.mark.parametrize("name", ["Ed25519", "EdDSA"])
def test_ed25519_is_known_by_both_of_its_names(name: str) -> None:
    """RFC 9864."""
    other = {"Ed25519": "EdDSA", "EdDSA": "Ed25519"}[name]
    assert keys_for(key_set_from({"keys": [signer(name).jwk(alg=other)]}), kid=None, algorithm=name)


def test_without_kid_the_only_key_that_fits_is_used() -> None:
    """OIDC Core section 10.1."""
    found = key_set_from({"keys": [signer().jwk(), signer("RS256").jwk(), signer("PS256").jwk()]})
    assert keys_for(found, kid=None, algorithm="RS256") == (signer("RS256").jwk(),)


def test_without_kid_several_keys_that_fit_are_refused() -> None:
    """OIDC Core section 10.1: kid must be there when the set has several keys."""
    found = key_set_from({"keys": [signer().jwk(), signer(which=1).jwk()]})
    assert keys_for(found, kid=None, algorithm="ES256") == ()
    jwt = parse_jwt(signer().sign({"a": 1}, kid=None), WHAT, IDTokenRefused)
    with refused(IDTokenRefused, "kid", "OIDC Core 10.1") as caught:
        verify_jwt(jwt, found, allowed=("ES256",), what=WHAT, error=IDTokenRefused)
    assert caught[0].received == "no kid"


def test_of_keys_with_one_kid_a_few_are_tried() -> None:
    """A set of equals must not cost a signature check for each."""
    same = [signer(which=number).jwk(kid="same") for number in range(1, 7)]
    found = key_set_from({"keys": [*same, signer().jwk(kid="same")]})
    assert len(keys_for(found, kid="same", algorithm="ES256")) == 4


def test_the_second_key_of_one_kid_is_tried_too() -> None:
    found = key_set_from({"keys": [signer(which=1).jwk(kid="same"), signer().jwk(kid="same")]})
    jwt = parse_jwt(signer().sign({"a": 1}, kid="same"), WHAT, IDTokenRefused)
    verify_jwt(jwt, found, allowed=("ES256",), what=WHAT, error=IDTokenRefused)


UNREADABLE: list[tuple[str, dict[str, Any]]] = [
    ("ES256", {"x": None}),
    ("ES256", {"x": 5}),
    ("ES256", {"x": ["a"]}),
    ("ES256", {"x": "*"}),
    ("ES256", {"x": ""}),
    ("ES256", {"y": b64(b"\x01" * 32)}),
    ("ES256", {"x": b64(b"\xff" * 4000)}),
    ("RS256", {"e": None}),
    ("RS256", {"e": 5}),
    ("RS256", {"e": {}}),
    ("RS256", {"e": ""}),
    ("RS256", {"e": "AQ"}),
    ("RS256", {"e": "Ag"}),
    ("RS256", {"e": b64(b"\xff" * 300)}),
    ("RS256", {"e": "AQAB", "n": b64(b"\xff" * 2000)}),
    ("RS256", {"n": b64(b"\xfe" * 256)}),
    ("Ed25519", {"x": None}),
    ("Ed25519", {"x": 5}),
    ("Ed25519", {"x": "AA"}),
    ("Ed25519", {"x": b64(b"\x00" * 33)}),
    ("Ed25519", {"x": "\N{SNOWMAN}"}),
]


@pytest.mark.parametrize(("algorithm", "changes"), UNREADABLE)
def test_a_key_that_cannot_be_read_verifies_nothing(algorithm: str, changes: dict[str, Any]) -> None:
    """RFC 8725 section 3.4."""
    jwt = parse_jwt(signer(algorithm).sign({"a": 1}), WHAT, IDTokenRefused)
    found = key_set_from({"keys": [signer(algorithm).jwk(**changes)]})
    with refused(IDTokenRefused):
        verify_jwt(jwt, found, allowed=ALGORITHMS, what=WHAT, error=IDTokenRefused)


def test_a_key_set_shows_no_key() -> None:
    assert signer().jwk()["x"] not in repr(key_set_from({"keys": [signer().jwk()]}))
    assert KeySet().keys == ()
