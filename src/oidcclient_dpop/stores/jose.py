"""The JOSE forms of keys and signatures (RFC 7518, RFC 8037, RFC 9864)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

__all__ = ["COORDINATE_BYTES", "P256_BYTES", "b64url_decode", "b64url_encode", "ec_public_jwk", "raw_signature"]

P256_BYTES: Final = 32  # RFC 7518 section 3.4: ES256 is R and S of 32 bytes each
COORDINATE_BYTES: Final = {"P-256": P256_BYTES, "P-384": 48, "P-521": 66}  # RFC 7518 section 6.2.1.2
_B64URL = re.compile(r"[A-Za-z0-9_-]*")


def b64url_encode(data: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """
    Return what base64url without padding holds, and nothing that is written in any other way.

    Raises:
        ValueError: It is no such text.
    """
    if not _B64URL.fullmatch(text):
        raise ValueError("not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    if b64url_encode(data) != text:  # spare bits that are not zero: two texts for one value
        raise ValueError("not base64url")
    return data


def ec_public_jwk(curve: str, x: bytes, y: bytes) -> dict[str, str]:
    """Return a public key as a JWK: both coordinates in full length, leading zeros too (RFC 7518 section 6.2.1.2)."""
    size = COORDINATE_BYTES[curve]
    return {
        "kty": "EC",
        "crv": curve,
        "x": b64url_encode(x.rjust(size, b"\0")),
        "y": b64url_encode(y.rjust(size, b"\0")),
    }


def raw_signature(r: bytes, s: bytes) -> bytes:
    """
    Return the signature of ES256 from its two numbers, big-endian and with or without leading zeros.

    Raises:
        ValueError: A number is zero or too large.
    """
    r, s = r.lstrip(b"\0"), s.lstrip(b"\0")
    if not 0 < len(r) <= P256_BYTES or not 0 < len(s) <= P256_BYTES:
        raise ValueError("not a signature of P-256")
    return r.rjust(P256_BYTES, b"\0") + s.rjust(P256_BYTES, b"\0")
