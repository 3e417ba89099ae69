"""The ID Token: every rule of OIDC Core 3.1.3.7, one function each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from oidcclient._words.errors import IDTokenRefused
from oidcclient._words.policy import Policy
from oidcclient._words.values import Json, ProviderMetadata

from ._callback import same_secret
from ._jws import SignedJwt, check_typ, parse_jwt, verify_jwt
from ._keys import KeySet
from ._parsing import b64url_encode, finite

__all__ = ["Expected", "IDToken", "allowed_algorithms", "parse_id_token", "verify_id_token"]

_WHAT = "the ID Token"
_LONGEST_SUB = 255  # characters; OIDC Core 2
_AHEAD = 10.0  # seconds that auth_time may lie before now - max_age for the time the request itself takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """
    What an ID Token must match.

    Args:
        issuer: The issuer the request went to.
        client_id: The audience.
        nonce: The nonce sent. Secret.
        access_token: The access token that came with it, for `at_hash`. Secret.
        max_age: The `max_age` sent, in seconds.
        essential_acr: The `acr` values of which one is demanded; empty means any; None means not demanded.
        policy: Skew, ages, algorithms.
        now: Unix seconds.
    """

    issuer: str
    client_id: str
    nonce: str | None = field(repr=False)
    access_token: str | None = field(default=None, repr=False)
    max_age: int | None = None
    essential_acr: tuple[str, ...] | None = None
    policy: Policy
    now: float


@dataclass(frozen=True, slots=True)
class IDToken:
    """
    A verified ID Token.

    Args:
        raw: The compact JWT. Secret.
        claims: Its claims; unknown ones are kept (OIDC Core 2).
        algorithm: What it was signed with.
    """

    raw: str = field(repr=False)
    claims: Mapping[str, Json] = field(repr=False)
    algorithm: str

    @property
    def sub(self) -> str:
        """The user's identifier at this issuer."""
        return str(self.claims["sub"])


def allowed_algorithms(metadata: ProviderMetadata, policy: Policy) -> tuple[str, ...]:
    """Return our list, narrowed by the provider's, never the provider's alone (RFC 8725 section 3.1)."""
    listed = metadata.id_token_signing_alg_values_supported
    return tuple(name for name in policy.id_token_algorithms if listed is None or name in listed)


def parse_id_token(token: str) -> SignedJwt:
    """
    Take an ID Token apart without believing it.

    Raises:
        IDTokenRefused: It is no signed JWT. Encrypted ones are not supported: none was asked for (step 1).
    """
    return parse_jwt(token, _WHAT, IDTokenRefused)


def verify_id_token(
    token: str, jwt: SignedJwt, keys: KeySet, *, allowed: tuple[str, ...], expected: Expected
) -> IDToken:
    """
    Verify an ID Token: the signature first, then each rule in the order of OIDC Core 3.1.3.7.

    Args:
        token: The compact JWT, as it came.
        jwt: The same, taken apart.
        keys: The issuer's keys.
        allowed: The algorithms accepted.
        expected: What its claims must match.

    Raises:
        IDTokenRefused: A rule is broken; `rule` says which. `"kid"` means that no key fits: fetch the keys again, once.
    """
    verify_jwt(jwt, keys, allowed=allowed, what=_WHAT, error=IDTokenRefused)  # steps 6, 7 and 8
    check_typ(jwt, _WHAT, IDTokenRefused)
    for check in CHECKS:
        check(jwt.claims, expected)
    check_at_hash(jwt.claims, expected, jwt.algorithm)
    return IDToken(token, MappingProxyType(dict(jwt.claims)), jwt.algorithm)


def _refuse(rule: str, section: str, expected: object, received: object, message: str) -> IDTokenRefused:
    return IDTokenRefused(
        f"the ID Token {message}", rule=rule, section=f"OIDC Core {section}", expected=expected, received=received
    )


def _number(claims: Mapping[str, Json], name: str, section: str) -> float:
    value = claims.get(name)
    if not finite(value):
        raise _refuse(name, section, "a number", type(value).__name__, f"has no usable {name}")
    return float(value)


def check_iss(claims: Mapping[str, Json], expected: Expected) -> None:
    """Step 2: `iss` is exactly the issuer asked for."""
    template, tenant = expected.policy.templated_issuer, claims.get("tid")
    wanted = expected.issuer
    if template is not None and isinstance(tenant, str) and tenant and "/" not in tenant:
        wanted = template.replace("{tenantid}", tenant)
    if claims.get("iss") != wanted:
        raise _refuse("iss", "3.1.3.7 step 2", wanted, claims.get("iss"), "is from another issuer")


def check_aud(claims: Mapping[str, Json], expected: Expected) -> None:
    """Step 3: `aud` contains our `client_id`, and no audience we do not trust."""
    value = claims.get("aud")
    audiences = value if isinstance(value, list) else [value]
    if not all(isinstance(audience, str) for audience in audiences) or expected.client_id not in audiences:
        raise _refuse("aud", "3.1.3.7 step 3", expected.client_id, value, "is for another client")
    strangers = set(audiences) - {expected.client_id, *expected.policy.trusted_audiences}
    if strangers:
        raise _refuse("aud", "3.1.3.7 step 3", expected.client_id, value, "is for further clients that are not trusted")


