"""The access tokens of a stored session: which one is meant, and whether it can still be used."""

from __future__ import annotations

from enum import Enum

from oidcclient._words.errors import LoginRequired
from oidcclient._words.record import SessionRecord
from oidcclient._words.value import replace
from oidcclient._words.values import AccessToken, TokenResponse

__all__ = ["Freshness", "freshness", "resource_for", "token_from", "with_tokens"]

EARLY_SHARE = 0.2  # of a token's lifetime: the time before its end at which it is renewed ahead of need
MOST_EARLY = 120.0  # seconds; so long before its end at the most
MARGIN_SHARE = 0.05  # of a token's lifetime: what it must still have left to survive the request it is sent with
MOST_MARGIN = 5.0  # seconds
FUTURE = 60.0  # seconds that a token may seem to come from the future, as clocks are corrected


class Freshness(Enum):
    """What can be done with a token."""

    FRESH = "use it"
    DUE = "use it, and renew it meanwhile"
    ENDED = "renew it first"


def freshness(token: AccessToken | None, now: float) -> Freshness:
    """
    Tell what can be done with a token; one whose end nobody told is used until an API refuses it.

    Args:
        token: The token, if there is one.
        now: Unix seconds.
    """
    if token is None:
        return Freshness.ENDED
    if token.expires_at is None:
        return Freshness.FRESH
    if token.issued_at is not None and token.issued_at > now + FUTURE:
        return Freshness.ENDED  # the clock was wrong when it came, so nobody knows when it ends
    left = token.expires_at - now
    if left > MOST_EARLY:
        return Freshness.FRESH
    lifetime = MOST_EARLY / EARLY_SHARE if token.issued_at is None else token.expires_at - token.issued_at
    if left <= min(MOST_MARGIN, lifetime * MARGIN_SHARE):
        return Freshness.ENDED
    return Freshness.DUE if left <= min(MOST_EARLY, lifetime * EARLY_SHARE) else Freshness.FRESH


def resource_for(record: SessionRecord, wanted: str | None) -> str:
    """
    Return the resource indicator under which the token for an address is kept; empty where none was asked for.

    Args:
        record: The session.
        wanted: An API's address, or None for the session's first or only token.

    Raises:
        LoginRequired: The sign-in asked for tokens of other resources only (RFC 8707 section 2.2).
    """
    if not record.resources:
        return ""
    if wanted is None or wanted in record.resources:
        return wanted or record.resources[0]
    from oidcclient.protocol import TokenBase  # noqa: PLC0415 - a token of no resource needs none of it

    for resource in record.resources:
        if resource.startswith(("https:", "http:")) and TokenBase.parse(resource).covers(wanted):
            return resource
    raise LoginRequired(
        "no token for this resource was asked for at the sign-in",
        rule="resource",
        section="RFC 8707 section 2.2",
        expected=", ".join(record.resources),
        received=wanted,
        hint="Sign in again with login(resource=...).",
    )


def token_from(response: TokenResponse, asked: tuple[str, ...], now: float) -> AccessToken:
    """
    Return the access token of a token response.

    Args:
        response: The response.
        asked: The scopes that an omitted `scope` stands for (RFC 6749 section 5.1).
        now: Unix seconds.
    """
    from oidcclient.protocol import granted_scope  # noqa: PLC0415 - a cached token needs none of it

    return AccessToken(
        value=response.access_token,
        type="Bearer" if response.token_type.lower() == "bearer" else response.token_type,
        expires_at=None if response.expires_in is None else now + response.expires_in,
        scope=granted_scope(response, asked),
        issued_at=now,
    )


def with_tokens(record: SessionRecord, response: TokenResponse, resource: str, now: float) -> SessionRecord:
    """
    Return the record after a refresh: new tokens in place of the old, what did not come is kept (RFC 6749 section 6).

    Args:
        record: The session before.
        response: The answer to the refresh.
        resource: The resource indicator it was for.
        now: Unix seconds.
    """
    before = record.tokens.get(resource)
    token = token_from(response, record.scopes if before is None else before.scope, now)
    return replace(
        record,
        tokens={**record.tokens, resource: token},
        refresh_token=response.refresh_token or record.refresh_token,
    )
