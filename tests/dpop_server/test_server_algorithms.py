"""Which keys sign proofs, and which must not (RFC 7518, RFC 8037, RFC 9864)."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from oidcclient_dpop.server import ALGORITHMS, DEFAULT_ALGORITHMS, ProofRefused, ProofVerifier, Rule
from tests.dpop_server.proofs import ClientKey, b64, claims_of, header_of, number, prove, rsa_key, seal

URL = "https://api.example.com/"
KeyFor = Callable[[str], ClientKey]


def verify(proof: str, **settings: Any) -> Any:
    return ProofVerifier(**settings).verify(method="GET", url=URL, proof_headers=[proof], now=1_000)


def rule_for(key: ClientKey, jwk: Any, alg: str | None = None) -> Rule:
    header = header_of(key, jwk=jwk, alg=alg or key.alg)
    with pytest.raises(ProofRefused) as caught:
        verify(seal(key, header, claims_of("GET", URL, iat=1_000)), algorithms=ALGORITHMS)
    return caught.value.rule


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_each_algorithm_verifies(key_for: KeyFor, alg: str) -> None:
    key = key_for(alg)
    proof = prove(key, "GET", URL, iat=1_000)
    assert verify(proof, algorithms=[alg]).jkt == key.jkt
    text, _, signature = proof.rpartition(".")
    other = bytearray(base64.urlsafe_b64decode(signature + "=="))
    other[-1] ^= 1
    with pytest.raises(ProofRefused) as caught:
        verify(f"{text}.{b64(bytes(other))}", algorithms=[alg])
    assert caught.value.rule is Rule.SIGNATURE


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_algorithm_is_taken_only_if_it_is_allowed(key_for: KeyFor, alg: str) -> None:
    """RS256 and its kin, and ES256K, only where they are named."""
    proof = prove(key_for(alg), "GET", URL, iat=1_000)
    if alg in DEFAULT_ALGORITHMS:
        assert verify(proof).jkt
    for settings in [{}] if alg not in DEFAULT_ALGORITHMS else [{"algorithms": [a for a in ALGORITHMS if a != alg]}]:
        with pytest.raises(ProofRefused) as caught:
            verify(proof, **settings)
        assert caught.value.rule is Rule.ALG


def test_no_symmetric_algorithm_can_ever_be_allowed() -> None:
    assert not {alg for alg in ALGORITHMS if alg.startswith("HS") or alg.lower() == "none"}


MISMATCHED = [
    "ES256 ES384",
    "ES384 ES256",
    "ES256 Ed25519",
    "Ed25519 ES256",
    "ES256 PS256",
    "PS256 ES256",
    "ES256 ES256K",
]


@pytest.mark.parametrize("pair", MISMATCHED)
def test_a_key_fits_its_algorithm(key_for: KeyFor, pair: str) -> None:
    """RFC 7518 section 3.4."""
    alg, other = pair.split()
    assert rule_for(key_for(alg), dict(key_for(alg).jwk), other) is Rule.JWK


def test_a_key_is_not_used_with_its_familys_other_algorithm(key_for: KeyFor) -> None:
    """The header names RS256, the signature is PS256."""
    assert rule_for(key_for("PS256"), dict(key_for("PS256").jwk), "RS256") is Rule.SIGNATURE


@pytest.mark.parametrize("jwk", [None, "x", 5, [], {}, {"kty": "EC"}, {"kty": "oct", "crv": "P-256"}])
def test_what_is_no_key_is_refused(key_for: KeyFor, jwk: Any) -> None:
    key = key_for("ES256")
    header = header_of(key) | {"jwk": jwk}
    with pytest.raises(ProofRefused) as caught:
        verify(seal(key, header, claims_of("GET", URL, iat=1_000)))
    assert caught.value.rule is Rule.JWK


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_point_off_the_curve_or_of_another_size_is_refused(key_for: KeyFor) -> None:
    """RFC 7518 section 6.2.1.2."""
    key = key_for("ES256")
    x, y = key.jwk["x"], key.jwk["y"]
    point = _bytes(x) + _bytes(y)
    wrong: list[dict[str, Any]] = [
        {"x": b64(point[:31]), "y": b64(point[31:])},  # else one key had several thumbprints
        {"x": b64(b"\0" * 32), "y": b64(b"\0" * 32)},
        {"x": y, "y": x},
        {"x": b64(b"\0" + _bytes(x))},
        {"x": b64(_bytes(x)[1:])},
        {"x": ""},
        {"x": 5},
        {"y": None},
        {"x": x + "="},
        {"x": x + "!"},
        {"x": "é"},
        {"crv": "p-256"},
        {"kty": "ec"},
    ]
    for change in wrong:
        assert rule_for(key, {**key.jwk, **change}) is Rule.JWK


def test_a_leading_zero_is_kept() -> None:
    """RFC 7518 section 6.2.1.2: libraries that drop it name another key."""
    for scalar in range(1, 2_000):
        point = ec.derive_private_key(scalar, ec.SECP256R1())
        x = point.public_key().public_numbers().x
        if x >> 248 == 0:
            break
    numbers = point.public_key().public_numbers()
    short = {"kty": "EC", "crv": "P-256", "x": number(x), "y": b64(numbers.y.to_bytes(32, "big"))}
    key = ClientKey("ES256", short, lambda _: b"\0" * 64)
    assert rule_for(key, short) is Rule.JWK


def test_an_ed25519_key_has_its_size(key_for: KeyFor) -> None:
    key = key_for("Ed25519")
    for x in ("", b64(b"\1" * 31), b64(b"\1" * 33)):
        assert rule_for(key, {**key.jwk, "x": x}) is Rule.JWK
    assert rule_for(key, {**key.jwk, "crv": "Ed448"}) is Rule.JWK


def test_an_rsa_key_is_neither_small_nor_huge() -> None:
    """RFC 7518 section 3.3; a huge one keeps the server busy."""
    small = rsa_key("PS256", rsa.generate_private_key(65537, 1024))  # noqa: S505 - that is the point
    assert rule_for(small, dict(small.jwk)) is Rule.JWK
    huge = {"kty": "RSA", "n": number((1 << 8_192) + 1), "e": "AQAB"}
    assert rule_for(small, huge) is Rule.JWK


def test_the_numbers_of_an_rsa_key_are_written_in_one_way(key_for: KeyFor) -> None:
    """RFC 7518 section 2: no leading zeros, so that a key has one thumbprint."""
    key = key_for("PS256")
    n = _bytes(key.jwk["n"])
    for change in ({"n": b64(b"\0" + n)}, {"e": b64(b"\0\1\0\1")}, {"e": ""}, {"n": ""}, {"e": number(2**33 + 1)}):
        assert rule_for(key, {**key.jwk, **change}) is Rule.JWK
    for exponent in (1, 2, 4):
        assert rule_for(key, {**key.jwk, "e": number(exponent)}) is Rule.JWK


def test_a_curve_that_this_machine_lacks_is_an_algorithm_not_allowed(
    key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_args: Any) -> None:
        raise UnsupportedAlgorithm("secp256k1")

    key = key_for("ES256K")
    monkeypatch.setattr(ec.EllipticCurvePublicKey, "from_encoded_point", unknown)
    assert rule_for(key, dict(key.jwk)) is Rule.ALG