def check_azp(claims: Mapping[str, Json], expected: Expected) -> None:
    """Steps 4 and 5: `azp` is our `client_id` where it is present; with several audiences it must be."""
    authorized = claims.get("azp")
    several = isinstance(claims.get("aud"), list) and len(claims["aud"]) > 1
    if authorized != expected.client_id and (several or authorized is not None):
        raise _refuse("azp", "3.1.3.7 step 5", expected.client_id, authorized, "was issued to another client")


def check_exp(claims: Mapping[str, Json], expected: Expected) -> None:
    """Step 9: the current time is before `exp`."""
    expires = _number(claims, "exp", "3.1.3.7 step 9")
    if expected.now >= expires + expected.policy.clock_skew:
        raise _refuse("exp", "3.1.3.7 step 9", f"later than {expected.now:.0f}", f"{expires:.0f}", "has expired")


def check_iat(claims: Mapping[str, Json], expected: Expected) -> None:
    """Step 10: `iat` is neither in the future nor too long ago."""
    issued, skew = _number(claims, "iat", "3.1.3.7 step 10"), expected.policy.clock_skew
    earliest, latest = expected.now - expected.policy.id_token_max_age - skew, expected.now + skew
    if not earliest <= issued <= latest:
        message = "was issued in the future" if issued > latest else "was issued too long ago"
        raise IDTokenRefused(
            f"the ID Token {message}",
            rule="iat",
            section="OIDC Core 3.1.3.7 step 10",
            expected=f"from {earliest:.0f} to {latest:.0f}",
            received=f"{issued:.0f}",
            hint="Check this machine's clock.",
        )


def check_nonce(claims: Mapping[str, Json], expected: Expected) -> None:
    """Step 11: `nonce` is the one sent. Neither is shown: both are secret."""
    if expected.nonce is None:
        return
    received = claims.get("nonce")
    if not isinstance(received, str) or not same_secret(received, expected.nonce):
        raise _refuse("nonce", "3.1.3.7 step 11", "the nonce sent", "another or none", "is not for this sign-in")


def check_acr(claims: Mapping[str, Json], expected: Expected) -> None:
    """Step 12 and section 5.5.1.1: an `acr` that was demanded is there."""
    wanted, received = expected.essential_acr, claims.get("acr")
    if wanted is None:
        return
    if not isinstance(received, str) or (wanted and received not in wanted):
        raise _refuse("acr", "5.5.1.1", " or ".join(wanted) or "any", received, "lacks the authentication asked for")


def check_auth_time(claims: Mapping[str, Json], expected: Expected) -> None:
    """Step 13: where `max_age` was sent, `auth_time` is there and recent enough."""
    if expected.max_age is None:
        return
    when, skew = _number(claims, "auth_time", "3.1.3.7 step 13"), expected.policy.clock_skew
    oldest = expected.now - expected.max_age - skew - _AHEAD
    if not oldest <= when <= expected.now + skew:
        raise _refuse("auth_time", "3.1.3.7 step 13", f"from {oldest:.0f}", f"{when:.0f}", "is from too old a sign-in")


def check_sub(claims: Mapping[str, Json], expected: Expected) -> None:
    """OIDC Core 2: `sub` is there, ASCII, at most 255 characters."""
    del expected
    sub = claims.get("sub")
    if not isinstance(sub, str) or not sub or not sub.isascii() or len(sub) > _LONGEST_SUB:
        raise _refuse("sub", "2", "1 to 255 ASCII characters", sub, "does not say who signed in")


def check_at_hash(claims: Mapping[str, Json], expected: Expected, algorithm: str) -> None:
    """OIDC Core 3.1.3.8: where `at_hash` is present, it is that of the access token."""
    if "at_hash" not in claims or expected.access_token is None:
        return
    digest = _HASHES[algorithm[-3:]](expected.access_token.encode("ascii")).digest()
    wanted, received = b64url_encode(digest[: len(digest) // 2]), claims["at_hash"]
    if not isinstance(received, str) or not same_secret(received, wanted):
        raise _refuse("at_hash", "3.1.3.8", "the hash of the access token", "another", "is for another access token")


# EdDSA with Ed25519 uses SHA-512 inside (RFC 8032 section 5.1); other clients and providers hash with it too.
_HASHES = {
    "256": hashlib.sha256,
    "384": hashlib.sha384,
    "512": hashlib.sha512,
    "519": hashlib.sha512,  # Ed25519
    "DSA": hashlib.sha512,  # EdDSA
}

CHECKS: tuple[Callable[[Mapping[str, Json], Expected], None], ...] = (
    check_iss,
    check_aud,
    check_azp,
    check_exp,
    check_iat,
    check_nonce,
    check_acr,
    check_auth_time,
    check_sub,
)
