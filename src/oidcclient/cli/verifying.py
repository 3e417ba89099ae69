"""Verifying a token that somebody has at hand, with the keys that its issuer publishes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from oidcclient import IDTokenRefused, Policy
from oidcclient.protocol import (
    Expected,
    KeySet,
    ProviderMetadata,
    allowed_algorithms,
    parse_jwt,
    verify_id_token,
    verify_jwt,
)

from .documents import Documents
from .jwts import Taken, time_words
from .settings import Settings

__all__ = ["verify"]

WHAT = "the token"
HINT = "Do not believe what is in it."
ANY_AGE = 1e8  # seconds, three years: `exp` decides here, as nobody has just asked for the token


def verify(token: str, taken: Taken, documents: Documents, settings: Settings, audience: str | None) -> list[str]:
    """
    Verify a token and return what was checked, in words.

    Args:
        token: The token.
        taken: The same, taken apart.
        documents: What its issuer publishes.
        settings: Who it should come from; with a client it must be an ID Token for that client.
        audience: Whom it should be for.

    Raises:
        IDTokenRefused: A rule is broken.
        DiscoveryRefused: The issuer's documents cannot be trusted.
        TransportError: The issuer cannot be reached.
    """
    try:
        return _verify(token, taken, documents, settings, audience)
    except IDTokenRefused as refusal:
        refusal.hint = HINT
        raise


def _verify(token: str, taken: Taken, documents: Documents, settings: Settings, audience: str | None) -> list[str]:
    if taken.kind != "jwt":
        raise IDTokenRefused("only a signed JWT can be verified", rule="format", section="RFC 7515")
    metadata = documents.metadata()
    keys = documents.keys(metadata)
    client_id = settings.text("client_id") if audience is None and not taken.typ.endswith("+jwt") else None
    if client_id is not None:
        return _as_id_token(token, keys, metadata, client_id, documents.policy)
    jwt = parse_jwt(token, WHAT, IDTokenRefused)
    verify_jwt(jwt, keys, allowed=documents.policy.id_token_algorithms, what=WHAT, error=IDTokenRefused)
    return [_signature(jwt.algorithm, jwt.kid), *_check_claims(jwt.claims, metadata.issuer, audience, documents.policy)]


def _as_id_token(token: str, keys: KeySet, metadata: ProviderMetadata, client_id: str, policy: Policy) -> list[str]:
    patient = Policy(allow_http_loopback=policy.allow_http_loopback, id_token_max_age=ANY_AGE)
    expected = Expected(issuer=metadata.issuer, client_id=client_id, nonce=None, policy=patient, now=time.time())
    jwt = parse_jwt(token, WHAT, IDTokenRefused)
    verify_id_token(token, jwt, keys, allowed=allowed_algorithms(metadata, patient), expected=expected)
    return [
        _signature(jwt.algorithm, jwt.kid),
        f"the issuer is {metadata.issuer}",
        f"it is an ID Token for the client {client_id}",
        f"it expires {time_words(jwt.claims['exp'])}",
    ]


def _signature(algorithm: str, kid: str | None) -> str:
    key = "the issuer's only fitting key" if kid is None else f"the issuer's key {kid}"
    return f"the signature is good ({algorithm}, {key})"


def _check_claims(claims: Mapping[str, Any], issuer: str, audience: str | None, policy: Policy) -> list[str]:
    """Check what RFC 7519 section 4.1 and RFC 9068 section 4 have a receiver check, as far as it is known here."""
    _check(claims.get("iss") == issuer, "iss", issuer, claims.get("iss"), "is from another issuer")
    checked = [f"the issuer is {issuer}"]
    checked += _check_times(claims, policy.clock_skew)
    if audience is not None:
        named = claims.get("aud")
        wanted = audience in (named if isinstance(named, list) else [named])
        _check(wanted, "aud", audience, named, "is for somebody else")
        checked.append(f"it is for {audience}")
    return checked


def _check_times(claims: Mapping[str, Any], skew: float) -> list[str]:
    now = time.time()
    if "nbf" in claims:
        begins = claims["nbf"]
        good = isinstance(begins, int | float) and begins <= now + skew
        _check(good, "nbf", f"at most {now:.0f}", begins, "is not good yet")
    if "exp" not in claims:
        return []
    ends = claims["exp"]
    good = isinstance(ends, int | float) and now < ends + skew
    _check(good, "exp", f"later than {now:.0f}", ends, "has expired")
    return [f"it expires {time_words(ends)}"]


def _check(good: bool, rule: str, expected: object, received: object, message: str) -> None:
    if not good:
        raise IDTokenRefused(
            f"{WHAT} {message}", rule=rule, section="RFC 7519 section 4.1", expected=expected, received=received
        )
