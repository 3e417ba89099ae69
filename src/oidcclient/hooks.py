"""
How an add-on plugs in: a port with small optional powers.

A hook is any object with a `name`. Whatever else it has of the methods below is used; nothing must be inherited, and
nothing is registered globally. One hook object serves many sessions: all that belongs to one session is in the
`HookContext` it is given: in `state` (stored with the session, plain JSON) and in `memory` (kept while the program
runs).

Discovery and JWKS requests are never offered to a hook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

from ._words.effects import Flow, run, send, sleep
from ._words.events import EventHandler
from ._words.http import HttpRequest, HttpResponse
from ._words.policy import Policy
from ._words.value import dataclass, field
from ._words.values import AccessToken, Json, ProviderMetadata, TokenResponse

__all__ = [
    "AcceptsTokens",
    "AddsParameters",
    "Describes",
    "Exchange",
    "ExchangeKind",
    "Flow",
    "Forgets",
    "Hook",
    "HookContext",
    "HttpRequest",
    "HttpResponse",
    "Prepares",
    "Proceed",
    "ProviderMetadata",
    "Signed",
    "Signs",
    "SuppliesTransport",
    "TokenResponse",
    "TransportMaterial",
    "WrapsExchanges",
    "run",
    "send",
    "sleep",
]


class ExchangeKind(StrEnum):
    """What an HTTP exchange is for."""

    PAR = "par"
    TOKEN = "token"  # noqa: S105 - the name of an exchange, no password
    REFRESH = "refresh"
    CLIENT_CREDENTIALS = "client_credentials"
    DEVICE_AUTHORIZATION = "device_authorization"
    DEVICE = "device"
    USERINFO = "userinfo"
    RESOURCE = "resource"
    REVOCATION = "revocation"


@dataclass(slots=True)
class HookContext:
    """
    What belongs to one session of one hook.

    Args:
        issuer: The issuer of the session.
        client_id: The client it belongs to.
        profile: The profile under which it is stored.
        account: The `sub` signed in; None until known.
        metadata: The provider's metadata.
        policy: The client's policy.
        now: Unix seconds, read when the operation began.
        emit: Takes an event for the program.
        state: The hook's own part of the session record: JSON, changed in place, secret.
        memory: The hook's own objects, never stored.
    """

    issuer: str
    client_id: str
    profile: str
    account: str | None
    metadata: ProviderMetadata
    policy: Policy
    now: float
    emit: EventHandler = field(repr=False)
    state: dict[str, Json] = field(default_factory=dict, repr=False)
    memory: dict[str, Any] = field(default_factory=dict, repr=False)


class Signed(NamedTuple):
    """
    What a hook adds to a request to an API.

    Args:
        headers: Name and value pairs. Secret.
        memo: What the hook wants to be shown again with the answer.
    """

    headers: tuple[tuple[str, str], ...]
    memo: Any = None

    def __repr__(self) -> str:
        return f"Signed({', '.join(name for name, _ in self.headers)})"


@dataclass(frozen=True, slots=True)
class Exchange:
    """
    One HTTP exchange that a hook may wrap.

    Args:
        kind: What it is for.
        request: The request, before client authentication is added.
        access_token: The token it carries, where it carries one. Secret.
        token_type: That token's type.
        repeatable: Whether the request can be sent again. Where its body is a stream that cannot, a hook that will need
            an answer first asks for it with a request of its own, for example HEAD to the same address.
        signed: What `Signs.sign` made, where the request has gone out with it: the first `proceed` sends nothing and
            gives the answer that came.
    """

    kind: ExchangeKind
    request: HttpRequest
    access_token: str | None = field(default=None, repr=False)
    token_type: str | None = None
    repeatable: bool = True
    signed: Signed | None = field(default=None, repr=False)


class Proceed(Protocol):
    """
    Send the request on, through the hooks that follow and client authentication, and return the answer.

    The first call needs no reason. Each further one is a retry and names its reason; a reason is good once, so that no
    loop can start.
    """

    def __call__(self, request: HttpRequest, *, reason: str | None = None) -> Flow[HttpResponse]:
        """Send `request`; `reason` names why it is sent again."""
        ...


class Hook(Protocol):
    """
    The least a hook is.

    `name` is the key of its state in the session record. A hook with a true attribute `binds` binds the session: one
    that was made with it is never used without it.
    """

    @property
    def name(self) -> str:
        """A short name, unique among the client's hooks."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """See the provider's metadata before anything is opened, and refuse what cannot work."""

    def prepare(self, context: HookContext) -> Flow[None]:
        """Raise an `OidcError` to stop the sign-in before a browser opens."""
        ...


@runtime_checkable
class AddsParameters(Protocol):
    """Contribute authorization request parameters."""

    def authorization_parameters(self, context: HookContext) -> Flow[Mapping[str, str]]:
        """Return parameters to add; none may replace one of the core's."""
        ...


@runtime_checkable
class WrapsExchanges(Protocol):
    """Wrap one HTTP exchange: change the request, look at the answer, try again for a reason."""

    def exchange(self, context: HookContext, exchange: Exchange, proceed: Proceed) -> Flow[HttpResponse]:
        """Return the answer; `yield from proceed(request)` gets it."""
        ...


@runtime_checkable
class Signs(Protocol):
    """
    Sign a request to an API at once, for speed: most are answered well, and an exchange is more than they need.

    Used where no other hook wraps exchanges. A request that is refused goes on through `exchange`.
    """

    def sign(self, context: HookContext, method: str, url: str, token: AccessToken) -> Signed | None:
        """Return what to add, or None where that takes an exchange: something has to be opened or waited for."""
        ...

    def heard(self, context: HookContext, signed: Signed, values: Callable[[str], Sequence[str]]) -> None:
        """
        Look at an answer that is no refusal.

        Args:
            context: The session's.
            signed: What `sign` returned.
            values: Returns all values of a header.
        """
        ...


@runtime_checkable
class AcceptsTokens(Protocol):
    """Accept or refuse a token response."""

    def accept_token(self, context: HookContext, kind: ExchangeKind, response: TokenResponse) -> bool:
        """
        Raise an `OidcError` to refuse the response.

        Returns:
            Whether this hook is the one that knows how to use a token of this `token_type`. The core knows Bearer; any
            other type needs a hook that says so (RFC 6749 section 7.1).
        """
        ...


@runtime_checkable
class Describes(Protocol):
    """Tell people what the hook did for a session."""

    def describe(self, state: Mapping[str, Json]) -> str:
        """Return one short sentence without secrets."""
        ...


@runtime_checkable
class Forgets(Protocol):
    """Clean up at logout."""

    def forget(self, state: Mapping[str, Json]) -> Flow[None]:
        """Remove whatever the state refers to, for example a key."""
        ...


@dataclass(frozen=True, slots=True)
class TransportMaterial:
    """
    What the connection itself needs.

    Args:
        certificate: Paths of a PEM certificate chain and its key for TLS client authentication.
        endpoint_aliases: Endpoint names in the metadata and the addresses to use in their place (RFC 8705 section 5).
    """

    certificate: tuple[str, str] | None = field(default=None, repr=False)
    endpoint_aliases: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class SuppliesTransport(Protocol):
    """Contribute TLS material or endpoint aliases."""

    def transport(self, context: HookContext) -> TransportMaterial:
        """Return what the connection needs. May be asked for each exchange: keep it quick."""
        ...
