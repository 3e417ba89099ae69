"""How software keys are written down: as a private JWK, and as a short text for keyrings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from oidcclient import UsageError
from oidcclient_dpop.keys import Protection

from .jose import COORDINATE_BYTES, b64url_decode, b64url_encode
from .software import ALGORITHMS, CURVES, RSA_EXPONENT, PrivateKey, SoftwareKey

__all__ = ["LONGEST_TEXT", "from_jwk", "from_text", "to_text"]

LONGEST_TEXT: Final = 1280  # characters: Windows keeps 2,560 bytes (CRED_MAX_CREDENTIAL_BLOB_SIZE), as UTF-16
LARGEST_RSA_BITS: Final = 8192  # a larger one signs for seconds
_CURVE_CLASSES: Final = dict(CURVES.values())
_SAME_ALGORITHM: Final = {"EdDSA": "Ed25519"}  # RFC 9864 section 2.2 names the curve; RFC 8037 did not


def from_jwk(
    jwk: Mapping[str, Any], alg: str | None = None, *, protection: Protection = Protection.FILE
) -> SoftwareKey:
    """
    Return the key of a private JWK (RFC 7517).

    Args:
        jwk: The JWK: kty EC, OKP (Ed25519) or RSA, with its private members.
        alg: The algorithm, where the JWK has no `alg` and it is not the usual one of such a key.
        protection: Where it is kept.

    Raises:
        oidcclient.UsageError: It is no private key that can be used here.
    """
    stated = jwk.get("alg")
    stated = _SAME_ALGORITHM.get(stated, stated) if isinstance(stated, str) else stated
    if alg is not None and stated not in {None, alg}:
        raise UsageError("the JWK is for another algorithm", rule="alg", expected=alg, received=stated)
    if jwk.get("use", "sig") != "sig" or "sign" not in jwk.get("key_ops", ["sign"]):
        raise UsageError("the JWK is not for signing", rule="use", section="RFC 7517 section 4.2")
    problem = None
    try:
        private_key = _private_key(jwk)
    except (ValueError, TypeError, KeyError) as error:
        problem = _SAYABLE.get(str(error), "its members are missing or do not fit together")
    if problem is not None:  # raised here: the error below could quote the key, and would go along as the context
        raise UsageError(f"the JWK cannot be used: {problem}", rule="jwk", section="RFC 7518 section 6")
    key = SoftwareKey(private_key, alg or stated, protection=protection)
    for name, value in key.public_jwk().items():
        if jwk.get(name, value) != value:
            raise UsageError(f"the JWK's {name} does not belong to its private key", rule=name)
    return key


_NO_PRIVATE = "it has no private part"
_BAD_KTY = "its kty and crv are none of EC (P-256, P-384, P-521), OKP (Ed25519) and RSA"
_SAYABLE: Final = {text: text for text in (_NO_PRIVATE, _BAD_KTY)}


def _private_key(jwk: Mapping[str, Any]) -> PrivateKey:
    kty, crv = jwk.get("kty"), jwk.get("crv")
    if "d" not in jwk:
        raise ValueError(_NO_PRIVATE)
    secret = b64url_decode(jwk["d"])
    if kty == "EC" and crv in _CURVE_CLASSES:
        if len(secret) != COORDINATE_BYTES[crv]:  # RFC 7518 section 6.2.2.1: in full length
            raise ValueError("length")
        return ec.derive_private_key(int.from_bytes(secret, "big"), _CURVE_CLASSES[crv]())
    if kty == "OKP" and crv == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(secret)
    if kty == "RSA":
        return _rsa_key(jwk)
    raise ValueError(_BAD_KTY)


def _rsa_key(jwk: Mapping[str, Any]) -> rsa.RSAPrivateKey:
    n, e, d = (_number(jwk, name) for name in ("n", "e", "d"))
    if n.bit_length() > LARGEST_RSA_BITS:
        raise ValueError("size")
    if "p" in jwk:
        p, q = _number(jwk, "p"), _number(jwk, "q")
    else:  # RFC 7518 section 6.3.2: only d is required
        p, q = rsa.rsa_recover_prime_factors(n, e, d)
    return _from_primes(p, q, e=e, d=d, n=n)


def _from_primes(p: int, q: int, *, e: int, d: int, n: int) -> rsa.RSAPrivateKey:
    return rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(e, n),
    ).private_key()


def _number(jwk: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(b64url_decode(jwk[name]), "big")


def to_text(key: SoftwareKey) -> str:
    """
    Return a key in few characters: its algorithm, a dot, and the scalar, the seed or the two primes. Secret.

    An RSA key as a JWK would not fit into Windows' Credential Manager.
    """
    private = key.private_key
    if isinstance(private, ed25519.Ed25519PrivateKey):
        secret = private.private_bytes_raw()
    elif isinstance(private, rsa.RSAPrivateKey):
        numbers = private.private_numbers()
        size = (max(numbers.p, numbers.q).bit_length() + 7) // 8
        secret = numbers.p.to_bytes(size, "big") + numbers.q.to_bytes(size, "big")
    else:
        size = (private.curve.key_size + 7) // 8
        secret = private.private_numbers().private_value.to_bytes(size, "big")
    return f"{key.alg}.{b64url_encode(secret)}"


def from_text(text: str, *, protection: Protection) -> SoftwareKey:
    """
    Return the key of such a text.

    Raises:
        ValueError: It is none. The error says nothing of the text.
    """
    alg, _, encoded = text.partition(".")
    if len(text) > LONGEST_TEXT or alg not in ALGORITHMS:
        raise ValueError("not a key")
    secret = b64url_decode(encoded)
    private: PrivateKey
    if alg in CURVES:
        if len(secret) != COORDINATE_BYTES[CURVES[alg][0]]:
            raise ValueError("not a key")
        private = ec.derive_private_key(int.from_bytes(secret, "big"), CURVES[alg][1]())
    elif alg == "Ed25519":
        private = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
    else:
        half = len(secret) // 2
        p, q = int.from_bytes(secret[:half], "big"), int.from_bytes(secret[half:], "big")
        if min(p, q) < 2:  # noqa: PLR2004 - the smallest prime
            raise ValueError("not a key")
        d = pow(RSA_EXPONENT, -1, math.lcm(p - 1, q - 1))
        private = _from_primes(p, q, e=RSA_EXPONENT, d=d, n=p * q)
    return SoftwareKey(private, alg, protection=protection)
