"""What the provider remembers: in memory, for as long as it runs."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .exchange import Pairs

CODE_LIFETIME = 60  # seconds; RFC 6749 section 4.1.2: at most ten minutes
PUSHED_LIFETIME = 60  # seconds; RFC 9126 section 2.2: between 5 and 600
ACCESS_TOKEN_LIFETIME = 300  # seconds
REFRESH_TOKEN_LIFETIME = 30 * 86_400  # seconds
ID_TOKEN_LIFETIME = 300  # seconds
REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"


def new_handle() -> str:
    """Draw a value nobody can guess."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """That a person signed in: who, when and how."""

    username: str
    auth_time: float  # Unix seconds
    acr: str
    amr: tuple[str, ...]


@dataclass(slots=True)
class Grant:
    """What a person allowed an app. All tokens of one sign-in share it, so that they can be revoked together.

    `signed_in` is None if no person took part. `confirmation` is the `cnf` member of sender-constrained tokens
    (RFC 7800), None for bearer tokens.
    """

    id: str
    client_id: str
    signed_in: SignedIn | None
    scope: str
    resources: tuple[str, ...] = ()
    nonce: str | None = field(default=None, repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict)
    confirmation: Mapping[str, str] | None = None
    revoked: bool = False

    @property
    def person(self) -> SignedIn:
        """Who signed in.

        Raises:
            LookupError: if this is about the client alone.
        """
        if self.signed_in is None:
            raise LookupError("nobody signed in: the client acts for itself")
        return self.signed_in


@dataclass(slots=True)
class AuthorizationCode:
    """A code, good for one use."""

    code: str = field(repr=False)
    grant: Grant
    redirect_uri: str
    code_challenge: str | None
    code_challenge_method: str | None
    expires_at: float
    dpop_jkt: str | None = None
    used: bool = False

    # The names below are those Authlib asks for.

    def get_redirect_uri(self) -> str:
        """Return the address the code was sent to."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return the granted scope."""
        return self.grant.scope


@dataclass(slots=True)
class RefreshToken:
    """A refresh token; once used it stays known, so that a second use is noticed."""

    value: str = field(repr=False)
    grant: Grant
    expires_at: float
    used: bool = False

    # The names below are those Authlib asks for.

    def check_client(self, client: Any) -> bool:
        """Compare with the client it was issued to."""
        return bool(client.client_id == self.grant.client_id)

    def get_scope(self) -> str:
        """Return the granted scope."""
        return self.grant.scope


@dataclass(slots=True)
class DeviceRequest:
    """A device that waits for a person elsewhere (RFC 8628). The grant gets its person when it is approved."""

    device_code: str = field(repr=False)
    user_code: str
    grant: Grant
    expires_at: float
    interval: float  # seconds
    approved: bool | None = None  # None until somebody decided
    polled_at: float | None = None
    used: bool = False

    # The names below are those Authlib asks for.

    def get_client_id(self) -> str:
        """Return the client it was issued to."""
        return self.grant.client_id

    def get_scope(self) -> str:
        """Return the scope that was asked for."""
        return self.grant.scope


@dataclass(slots=True)
class AccessToken:
    """An issued access token, by its jti: a JWT alone cannot be revoked."""

    jti: str
    grant: Grant
    expired: bool = False
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class PushedRequest:
    """An authorization request that was pushed (RFC 9126)."""

    client_id: str
    params: Pairs = field(repr=False)
    expires_at: float


@dataclass(slots=True)
class Session:
    """A browser's session here."""

    id: str = field(repr=False)
    csrf: str = field(repr=False)
    signed_in: SignedIn | None = None


@dataclass(slots=True)
class Interaction:
    """An authorization request that waits for a person. `request` and `flow` belong to Authlib."""

    id: str = field(repr=False)
    session_id: str = field(repr=False)
    request: Any
    flow: Any
    acr: str
    signed_in: SignedIn | None = None
    consented: bool = False


@dataclass(slots=True)
class Store:
    """Everything by its handle."""

    codes: dict[str, AuthorizationCode] = field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = field(default_factory=dict)
    access_tokens: dict[str, AccessToken] = field(default_factory=dict)
    devices: dict[str, DeviceRequest] = field(default_factory=dict)  # by device code
    wrong_user_codes: list[float] = field(default_factory=list)  # when somebody typed one
    pushed: dict[str, PushedRequest] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    interactions: dict[str, Interaction] = field(default_factory=dict)
    consents: set[tuple[str, str, str]] = field(default_factory=set)  # username, client_id, scope
    assertion_ids: set[tuple[str, str]] = field(default_factory=set)  # client_id, jti

    def new_session(self, signed_in: SignedIn | None = None) -> Session:
        """Start a session; a new one at each sign-in, so that nobody can fix its id beforehand."""
        session = Session(new_handle(), new_handle(), signed_in)
        self.sessions[session.id] = session
        return session

    def has_consented(self, username: str, client_id: str, scope: str) -> bool:
        """Tell whether a person allowed all of this before."""
        return all((username, client_id, word) in self.consents for word in scope.split())

    def remember_consent(self, username: str, client_id: str, scope: str) -> None:
        """Keep what a person allowed."""
        self.consents |= {(username, client_id, word) for word in scope.split()}
