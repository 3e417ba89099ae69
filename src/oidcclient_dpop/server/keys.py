"""
Public keys as the `jwk` header brings them (RFC 7517, RFC 7518, RFC 8037).

`cryptography` is loaded with this module, and this module with the first proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .algorithms import ED25519, PSS
from .errors import ProofRefused, Rule
from .jose import decode, encode

Check = Callable[[bytes, bytes], None]  # signature, message; raises InvalidSignature

MIN_RSA_BITS = 2_048  # RFC 7518 sections 3.3 and 3.5
MAX_RSA_BITS = 8_192  # a larger one costs the server more than its client
MAX_RSA_EXPONENT = 2**32  # likewise
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518 section 6


class _Curve(NamedTuple):
    crv: str
    curve: ec.EllipticCurve
    size: int  # bytes of a coordinate
    scheme: ec.ECDSA


_SHA256, _SHA384, _SHA512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
# RFC 7518 section 3.4: each algorithm has its curve; RFC 8812 section 3.2.
_CURVES = {
    "ES256": _Curve("P-256", ec.SECP256R1(), 32, ec.ECDSA(_SHA256)),
    "ES384": _Curve("P-384", ec.SECP384R1(), 48, ec.ECDSA(_SHA384)),
    "ES512": _Curve("P-521", ec.SECP521R1(), 66, ec.ECDSA(_SHA512)),
    "ES256K": _Curve("secp256k1", ec.SECP256K1(), 32, ec.ECDSA(_SHA256)),
}
_RSA_HASHES: Mapping[str, hashes.HashAlgorithm] = {"256": _SHA256, "384": _SHA384, "512": _SHA512}
# The members that RFC 7638 section 3.2 counts, all others are ignored; section 3.3: in this order.
_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}


class ProofKey(NamedTuple):
    """A public key as a proof's header brought it, with the algorithm it is used with."""

    jwk: Mapping[str, str]
    jkt: str
    check: Check

    def verify(self, signature: bytes, message: bytes) -> None:
        """
        Check a signature (RFC 9449 section 4.3 step 6).

        Raises:
            ProofRefused: It is not one of this key over this message.
        """
        try:
            self.check(signature, message)
        except InvalidSignature as error:
            raise ProofRefused(Rule.SIGNATURE, "The signature does not verify") from error


def read_key(alg: str, jwk: Any) -> ProofKey:
    """
    Make a key of the `jwk` header.

    Raises:
        ProofRefused: It is no public key, does not fit the algorithm, or is too small.
    """
    if not isinstance(jwk, dict):
        raise ProofRefused(Rule.JWK, "The jwk header is an object")
    if not PRIVATE_MEMBERS.isdisjoint(jwk):  # RFC 9449 section 4.3 step 7
        raise ProofRefused(Rule.PRIVATE_KEY, "The jwk header holds a private key")
    try:
        if alg in _CURVES:
            return _ec_key(_CURVES[alg], jwk)
        if alg in ED25519:
            return _ed25519_key(jwk)
        return _rsa_key(alg, jwk)
    except UnsupportedAlgorithm as error:
        raise ProofRefused(Rule.ALG, f"This machine does not know {alg}") from error
    except ValueError as error:  # not base64url, or not on the curve
        raise ProofRefused(Rule.JWK, "The jwk header is no valid key") from error


def _members(jwk: Mapping[str, Any], **fixed: str) -> dict[str, str]:
    """Return the members that count, if they fit."""
    for name, value in fixed.items():
        if jwk.get(name) != value:
            raise ProofRefused(Rule.JWK, f"The key's {name} does not fit the algorithm: {value} does")
    members: dict[str, str] = {}
    for name in _MEMBERS[fixed["kty"]]:
        member = jwk.get(name)
        if not isinstance(member, str):
            raise ProofRefused(Rule.JWK, f"The key has no {name}")
        members[name] = member
    return members


def _key(members: dict[str, str], check: Check) -> ProofKey:
    # RFC 7638 section 3: JSON without whitespace. The values are base64url by now: nothing in them is escaped.
    text = ",".join(f'"{name}":"{value}"' for name, value in members.items())
    jkt = encode(hashlib.sha256(f"{{{text}}}".encode()).digest())
    return ProofKey(MappingProxyType(members), jkt, check)


def _ec_key(curve: _Curve, jwk: Mapping[str, Any]) -> ProofKey:
    members = _members(jwk, kty="EC", crv=curve.crv)
    x, y = decode(members["x"]), decode(members["y"])
    size, scheme = curve.size, curve.scheme
    if not len(x) == len(y) == size:  # RFC 7518 section 6.2.1.2: the full size
        raise ProofRefused(Rule.JWK, f"The coordinates of {curve.crv} have {size} bytes")
    key = ec.EllipticCurvePublicKey.from_encoded_point(curve.curve, b"\x04" + x + y)

    def check(signature: bytes, message: bytes) -> None:
        if len(signature) != 2 * size:  # RFC 7518 section 3.4: R and S, each of the full size
            raise InvalidSignature
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        key.verify(encode_dss_signature(r, s), message, scheme)

    return _key(members, check)


def _ed25519_key(jwk: Mapping[str, Any]) -> ProofKey:
    members = _members(jwk, kty="OKP", crv="Ed25519")  # RFC 8037 section 2
    return _key(members, Ed25519PublicKey.from_public_bytes(decode(members["x"])).verify)


def _rsa_key(alg: str, jwk: Mapping[str, Any]) -> ProofKey:
    members = _members(jwk, kty="RSA")
    modulus, exponent = decode(members["n"]), decode(members["e"])
    if not modulus[:1].strip(b"\0") or not exponent[:1].strip(b"\0"):  # RFC 7518 section 2, Base64urlUInt
        raise ProofRefused(Rule.JWK, "The numbers of an RSA key do not start with zeros")
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS:
        raise ProofRefused(Rule.JWK, f"An RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if e > MAX_RSA_EXPONENT:
        raise ProofRefused(Rule.JWK, "The exponent of the RSA key is too large")
    key, digest = rsa.RSAPublicNumbers(e, n).public_key(), _RSA_HASHES[alg[2:]]
    # RFC 7518 section 3.5: the salt is as long as the hash.
    pss = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
    scheme = pss if alg in PSS else padding.PKCS1v15()

    def check(signature: bytes, message: bytes) -> None:
        key.verify(signature, message, scheme, digest)

    return _key(members, check)
