"""Signed JWTs, whatever they are for."""

import json
from typing import Any

import pytest

from oidcclient import IDTokenRefused, OidcError, ResponseRefused
from oidcclient.protocol import SignedJwt, parse_jwt, verify_jwt
from tests.protocol.examples import MARK, keys, refused
from tests.protocol.signing import ALGORITHMS, b64, hmac_signed, signer, unsigned

WHAT = "the ID Token"
CLAIMS = {"sub": "ann", "nonce": MARK}


def parsed(token: str) -> SignedJwt:
    return parse_jwt(token, WHAT, IDTokenRefused)


def verify(
    token: str, *, allowed: tuple[str, ...] = ("ES256", "RS256"), error: type[OidcError] = IDTokenRefused
) -> None:
    verify_jwt(parse_jwt(token, WHAT, error), keys(), allowed=allowed, what=WHAT, error=error)


def with_header(**header: Any) -> str:
    return signer().sign(CLAIMS, **header)


def test_a_jwt_is_taken_apart() -> None:
    """RFC 7515 section 7.1."""
    jwt = parsed(with_header(typ="JWT", more=1))
    assert (jwt.algorithm, jwt.kid, jwt.typ) == ("ES256", "key-ES256-0", "jwt")
    assert jwt.claims == CLAIMS
    assert MARK not in repr(jwt)


FORMS = [
    "",
    "a",
    "a.b",
    "a.b.c.d",
    "a.b.c.d.e",
    "..",
    "." * 50_000,
    "a" * 100_001,
    f"{b64(b'{}')}.{b64(b'{}')}." + "A" * 100_000,
]


@pytest.mark.parametrize("token", FORMS, ids=range(len(FORMS)))
def test_what_is_no_signed_jwt_is_refused(token: str) -> None:
    """RFC 7515 section 7.1; an encrypted JWT has five parts."""
    with refused(IDTokenRefused):
        parsed(token)


def test_a_long_jwt_is_taken_apart() -> None:
    """An ID Token with hundreds of groups is long."""
    token = with_header()
    assert parsed(f"{token}{'A' * 4 * ((100_000 - len(token)) // 4)}").claims == CLAIMS


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("text", ["*", "A", "AB", "AA==", "\N{SNOWMAN}", "A A", "+/8"])
def test_a_part_that_is_not_base64url_is_refused(part: int, text: str) -> None:
    """RFC 7515 section 2."""
    parts = with_header().split(".")
    parts[part] = text
    with refused(IDTokenRefused, "format", "RFC 7515 section 7.1"):
        parsed(".".join(parts))


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("data", [b"", b"[]", b"null", b'{"a":1,"a":1}', b"\xff", b'"x"', b"[" * 70_000])
def test_a_part_that_is_no_strict_json_object_is_refused(part: int, data: bytes) -> None:
    """RFC 7515 section 5.2, RFC 7519 section 7.2."""
    parts = [json.dumps(signer().header()).encode(), json.dumps(CLAIMS).encode()]
    parts[part] = data
    with refused(IDTokenRefused):
        parsed(signer().sign_bytes(parts[0], parts[1]))


@pytest.mark.parametrize("algorithm", [None, 5, ["ES256"], True])
def test_a_jwt_that_names_no_algorithm_is_refused(algorithm: object) -> None:
    """RFC 7515 section 4.1.1."""
    with refused(IDTokenRefused, "alg", "RFC 7515 section 4.1.1"):
        parsed(with_header(alg=algorithm))


@pytest.mark.parametrize("name", ["kid", "typ"])
@pytest.mark.parametrize("value", [5, ["a"], {}, True])
def test_a_header_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    """RFC 7515 section 4.1."""
    with refused(IDTokenRefused, "header", "RFC 7515 section 4.1"):
        parsed(with_header(**{name: value}))


@pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "x", 5])
def test_critical_header_parameters_are_refused(crit: object) -> None:
    """RFC 7515 section 4.1.11: we understand none."""
    with refused(IDTokenRefused, "crit", "RFC 7515 section 4.1.11"):
        parsed(with_header(crit=crit, b64=False))


def test_a_good_signature_is_accepted() -> None:
    verify(with_header())
    verify(signer("RS256").sign(CLAIMS))


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", "HS256", "es256", "ES256 "])
def test_an_algorithm_that_is_not_in_our_list_is_refused(name: str) -> None:
    """RFC 8725 section 3.1."""
    with refused(IDTokenRefused, "alg", "RFC 8725 section 3.1"):
        verify(unsigned(CLAIMS, name))


def test_an_algorithm_we_know_but_do_not_allow_is_refused() -> None:
    """RFC 8725 section 3.1: the caller's list decides, not what the key could do."""
    with refused(IDTokenRefused, "alg", "RFC 8725 section 3.1"):
        verify(with_header(), allowed=("RS256",))


@pytest.mark.parametrize("which", ["RS256", "ES256"])
def test_hs256_with_a_public_key_as_its_secret_is_refused(which: str) -> None:
    """RFC 8725 section 2.1, OIDC Core section 10.1."""
    for key in (signer(which).public_pem(), signer(which).public_pem().strip()):
        header = {"alg": "HS256", "kid": signer(which).kid}
        with refused(IDTokenRefused, "alg"):
            verify(hmac_signed(header, CLAIMS, key), allowed=ALGORITHMS)
        with refused(IDTokenRefused, "kid"):  # not even a caller who allows it gets it
            verify(hmac_signed(header, CLAIMS, key), allowed=("HS256",))


def test_a_signature_of_another_key_is_refused() -> None:
    """OIDC Core section 3.1.3.7 step 6."""
    with refused(IDTokenRefused, "signature", "OIDC Core 3.1.3.7 step 6"):
        verify(signer(which=1).sign(CLAIMS, kid="key-ES256-0"))


def test_a_token_whose_key_is_not_of_the_issuer_is_refused() -> None:
    """OIDC Core section 10.1."""
    with refused(IDTokenRefused, "kid", "OIDC Core 10.1"):
        verify(signer(which=1).sign(CLAIMS))


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
def test_keys_and_addresses_in_the_header_are_never_looked_at(name: str) -> None:
    """OIDC Core section 2, RFC 8725 section 3.10."""
    thief = signer(which=1)
    value = {"jwk": thief.jwk(), "x5c": ["MIIB"]}.get(name, "https://evil.example/jwks")
    with refused(IDTokenRefused):
        verify(thief.sign(CLAIMS, **{name: value}))
    with refused(IDTokenRefused, "signature"):
        verify(thief.sign(CLAIMS, kid="key-ES256-0", **{name: value}))


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
@pytest.mark.parametrize("signature", ["", "AA", b64(b"\x00" * 64), b64(b"\x00" * 256), b64(b"\xff" * 64)])
def test_a_made_up_signature_is_refused(algorithm: str, signature: str) -> None:
    """RFC 8725 section 3.3; CVE-2022-21449 accepted zeros."""
    unsigned_part = signer(algorithm).sign(CLAIMS).rpartition(".")[0]
    with refused(IDTokenRefused):
        verify(f"{unsigned_part}.{signature}")


def test_a_signature_over_other_claims_is_refused() -> None:
    """RFC 8725 section 3.3."""
    header, _, signature = with_header().split(".")
    with refused(IDTokenRefused, "signature"):
        verify(f"{header}.{b64(json.dumps({**CLAIMS, 'sub': 'bob'}).encode())}.{signature}")


def test_the_error_is_of_the_class_asked_for() -> None:
    with refused(ResponseRefused, "alg"):
        verify(unsigned(CLAIMS), error=ResponseRefused)
