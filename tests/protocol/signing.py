"""Keys and signatures made with cryptography alone, so that nothing under test vouches for itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES: dict[str, tuple[ec.EllipticCurve, str, int]] = {
    "ES256": (ec.SECP256R1(), "P-256", 32),
    "ES384": (ec.SECP384R1(), "P-384", 48),
    "ES512": (ec.SECP521R1(), "P-521", 66),
}
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, length: int = 0) -> str:
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def compact(header: bytes, claims: bytes, sign: Callable[[bytes], bytes]) -> str:
    signing_input = f"{b64(header)}.{b64(claims)}"
    return f"{signing_input}.{b64(sign(signing_input.encode()))}"


@dataclass(frozen=True)
class Signer:
    """A key of a provider, and the algorithm it signs with."""

    algorithm: str
    kid: str
    private: Any

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """Return the public key; a member changed to None is left out."""
        members: dict[str, Any] = {"kid": self.kid, "use": "sig", "alg": self.algorithm, **self._public()}
        return {name: value for name, value in {**members, **changes}.items() if value is not None}

    def _public(self) -> dict[str, Any]:
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        if isinstance(public, ec.EllipticCurvePublicKey):
            _, name, length = CURVES[self.algorithm]
            point = public.public_numbers()
            return {"kty": "EC", "crv": name, "x": number(point.x, length), "y": number(point.y, length)}
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}

    def private_pem(self) -> bytes:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        pem: bytes = self.private.private_bytes(encoding, form, serialization.NoEncryption())
        return pem

    def public_pem(self) -> bytes:
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        pem: bytes = self.private.public_key().public_bytes(encoding, form)
        return pem

    def signature(self, data: bytes) -> bytes:
        digest = HASHES.get(self.algorithm[-3:], hashes.SHA256())
        signed: bytes
        match self.algorithm[:2]:
            case "RS":
                signed = self.private.sign(data, padding.PKCS1v15(), digest)
            case "PS":
                salted = padding.PSS(padding.MGF1(digest), digest.digest_size)
                signed = self.private.sign(data, salted, digest)
            case "ES":
                length = CURVES[self.algorithm][2]
                r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
                signed = r.to_bytes(length, "big") + s.to_bytes(length, "big")
            case _:
                signed = self.private.sign(data)
        return signed

    def header(self, **changes: Any) -> dict[str, Any]:
        members = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT", **changes}
        return {name: value for name, value in members.items() if value is not None}

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """Return a compact JWS over claims; a header parameter given as None is left out."""
        return self.sign_bytes(json.dumps(self.header(**header)).encode(), json.dumps(claims).encode())

    def sign_bytes(self, header: bytes, claims: bytes) -> str:
        return compact(header, claims, self.signature)


@cache
def _rsa(which: int) -> rsa.RSAPrivateKey:
    del which
    return rsa.generate_private_key(65537, 2048)


def signer(algorithm: str = "ES256", which: int = 0) -> Signer:
    """Return the same key for the same arguments all session long; another `which` is another key."""
    return _signer(algorithm, which)


@cache
def _signer(algorithm: str, which: int) -> Signer:
    private: Any
    if algorithm in CURVES:
        private = ec.generate_private_key(CURVES[algorithm][0])
    elif algorithm in {"Ed25519", "EdDSA"}:
        private = ed25519.Ed25519PrivateKey.generate()
    else:
        private = _rsa(which)
    return Signer(algorithm, f"key-{algorithm}-{which}", private)


def hmac_signed(header: Mapping[str, Any], claims: Mapping[str, Any], key: bytes) -> str:
    """Sign with HS256, as an attacker does who uses a public key as the shared secret."""
    return compact(
        json.dumps(header).encode(),
        json.dumps(claims).encode(),
        lambda data: hmac.new(key, data, hashlib.sha256).digest(),
    )


def unsigned(claims: Mapping[str, Any], algorithm: str = "none") -> str:
    return compact(json.dumps({"alg": algorithm}).encode(), json.dumps(claims).encode(), lambda _: b"")
