"""An access token that passed every check, and the checks of its claims (RFC 9068 section 4, RFC 7662 section 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

__all__ = [
    "AccessTokens",
    "AuthorizationServerUnavailable",
    "CheckedToken",
    "InvalidAccessToken",
    "TokenRules",
    "checked_token",
]

_NONE: frozenset[str] = frozenset()
_NUMBERS = {int, float}  # and not bool
FARTHEST_TIME = 1e15  # seconds, some 30 million years; infinity is beyond it and NaN is not below it


class InvalidAccessToken(Exception):
    """
    The access token may not be used here: answer `invalid_token` (RFC 6750 section 3.1).

    Attributes:
        reason: The check that failed, short and out of a fixed set: good as a metric's label.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.reason, str(self))


class AuthorizationServerUnavailable(Exception):
    """
    The token cannot be checked, because the authorization server gives no keys or no answer: answer 503.

    It says nothing of the token, and holds nothing secret.
    """


class CheckedToken(NamedTuple):
    """
    An access token that may be used here.

    Attributes:
        claims: Its claims, or the members of the introspection answer.
        jkt: The thumbprint of the key it is bound to (RFC 9449 section 6); None if it is bound to none.
        scopes: What it is good for.
        bound: Whether it is bound to anything, by whatever method (RFC 7800): such a one is never a bearer token.
        expires_at: When it expires, in Unix seconds; None where that was not said.
    """

    claims: Mapping[str, Any]
    jkt: str | None
    scopes: frozenset[str]
    bound: bool
    expires_at: float | None

    def __repr__(self) -> str:
        return f"CheckedToken(jkt={self.jkt!r}, scopes={set(self.scopes)!r}, expires_at={self.expires_at!r})"


class AccessTokens(Protocol):
    """Tells good access tokens from others; one object for programs with and without an event loop."""

    @property
    def issuer(self) -> str:
        """The authorization server whose tokens these are."""
        ...

    def check(self, token: str, *, now: float) -> CheckedToken:
        """
        Check a token.

        Raises:
            InvalidAccessToken: It may not be used here.
            AuthorizationServerUnavailable: That cannot be told.
        """
        ...

    async def check_async(self, token: str, *, now: float) -> CheckedToken:
        """
        Check a token on an event loop.

        Raises:
            InvalidAccessToken: It may not be used here.
            AuthorizationServerUnavailable: That cannot be told.
        """
        ...


@dataclass(frozen=True, slots=True)
class TokenRules:
    """
    What claims are compared with.

    Attributes:
        issuer: The only issuer.
        audiences: The names this API goes by.
        skew: How far the authorization server's clock may be off, in seconds.
        required: Claims that must be there.
    """

    issuer: str
    audiences: frozenset[str]
    skew: float
    required: tuple[str, ...] = ()


def checked_token(claims: dict[str, Any], rules: TokenRules, now: float) -> CheckedToken:
    """
    Check claims; they belong to the token from then on.

    Raises:
        InvalidAccessToken: One of them is missing, of the wrong type, or not for us now.
    """
    for name in rules.required:
        if claims.get(name) is None:
            raise InvalidAccessToken(name, f"The access token has no {name}")
    if claims.get("iss", rules.issuer) != rules.issuer:  # RFC 9068 section 4: exactly
        raise InvalidAccessToken("iss", "The access token is from another issuer")
    if "aud" in claims:
        _check_audience(claims["aud"], rules.audiences)
    expires_at = _check_time(claims, rules.skew, now)
    sub, scope, confirmation = claims.get("sub"), claims.get("scope"), claims.get("cnf")
    if sub is not None and not isinstance(sub, str):
        raise InvalidAccessToken("sub", "The access token's sub is no text")
    if scope is not None and not isinstance(scope, str):
        raise InvalidAccessToken("scope", "The access token's scope is no text")
    jkt = None if confirmation is None else _thumbprint(confirmation)
    scopes = frozenset(scope.split()) if scope else _NONE
    return CheckedToken(MappingProxyType(claims), jkt, scopes, confirmation is not None, expires_at)


def _check_audience(audience: Any, ours: frozenset[str]) -> None:
    """RFC 9068 section 4: this API is among those that the token is for."""
    if isinstance(audience, str) and audience in ours:
        return
    for_us = False
    for one in [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else [None]:
        if not isinstance(one, str):
            raise InvalidAccessToken("aud", "The access token's aud is no text")
        for_us = for_us or one in ours
    if not for_us:
        raise InvalidAccessToken("aud", "The access token is meant for somebody else")


def _check_time(claims: Mapping[str, Any], skew: float, now: float) -> float | None:
    expires_at, not_before = claims.get("exp"), claims.get("nbf")
    if expires_at is not None:
        expires_at = _time("exp", expires_at)
        if now >= expires_at + skew:  # RFC 9068 section 4
            raise InvalidAccessToken("exp", "The access token has expired")
    if not_before is not None and now < _time("nbf", not_before) - skew:  # RFC 7519 section 4.1.5
        raise InvalidAccessToken("nbf", "The access token is not valid yet")
    return expires_at


def _thumbprint(confirmation: Any) -> str | None:
    """Return the key that a token is bound to (RFC 9449 section 6.1), if it is bound to one."""
    if isinstance(confirmation, dict):
        jkt = confirmation.get("jkt")
        if isinstance(jkt, str) or "jkt" not in confirmation:
            return jkt
    raise InvalidAccessToken("cnf", "The access token's cnf is of the wrong type")


def _time(name: str, value: Any) -> float:
    if type(value) not in _NUMBERS or not -FARTHEST_TIME < value < FARTHEST_TIME:
        raise InvalidAccessToken(name, f"The access token's {name} is no time")
    return float(value)
