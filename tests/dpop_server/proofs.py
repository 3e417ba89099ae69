"""Proofs made by hand with `cryptography`, part by part, so that a test can make a wrong one."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CURVES: dict[str, tuple[str, ec.EllipticCurve, int]] = {
    "ES256": ("P-256", ec.SECP256R1(), 32),
    "ES384": ("P-384", ec.SECP384R1(), 48),
    "ES512": ("P-521", ec.SECP521R1(), 66),
    "ES256K": ("secp256k1", ec.SECP256K1(), 32),
}
HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def ath(token: str) -> str:
    return b64(hashlib.sha256(token.encode()).digest())


def part(value: Any) -> str:
    return b64(json.dumps(value).encode())


@dataclass(frozen=True)
class ClientKey:
    """A client's key: its public JWK and how it signs."""

    alg: str
    jwk: Mapping[str, str]
    sign: Callable[[bytes], bytes] = field(repr=False)

    @property
    def jkt(self) -> str:
        text = json.dumps(dict(self.jwk), sort_keys=True, separators=(",", ":"))
        return b64(hashlib.sha256(text.encode()).digest())


def new_key(alg: str = "ES256", bits: int = 2048) -> ClientKey:
    if alg in CURVES:
        return _ec(alg)
    if alg in {"Ed25519", "EdDSA"}:
        private = ed25519.Ed25519PrivateKey.generate()
        return ClientKey(
            alg, {"kty": "OKP", "crv": "Ed25519", "x": b64(private.public_key().public_bytes_raw())}, private.sign
        )
    return rsa_key(alg, rsa.generate_private_key(65537, bits))


def _ec(alg: str) -> ClientKey:
    crv, curve, size = CURVES[alg]
    digest = HASHES[alg[2:5]]
    private = ec.generate_private_key(curve)
    point = private.public_key().public_numbers()

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(message, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    x, y = (b64(value.to_bytes(size, "big")) for value in (point.x, point.y))
    return ClientKey(alg, {"kty": "EC", "crv": crv, "x": x, "y": y}, sign)


def rsa_key(alg: str, private: rsa.RSAPrivateKey) -> ClientKey:
    digest = HASHES[alg[2:5]]
    numbers = private.public_key().public_numbers()
    pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
    scheme: padding.AsymmetricPadding = pss if alg.startswith("PS") else padding.PKCS1v15()
    return ClientKey(
        alg,
        {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)},
        lambda message: private.sign(message, scheme, digest),
    )


def seal(key: ClientKey, header: Any, claims: Any) -> str:
    """Sign two parts: values are made JSON, text is taken as it is."""
    first, second = (value if isinstance(value, str) else part(value) for value in (header, claims))
    return f"{first}.{second}.{b64(key.sign(f'{first}.{second}'.encode()))}"


def header_of(key: ClientKey, **changes: Any) -> dict[str, Any]:
    """Return a good header; None takes a member out."""
    header = {"typ": "dpop+jwt", "alg": key.alg, "jwk": dict(key.jwk), **changes}
    return {name: value for name, value in header.items() if value is not None}


def claims_of(method: str, url: str, token: str | None = None, **changes: Any) -> dict[str, Any]:
    """Return good claims; None takes one out."""
    claims = {
        "jti": secrets.token_urlsafe(16),
        "htm": method,
        "htu": url,
        "iat": int(time.time()),
        "ath": ath(token) if token is not None else None,
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def prove(key: ClientKey, method: str, url: str, token: str | None = None, **changes: Any) -> str:
    """Make a proof; the changes are claims."""
    return seal(key, header_of(key), claims_of(method, url, token, **changes))
