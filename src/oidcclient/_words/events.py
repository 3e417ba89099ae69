"""What happened, for a program that wants to show or count it. No event holds a secret."""

from __future__ import annotations

from collections.abc import Callable

from .value import dataclass

__all__ = [
    "BrowserOpened",
    "CallbackAccepted",
    "DeviceCodeShown",
    "Event",
    "EventHandler",
    "IDTokenVerified",
    "KeysFetched",
    "MetadataFetched",
    "Notice",
    "RequestPushed",
    "SessionRefreshed",
    "SignInAddress",
    "SignedIn",
    "SignedOut",
    "TokenReceived",
    "WayChosen",
]


@dataclass(frozen=True, slots=True)
class WayChosen:
    """`Auto()` chose a way to sign in; every rule it looked at, in order, as "rule: why"."""

    way: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MetadataFetched:
    """The provider's metadata was fetched and accepted."""

    issuer: str


@dataclass(frozen=True, slots=True)
class KeysFetched:
    """The provider's signing keys were fetched."""

    issuer: str
    count: int


@dataclass(frozen=True, slots=True)
class RequestPushed:
    """The authorization request was pushed to the provider (RFC 9126)."""

    issuer: str
    expires_in: float


@dataclass(frozen=True, slots=True)
class SignInAddress:
    """The address at which the person signs in. Good for this sign-in alone; do not show it to others."""

    address: str


@dataclass(frozen=True, slots=True)
class DeviceCodeShown:
    """A code to type on another device was given out (RFC 8628). The codes themselves are not told here."""

    verification_uri: str
    expires_in: float
    interval: float


@dataclass(frozen=True, slots=True)
class BrowserOpened:
    """A browser was started, or none could be."""

    started: bool
    how: str


@dataclass(frozen=True, slots=True)
class CallbackAccepted:
    """The browser came back with the answer to our request."""

    issuer: str


@dataclass(frozen=True, slots=True)
class TokenReceived:
    """The token endpoint answered."""

    token_type: str
    expires_in: float | None
    refreshable: bool
    missing_scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IDTokenVerified:
    """The ID Token passed every check."""

    sub: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person is signed in and the session is stored."""

    issuer: str
    sub: str


@dataclass(frozen=True, slots=True)
class SessionRefreshed:
    """The session was refreshed at the provider, by this process."""

    issuer: str
    sub: str
    expires_in: float | None


@dataclass(frozen=True, slots=True)
class SignedOut:
    """A session was wiped from this machine."""

    issuer: str
    sub: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know, in one sentence."""

    text: str


Event = (
    WayChosen
    | MetadataFetched
    | KeysFetched
    | RequestPushed
    | SignInAddress
    | DeviceCodeShown
    | BrowserOpened
    | CallbackAccepted
    | TokenReceived
    | IDTokenVerified
    | SignedIn
    | SessionRefreshed
    | SignedOut
    | Notice
)
EventHandler = Callable[[Event], object]
