"""The algorithms a proof may be signed with, and their keys (RFC 7518, RFC 8037, RFC 8812, RFC 9864)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .errors import ProofRefused, Rule
from .jose import decode, encode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hashes

Check = Callable[[bytes, bytes], None]  # signature, message; raises InvalidSignature

MIN_RSA_BITS = 2_048  # RFC 7518 sections 3.3 and 3.5
MAX_RSA_BITS = 8_192  # a larger one costs the server more than its client
MAX_RSA_EXPONENT = 2**32  # likewise
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518 section 6


@dataclass(frozen=True, slots=True)
class _Curve:
    crv: str
    name: str  # in cryptography
    size: int  # bytes of a coordinate


# RFC 7518 section 3.4: each algorithm has its curve; RFC 8812 section 3.2.
_CURVES = {
    "ES256": _Curve("P-256", "SECP256R1", 32),
    "ES384": _Curve("P-384", "SECP384R1", 48),
    "ES512": _Curve("P-521", "SECP521R1", 66),
    "ES256K": _Curve("secp256k1", "SECP256K1", 32),
}
_ED25519 = ("Ed25519", "EdDSA")  # RFC 9864 section 2.2: the second is the old name
_PSS = ("PS256", "PS384", "PS512")
_PKCS1 = ("RS256", "RS384", "RS512")

DEFAULT_ALGORITHMS = ("ES256", "ES384", "ES512", *_ED25519, *_PSS)
ALGORITHMS = (*DEFAULT_ALGORITHMS, "ES256K", *_PKCS1)
"""All that can be allowed: asymmetric ones, as RFC 9449 section 4.2 wants, and no other will ever be."""


@dataclass(frozen=True, slots=True)
class ProofKey:
    """A public key as a proof's header brought it, with the algorithm it is used with."""

    jwk: Mapping[str, str]
    jkt: str
    check: Check = field(repr=False)


def read_key(alg: str, jwk: Any) -> ProofKey:
    """
    Make a key of the `jwk` header.

    Raises:
        ProofRefused: It is no public key, does not fit the algorithm, or is too small.
    """
    if not isinstance(jwk, dict):
        raise ProofRefused(Rule.JWK, "The jwk header is an object")
    if PRIVATE_MEMBERS & jwk.keys():  # RFC 9449 section 4.3 step 7
        raise ProofRefused(Rule.PRIVATE_KEY, "The jwk header holds a private key")
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - loaded with the first key

    try:
        if alg in _CURVES:
            return _ec_key(alg, jwk)
        if alg in _ED25519:
            return _ed25519_key(jwk)
        return _rsa_key(alg, jwk)
    except UnsupportedAlgorithm as error:
        raise ProofRefused(Rule.ALG, f"This machine does not know {alg}") from error
    except ValueError as error:  # not base64url, or not on the curve
        raise ProofRefused(Rule.JWK, "The jwk header is no valid key") from error


def _members(jwk: Mapping[str, Any], **fixed: str) -> dict[str, str]:
    """Return the members that RFC 7638 section 3.2 counts, if they fit; all others are ignored."""
    names = {"EC": ("x", "y"), "OKP": ("x",), "RSA": ("n", "e")}[fixed["kty"]]
    for name, value in fixed.items():
        if jwk.get(name) != value:
            raise ProofRefused(Rule.JWK, f"The key's {name} does not fit the algorithm: {value} does")
    for name in names:
        if not isinstance(jwk.get(name), str):
            raise ProofRefused(Rule.JWK, f"The key has no {name}")
    return {**fixed, **{name: jwk[name] for name in names}}


def _key(members: Mapping[str, str], check: Check) -> ProofKey:
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))  # RFC 7638 section 3
    thumbprint = encode(hashlib.sha256(text.encode()).digest())
    return ProofKey(MappingProxyType(dict(members)), thumbprint, check)


def _hash(alg: str) -> hashes.HashAlgorithm:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - loaded with the first key

    found: hashes.HashAlgorithm = getattr(hashes, f"SHA{alg[2:5]}")()
    return found


def _ec_key(alg: str, jwk: Mapping[str, Any]) -> ProofKey:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - likewise
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - likewise
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature  # noqa: PLC0415 - likewise

    curve = _CURVES[alg]
    members = _members(jwk, kty="EC", crv=curve.crv)
    x, y = decode(members["x"]), decode(members["y"])
    if not len(x) == len(y) == curve.size:  # RFC 7518 section 6.2.1.2: the full size
        raise ProofRefused(Rule.JWK, f"The coordinates of {curve.crv} have {curve.size} bytes")
    key = ec.EllipticCurvePublicKey.from_encoded_point(getattr(ec, curve.name)(), b"\x04" + x + y)
    scheme, size = ec.ECDSA(_hash(alg)), curve.size

    def check(signature: bytes, message: bytes) -> None:
        if len(signature) != 2 * size:  # RFC 7518 section 3.4: R and S, each of the full size
            raise InvalidSignature
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        key.verify(encode_dss_signature(r, s), message, scheme)

    return _key(members, check)


def _ed25519_key(jwk: Mapping[str, Any]) -> ProofKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - likewise

    members = _members(jwk, kty="OKP", crv="Ed25519")  # RFC 8037 section 2
    return _key(members, Ed25519PublicKey.from_public_bytes(decode(members["x"])).verify)


def _rsa_key(alg: str, jwk: Mapping[str, Any]) -> ProofKey:
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415 - likewise

    members = _members(jwk, kty="RSA")
    modulus, exponent = decode(members["n"]), decode(members["e"])
    if not modulus[:1].strip(b"\0") or not exponent[:1].strip(b"\0"):  # RFC 7518 section 2, Base64urlUInt
        raise ProofRefused(Rule.JWK, "The numbers of an RSA key do not start with zeros")
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS:
        raise ProofRefused(Rule.JWK, f"An RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if e > MAX_RSA_EXPONENT:
        raise ProofRefused(Rule.JWK, "The exponent of the RSA key is too large")
    key, digest = rsa.RSAPublicNumbers(e, n).public_key(), _hash(alg)
    # RFC 7518 section 3.5: the salt is as long as the hash.
    pss = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
    scheme = pss if alg in _PSS else padding.PKCS1v15()

    def check(signature: bytes, message: bytes) -> None:
        key.verify(signature, message, scheme, digest)

    return _key(members, check)
