"""The provider's signing keys (RFC 7517), and which of them may verify what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oidcclient._words.errors import DiscoveryRefused, OidcError
from oidcclient._words.http import HttpResponse
from oidcclient._words.values import Json

from ._parsing import b64url_decode, json_object, parse_error

__all__ = ["KeySet", "key_set_from", "keys_for", "parse_key_set"]

_OK = 200
_MOST_KEYS = 100  # real sets hold fewer than ten
_MOST_TRIED = 4  # signatures tried for one token, so that a set of equals costs no more
_SMALLEST_RSA = 2048  # bits; RFC 7518 section 3.3
_LARGEST_RSA = 16_384  # bits; OpenSSL verifies with none that is larger, and time grows with the square
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518 sections 6.2.2, 6.3.2, 6.4.1

# What key an algorithm needs: kty, and curve where there is one (RFC 7518 sections 3.3 to 3.5, RFC 8037, RFC 9864).
_FITS: dict[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "Ed25519": ("OKP", "Ed25519"),
    "EdDSA": ("OKP", "Ed25519"),
}


@dataclass(frozen=True, slots=True)
class KeySet:
    """
    Public keys of a provider.

    Args:
        keys: The JWKs as they came, in order.
    """

    keys: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


def parse_key_set(response: HttpResponse) -> KeySet:
    """
    Read a JWK Set answer (RFC 7517 section 5). Keys of unknown kinds are kept and never used.

    Raises:
        DiscoveryRefused: It is no key set, is too large, or holds a private key (OIDC Discovery 3, `jwks_uri`).
        TransportError: The server is busy or broken.
    """
    if response.status != _OK:
        error = parse_error(response, "the provider's keys")
        raise error
    return key_set_from(json_object(response.body, "the provider's keys", DiscoveryRefused))


def key_set_from(members: Mapping[str, Json]) -> KeySet:
    """
    Check a JWK Set and return it as a value.

    Raises:
        DiscoveryRefused: As `parse_key_set`.
    """
    keys = members.get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise DiscoveryRefused("the provider's keys are no key set", rule="keys", section="RFC 7517 section 5")
    if len(keys) > _MOST_KEYS:
        raise DiscoveryRefused(
            "the provider has too many keys", rule="keys", expected=f"at most {_MOST_KEYS}", received=len(keys)
        )
    if any(_PRIVATE & key.keys() for key in keys):
        raise DiscoveryRefused(
            "the provider publishes a private key",
            rule="private key",
            section="OIDC Discovery 3",
            hint="Do not sign in there: tell whoever runs the provider that its private key is public.",
        )
    return KeySet(tuple(keys))


def keys_for(key_set: KeySet, *, kid: str | None, algorithm: str) -> tuple[Mapping[str, Any], ...]:
    """
    Return the keys that may verify a signature: `kid`, type, curve, use and alg must all fit (OIDC Core 10.1).

    Without `kid` only a set with exactly one fitting key will do: with several, `kid` must be there (OIDC Core 10.1).
    """
    fitting = tuple(key for key in key_set.keys if _fits(key, algorithm))
    if kid is None:
        return fitting if len(fitting) == 1 else ()
    return tuple(key for key in fitting if key.get("kid") == kid)[:_MOST_TRIED]


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    kty, curve = _FITS.get(algorithm, (None, None))
    if kty is None:  # none, HS* and whatever else is not ours: no key ever fits
        return False
    operations = key.get("key_ops")
    return (
        key.get("kty") == kty
        and (curve is None or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
        and key.get("alg", algorithm) in _names_of(algorithm)
        and (kty != "RSA" or _SMALLEST_RSA <= _rsa_bits(key) <= _LARGEST_RSA)
    )


def _names_of(algorithm: str) -> tuple[str, ...]:
    """RFC 9864 gave EdDSA with Ed25519 the name Ed25519; a key may carry either."""
    return ("Ed25519", "EdDSA") if algorithm in {"Ed25519", "EdDSA"} else (algorithm,)


def _rsa_bits(key: Mapping[str, Any]) -> int:
    modulus = key.get("n")
    try:
        return int.from_bytes(b64url_decode(modulus), "big").bit_length() if isinstance(modulus, str) else 0
    except ValueError:
        return 0


def no_key(kid: str | None, algorithm: str, what: str, error: type[OidcError]) -> OidcError:
    """Make the error for a signature that no key of the provider fits."""
    return error(
        f"no key of the provider fits the signature of {what}",
        rule="kid",
        section="OIDC Core 10.1",
        expected=f"a key for {algorithm}",
        received="no kid" if kid is None else f"kid {kid}",
    )
