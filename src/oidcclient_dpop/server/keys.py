"""
Public keys as the `jwk` header brings them (RFC 7517, RFC 7518, RFC 8037).

`cryptography` is loaded with this module, and this module with the first proof.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
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


class ProofKey(ABC):
    """
    A public key as a proof's header brought it, with the algorithm it is used with.

    Attributes:
        jwk: Its members, the required ones alone.
        jkt: Its thumbprint (RFC 7638, SHA-256).
    """

    __slots__ = ("jkt", "jwk")

    def __init__(self, members: str, **jwk: str) -> None:
        """
        Keep what all keys have.

        Args:
            members: The required members as JSON, in order and without whitespace (RFC 7638 section 3). They are
                base64url or fixed, so that nothing in them needs escaping.
            jwk: The same members.
        """
        self.jwk: Mapping[str, str] = MappingProxyType(jwk)
        self.jkt = encode(hashlib.sha256(members.encode()).digest())

    @abstractmethod
    def verify(self, signature: bytes, message: bytes) -> None:
        """
        Check a signature (RFC 9449 section 4.3 step 6).

        Raises:
            ProofRefused: It is not one of this key over this message.
        """


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
            return _EcKey(_CURVES[alg], jwk)
        if alg in ED25519:
            return _Ed25519Key(jwk)
        return _RsaKey(alg, jwk)
    except UnsupportedAlgorithm as error:
        raise ProofRefused(Rule.ALG, f"This machine does not know {alg}") from error
    except ValueError as error:  # not base64url, or not on the curve
        raise ProofRefused(Rule.JWK, "The jwk header is no valid key") from error


def _texts(jwk: Mapping[str, Any], kty: str, *names: str, crv: str | None = None) -> list[str]:
    """Return the members that a key must have, if it is of the type and on the curve; all others are ignored."""
    if jwk.get("kty") != kty or (crv is not None and jwk.get("crv") != crv):
        raise ProofRefused(Rule.JWK, f"The key does not fit the algorithm: {kty} {crv or ''} does")
    values = [jwk.get(name) for name in names]
    if not all([isinstance(value, str) for value in values]):  # noqa: C419 - a list is quicker
        raise ProofRefused(Rule.JWK, f"The key has no {' and '.join(names)}")
    return values  # type: ignore[return-value]  # they are all str by now


class _EcKey(ProofKey):
    __slots__ = ("_key", "_scheme", "_size")

    def __init__(self, curve: _Curve, jwk: Mapping[str, Any]) -> None:
        x, y = _texts(jwk, "EC", "x", "y", crv=curve.crv)
        left, right = decode(x), decode(y)
        if not len(left) == len(right) == curve.size:  # RFC 7518 section 6.2.1.2: the full size
            raise ProofRefused(Rule.JWK, f"The coordinates of {curve.crv} have {curve.size} bytes")
        self._key = ec.EllipticCurvePublicKey.from_encoded_point(curve.curve, b"\x04" + left + right)
        self._size, self._scheme = curve.size, curve.scheme
        members = f'{{"crv":"{curve.crv}","kty":"EC","x":"{x}","y":"{y}"}}'
        super().__init__(members, kty="EC", crv=curve.crv, x=x, y=y)

    def verify(self, signature: bytes, message: bytes) -> None:
        size = self._size
        if len(signature) != 2 * size:  # RFC 7518 section 3.4: R and S, each of the full size
            raise _wrong_signature()
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        try:
            self._key.verify(encode_dss_signature(r, s), message, self._scheme)
        except InvalidSignature as error:
            raise _wrong_signature() from error


class _Ed25519Key(ProofKey):
    __slots__ = ("_key",)

    def __init__(self, jwk: Mapping[str, Any]) -> None:
        (x,) = _texts(jwk, "OKP", "x", crv="Ed25519")  # RFC 8037 section 2
        self._key = Ed25519PublicKey.from_public_bytes(decode(x))
        super().__init__(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}', kty="OKP", crv="Ed25519", x=x)

    def verify(self, signature: bytes, message: bytes) -> None:
        try:
            self._key.verify(signature, message)
        except InvalidSignature as error:
            raise _wrong_signature() from error


class _RsaKey(ProofKey):
    __slots__ = ("_hash", "_key", "_scheme")

    def __init__(self, alg: str, jwk: Mapping[str, Any]) -> None:
        n_text, e_text = _texts(jwk, "RSA", "n", "e")
        modulus, exponent = decode(n_text), decode(e_text)
        if not modulus[:1].strip(b"\0") or not exponent[:1].strip(b"\0"):  # RFC 7518 section 2, Base64urlUInt
            raise ProofRefused(Rule.JWK, "The numbers of an RSA key do not start with zeros")
        n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
        if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS:
            raise ProofRefused(Rule.JWK, f"An RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
        if e > MAX_RSA_EXPONENT:
            raise ProofRefused(Rule.JWK, "The exponent of the RSA key is too large")
        self._key, self._hash = rsa.RSAPublicNumbers(e, n).public_key(), _RSA_HASHES[alg[2:]]
        # RFC 7518 section 3.5: the salt is as long as the hash.
        pss = padding.PSS(padding.MGF1(self._hash), padding.PSS.DIGEST_LENGTH)
        self._scheme = pss if alg in PSS else padding.PKCS1v15()
        super().__init__(f'{{"e":"{e_text}","kty":"RSA","n":"{n_text}"}}', kty="RSA", n=n_text, e=e_text)

    def verify(self, signature: bytes, message: bytes) -> None:
        try:
            self._key.verify(signature, message, self._scheme, self._hash)
        except InvalidSignature as error:
            raise _wrong_signature() from error


def _wrong_signature() -> ProofRefused:
    return ProofRefused(Rule.SIGNATURE, "The signature does not verify")
