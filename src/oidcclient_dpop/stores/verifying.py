"""Checking a signature against the public key that a signing key tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .jose import b64url_decode

__all__ = ["is_signature"]

_CURVES: Final[Mapping[str, tuple[str, ec.EllipticCurve, hashes.HashAlgorithm]]] = {  # RFC 7518 section 3.4
    "ES256": ("P-256", ec.SECP256R1(), hashes.SHA256()),
    "ES384": ("P-384", ec.SECP384R1(), hashes.SHA384()),
    "ES512": ("P-521", ec.SECP521R1(), hashes.SHA512()),
}


def is_signature(signature: bytes, message: bytes, *, alg: str, jwk: Mapping[str, str]) -> bool:
    """
    Tell whether this is the JWS signature of a message.

    Args:
        signature: What the key returned.
        message: What was signed.
        alg: The JWS algorithm.
        jwk: The public key.
    """
    try:
        if alg in _CURVES:
            _check_ecdsa(signature, message, alg=alg, jwk=jwk)
        elif alg == "Ed25519" and (jwk["kty"], jwk["crv"]) == ("OKP", "Ed25519"):
            ed25519.Ed25519PublicKey.from_public_bytes(b64url_decode(jwk["x"])).verify(signature, message)
        elif alg in {"PS256", "RS256"} and jwk["kty"] == "RSA":
            digest = hashes.SHA256()
            scheme = padding.PSS(padding.MGF1(digest), digest.digest_size) if alg == "PS256" else padding.PKCS1v15()
            numbers = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"]))
            numbers.public_key().verify(signature, message, scheme, digest)
        else:
            return False
    except (InvalidSignature, ValueError, KeyError):
        return False
    return True


def _check_ecdsa(signature: bytes, message: bytes, *, alg: str, jwk: Mapping[str, str]) -> None:
    name, curve, digest = _CURVES[alg]
    size = (curve.key_size + 7) // 8
    if (jwk["kty"], jwk["crv"], len(signature)) != ("EC", name, 2 * size):
        raise InvalidSignature
    numbers = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve)
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    numbers.public_key().verify(encode_dss_signature(r, s), message, ec.ECDSA(digest))


def _number(encoded: str) -> int:
    return int.from_bytes(b64url_decode(encoded), "big")
