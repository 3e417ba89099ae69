"""
What happened while requests were checked, for metrics and logs. No event holds a secret.

Each proof that a protected resource checked makes exactly one of `ProofVerified`, `ProofRejected`, `NonceChallenged`
and `ProofUndecided`. Each check of a request ends in exactly one of `RequestAccepted` and `RequestRefused`, and the
adapters check a request once. What an application asks of an accepted request afterwards, with `check_needs` or in a
further dependency, makes a `RefusedLater` where it is missing, and no event where it is not. All texts but `jkt`,
`issuer` and `message` are out of small, fixed sets, and so are good as labels of a metric.

How many proofs are remembered is no event: it is read when somebody asks, `len()` of a `MemoryReplayCache`.
With `prometheus_client` that is `gauge.set_function(lambda: len(replay_cache))`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .errors import Rule

__all__ = [
    "AccessTokenRefused",
    "AuthorizationServerFailed",
    "BindingRefused",
    "Event",
    "KeysFetched",
    "NonceChallenged",
    "Observer",
    "ProofRejected",
    "ProofUndecided",
    "ProofVerified",
    "RefusedLater",
    "RequestAccepted",
    "RequestRefused",
]


@dataclass(frozen=True, slots=True)
class ProofVerified:
    """
    A proof showed what it should.

    Args:
        at: The endpoint: `"resource"`, or at an authorization server `"token"`, `"par"`, `"userinfo"` and so on.
        jkt: The thumbprint of its key. Not secret; it tells one device's requests from another's.
    """

    at: str
    jkt: str


@dataclass(frozen=True, slots=True)
class ProofRejected:
    """
    A proof broke a rule.

    Args:
        at: As for `ProofVerified`.
        rule: The rule.
    """

    at: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class NonceChallenged:
    """
    A proof had no nonce, or an old one, and the client was given a new one (RFC 9449 sections 8 and 9): normal life.

    Args:
        at: As for `ProofVerified`.
    """

    at: str


@dataclass(frozen=True, slots=True)
class ProofUndecided:
    """
    A proof broke no rule, but it could not be told whether it was used before: the replay cache is full or away.

    Args:
        at: As for `ProofVerified`.
    """

    at: str


@dataclass(frozen=True, slots=True)
class BindingRefused:
    """
    An authorization server refused a request because of the key that a code, a token or a client is bound to.

    Args:
        at: As for `ProofVerified`.
        reason: `"required"` (the client must send a proof), `"code"`, `"pushed"` or `"refresh"` (the key is not the one
            it is bound to), `"started"` or `"stopped"` (a sign-in uses proofs from its first token on, or never).
    """

    at: str
    reason: str


@dataclass(frozen=True, slots=True)
class AccessTokenRefused:
    """
    An access token may not be used here.

    Args:
        reason: The check that failed, for example `"exp"` or `"signature"`.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class RequestAccepted:
    """
    A request to a protected resource may go on.

    Args:
        scheme: `"DPoP"` or `"Bearer"`.
    """

    scheme: str


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """
    A request to a protected resource was answered in the resource's place.

    Args:
        status: The HTTP status.
        error: The error code in the answer; None where the request brought no token.
        scheme: The scheme it tried, `"DPoP"` or `"Bearer"`; None where it tried neither.
    """

    status: int
    error: str | None
    scheme: str | None


@dataclass(frozen=True, slots=True)
class RefusedLater:
    """
    The application asked more of a request that was accepted, and it did not bring that.

    The request was counted as a `RequestAccepted` before and is no `RequestRefused`.

    Args:
        status: The HTTP status.
        error: The error code in the answer.
        scheme: How its token came, `"DPoP"` or `"Bearer"`.
    """

    status: int
    error: str | None
    scheme: str


@dataclass(frozen=True, slots=True)
class KeysFetched:
    """
    The keys that access tokens are signed with were fetched.

    Args:
        issuer: The authorization server.
        count: How many keys it publishes.
    """

    issuer: str
    count: int


@dataclass(frozen=True, slots=True)
class AuthorizationServerFailed:
    """
    The authorization server gave no keys or no answer, so that a request was answered with 503.

    Args:
        issuer: The authorization server.
        message: What happened; for a log, not for a label.
    """

    issuer: str
    message: str


Event = (
    ProofVerified
    | ProofRejected
    | NonceChallenged
    | ProofUndecided
    | BindingRefused
    | AccessTokenRefused
    | RequestAccepted
    | RequestRefused
    | RefusedLater
    | KeysFetched
    | AuthorizationServerFailed
)
Observer = Callable[[Event], None]
"""Takes each event. It is called within the request, by all threads there are: it is quick and does not raise."""
