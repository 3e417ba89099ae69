"""Keys in the memory of this process. They sign inline, and any program of this user can take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from oidcclient import UsageError
from oidcclient_dpop.keys import Protection

from .jose import b64url_encode, ec_public_jwk

__all__ = ["ALGORITHMS", "CURVES", "LEAST_RSA_BITS", "PrivateKey", "SoftwareKey", "from_pem", "generate"]

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
LEAST_RSA_BITS: Final = 2048  # RFC 7518 sections 3.3 and 3.5
RSA_EXPONENT: Final = 65537  # FIPS 186-5 appendix A.1.1: odd and above 2^16; every library takes this one
# RFC 7518 section 3.1, RFC 9864 section 2.2. The best first: short and fast before long and slow.
ALGORITHMS: Final = ("ES256", "Ed25519", "ES384", "ES512", "PS256", "RS256")
CURVES: Final[Mapping[str, tuple[str, type[ec.EllipticCurve]]]] = {  # RFC 7518 section 3.4
    "ES256": ("P-256", ec.SECP256R1),
    "ES384": ("P-384", ec.SECP384R1),
    "ES512": ("P-521", ec.SECP521R1),
}
_LONG_FORM: Final = 0x80  # X.690 section 8.1.3.5: from here on the length of a value takes a second byte
_HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    "ES256": hashes.SHA256,
    "ES384": hashes.SHA384,
    "ES512": hashes.SHA512,
}


class SoftwareKey:
    """
    A private key in this process. Thread-safe; its `repr` shows nothing of it.

    Args:
        private_key: A key of `cryptography`.
        alg: The JWS algorithm; by default the one that fits the key, and PS256 for RSA.
        protection: Where it is kept when it is not in use.

    Raises:
        oidcclient.UsageError: The key is not one for this algorithm.
    """

    __slots__ = ("_jwk", "_private_key", "_sign", "alg", "protection")

    blocks: Final = False

    def __init__(
        self, private_key: PrivateKey, alg: str | None = None, *, protection: Protection = Protection.FILE
    ) -> None:
        self.alg: Final = alg if alg is not None else _usual_algorithm(private_key)
        self.protection: Final = protection
        _check_fit(private_key, self.alg)
        self._private_key: Final = private_key
        self._jwk: Final = _public_jwk(private_key)
        self._sign: Final = _signer(private_key, self.alg)

    def __repr__(self) -> str:
        return f"SoftwareKey(alg={self.alg!r}, protection={self.protection.name})"

    def __reduce__(self) -> str:
        raise TypeError("a private key is not pickled")

    @property
    def private_key(self) -> PrivateKey:
        """The key itself. Secret."""
        return self._private_key

    def public_jwk(self) -> Mapping[str, str]:
        """Return the public key, its required members alone."""
        return dict(self._jwk)

    def sign(self, message: bytes) -> bytes:
        """Return the JWS signature of a message."""
        return self._sign(message)


def generate(alg: str = "ES256", *, protection: Protection = Protection.FILE) -> SoftwareKey:
    """
    Return a new key.

    Args:
        alg: One of `ALGORITHMS`.
        protection: Where it will be kept.

    Raises:
        oidcclient.UsageError: There is no such algorithm here.
    """
    if alg in CURVES:
        return SoftwareKey(ec.generate_private_key(CURVES[alg][1]()), alg, protection=protection)
    if alg == "Ed25519":
        return SoftwareKey(ed25519.Ed25519PrivateKey.generate(), alg, protection=protection)
    if alg in {"PS256", "RS256"}:
        return SoftwareKey(rsa.generate_private_key(RSA_EXPONENT, LEAST_RSA_BITS), alg, protection=protection)
    raise _unknown_algorithm(alg)


def from_pem(pem: bytes, alg: str | None = None, *, protection: Protection = Protection.FILE) -> SoftwareKey:
    """
    Return the key of a PEM file: PKCS#8, SEC 1 or PKCS#1, not encrypted.

    Args:
        pem: What the file holds.
        alg: The algorithm, where it is not the usual one of such a key.
        protection: Where it is kept.

    Raises:
        oidcclient.UsageError: It is no private key that can be used here.
    """
    problem = None
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        problem = "the PEM file is encrypted"
    except (ValueError, UnsupportedAlgorithm):
        problem = "that is no private key in PEM form"
    if problem is not None:  # raised here: what the parser says could quote the key
        raise UsageError(problem, hint="Give a private key in PKCS#8 PEM form, decrypted.", rule="key")
    return SoftwareKey(_known_kind(key), alg, protection=protection)


def _known_kind(key: object) -> PrivateKey:
    if isinstance(key, (ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, rsa.RSAPrivateKey)):
        return key
    raise UsageError("a key of this kind does not sign proofs", rule="kty", expected="EC, Ed25519 or RSA")


def _unknown_algorithm(alg: str) -> UsageError:
    return UsageError(
        f"no key can be made for the algorithm {alg}", rule="alg", expected=" ".join(ALGORITHMS), received=alg
    )


def _usual_algorithm(key: PrivateKey) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "Ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "PS256"
    for alg, (_, curve) in CURVES.items():
        if isinstance(key.curve, curve):
            return alg
    raise UsageError("no JWS algorithm uses this curve", rule="crv", expected="P-256, P-384 or P-521")


def _check_fit(key: PrivateKey, alg: str) -> None:
    if alg not in ALGORITHMS:
        raise _unknown_algorithm(alg)
    usual = _usual_algorithm(_known_kind(key))
    if usual != alg and (usual, alg) != ("PS256", "RS256"):
        raise UsageError(f"the key is not one for {alg}", rule="alg", expected=usual, received=alg)
    # RFC 7518 section 3.3: "A key of size 2048 bits or larger MUST be used".
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_RSA_BITS:
        raise UsageError(
            "the RSA key is too short", rule="size", expected=f"at least {LEAST_RSA_BITS} bits", received=key.key_size
        )


def _public_jwk(key: PrivateKey) -> dict[str, str]:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url_encode(key.public_key().public_bytes_raw())}
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "n": b64url_encode(_big_endian(numbers.n)), "e": b64url_encode(_big_endian(numbers.e))}
    point = key.public_key().public_numbers()
    return ec_public_jwk(CURVES[_usual_algorithm(key)][0], _big_endian(point.x), _big_endian(point.y))


def _big_endian(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _signer(key: PrivateKey, alg: str) -> Callable[[bytes], bytes]:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    if isinstance(key, rsa.RSAPrivateKey):
        digest = hashes.SHA256()
        # RFC 7518 section 3.5: "The size of the salt value is the same size as the hash function output."
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size) if alg == "PS256" else padding.PKCS1v15()
        sign_rsa = key.sign
        return lambda message: sign_rsa(message, scheme, digest)
    return _ecdsa_signer(key, alg)


def _ecdsa_signer(key: ec.EllipticCurvePrivateKey, alg: str) -> Callable[[bytes], bytes]:
    size = (key.curve.key_size + 7) // 8
    scheme = ec.ECDSA(_HASHES[alg]())
    sign_der = key.sign
    return lambda message: _raw(sign_der(message, scheme), size)


def _raw(der: bytes, size: int) -> bytes:
    """
    Return R || S in full length (RFC 7518 section 3.4) from a SEQUENCE of two INTEGERs (RFC 3279 section 2.2.3).

    They are cut out and not read as numbers: that and the way back cost a tenth of the signature.
    """
    first = 4 if der[1] < _LONG_FORM else 5
    end = first + der[first - 1]
    return der[first:end][-size:].rjust(size, b"\0") + der[end + 2 :][-size:].rjust(size, b"\0")
