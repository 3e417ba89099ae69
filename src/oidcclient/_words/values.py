"""Values that several layers share: the provider's metadata, a token response, an access token, a user."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .value import dataclass, field

__all__ = ["AccessToken", "Json", "ProviderMetadata", "TokenResponse", "User"]

Json = Any  # what a JSON parser returns


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """
    What the provider says of itself, checked (RFC 8414, OIDC Discovery).

    Args:
        issuer: The issuer identifier, identical to the one asked for.
        authorization_endpoint: Where the browser goes.
        token_endpoint: Where codes become tokens.
        jwks_uri: Where the signing keys are.
        userinfo_endpoint: Where claims about the user are.
        pushed_authorization_request_endpoint: Where authorization requests are pushed (RFC 9126).
        require_pushed_authorization_requests: Whether it takes no others.
        authorization_response_iss_parameter_supported: Whether its responses carry `iss` (RFC 9207).
        code_challenge_methods_supported: The PKCE methods it lists; None where it lists none.
        id_token_signing_alg_values_supported: The algorithms it lists for ID Tokens; None where it lists none.
        scopes_supported: The scopes it lists; None where it lists none.
        raw: Every member as it came, for hooks and for fields that have no name here.
    """

    issuer: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    jwks_uri: str | None = None
    userinfo_endpoint: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    require_pushed_authorization_requests: bool = False
    authorization_response_iss_parameter_supported: bool = False
    code_challenge_methods_supported: tuple[str, ...] | None = None
    id_token_signing_alg_values_supported: tuple[str, ...] | None = None
    scopes_supported: tuple[str, ...] | None = None
    raw: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}), repr=False)


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """
    A successful answer of the token endpoint (RFC 6749 section 5.1).

    Args:
        access_token: Secret.
        token_type: As it came; compared without case.
        expires_in: Lifetime in seconds, where the provider says.
        refresh_token: Secret; None where none was given.
        scope: What was granted; None means "as asked".
        id_token: The raw ID Token; not yet checked.
        raw: Every member as it came. Secret.
    """

    access_token: str = field(repr=False)
    token_type: str
    expires_in: float | None = None
    refresh_token: str | None = field(default=None, repr=False)
    scope: str | None = None
    id_token: str | None = field(default=None, repr=False)
    raw: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}), repr=False)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """
    An access token ready for use.

    Args:
        value: The token. Secret.
        type: The scheme it is sent with, for example `"Bearer"`.
        expires_at: When it expires, in Unix seconds; None where the provider did not say.
        scope: The scopes it carries, in order.
        issued_at: When it was received, in Unix seconds; None where unknown.
    """

    value: str = field(repr=False)
    type: str
    expires_at: float | None
    scope: tuple[str, ...]
    issued_at: float | None = None


@dataclass(frozen=True, slots=True)
class User:
    """
    Who signed in, from a verified ID Token.

    Args:
        sub: The user's identifier, unique at this issuer and never reassigned.
        issuer: The issuer that vouches for it.
        claims: Every claim of the ID Token.
    """

    sub: str
    issuer: str
    claims: Mapping[str, Json] = field(repr=False)
